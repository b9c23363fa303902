"""The same questions asked otherwise: without the image, in other words, with options rotated."""
