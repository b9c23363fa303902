"""What a model learns from: any data layout becomes typed examples, mixed in a fixed order."""
