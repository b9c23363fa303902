"""The same questions asked differently: without images, paraphrased, rotated."""
