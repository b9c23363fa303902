"""Which model: what `--model` names, its options, and what its family needs."""
