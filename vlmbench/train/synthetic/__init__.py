"""The embedded suite: what builds its four data sets, and the training split of its basic level."""
