"""vlmbench: evaluate, train and compare vision-language models for Japanese."""

__version__ = "0.1.0"
