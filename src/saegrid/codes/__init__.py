"""Activations to sparse codes: the screen, the exact products, the gate, the sparse matrix."""
