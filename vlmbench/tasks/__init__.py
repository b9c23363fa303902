"""What is asked: task files, their rows, prompts, groups and variants."""
