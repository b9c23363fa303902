"""What is asked: a task file, its rows, its prompts, and the same asked differently."""
