"""saegrid: sparse-autoencoder experiments over a grid of layers, positions and expansions."""

__version__ = "0.1.0"
