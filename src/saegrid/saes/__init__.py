"""Sparse autoencoders: one view for inference, formats, training."""
