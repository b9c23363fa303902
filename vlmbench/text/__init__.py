"""Japanese text: normalization, tokenization, extraction of answers."""
