"""Capture: tokens -> activations x (token, d_model) at any number of sites.

The same bytes come out whatever else is captured with a token, in whatever order, and whether the
model runs whole (`whole`) or block by block (`layers`), as the memory at hand decides (`corpus`).
Nothing is imported here: readers of activations (`activations`) do without torch.
"""
