"""The trainer: a recipe in, a checkpoint directory out."""
