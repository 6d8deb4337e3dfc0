"""The capture of activations x (token, d_model) of tokens at any number of sites.

A token gives the same bytes whatever else is captured with it, in whatever order, and whether the
model runs whole (`whole`) or block by block (`layers`), which the memory at hand decides.

The package itself is light: reading activations needs no model and no torch.
"""
