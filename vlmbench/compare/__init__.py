"""Several runs side by side: the gate, diagnostics, published numbers."""
