"""What a run leaves on disk: its directory, its journal, and memory that may lie in files."""
