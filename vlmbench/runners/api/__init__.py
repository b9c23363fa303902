"""Models behind an OpenAI-compatible interface, and servers we start."""
