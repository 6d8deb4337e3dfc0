"""Weights of columns, a file each."""
