"""Japanese text: normalisation, tokenisation, extraction of answers."""
