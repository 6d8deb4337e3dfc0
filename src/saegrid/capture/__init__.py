"""Capture: tokens -> activations x (token, d_model) at any number of sites.

The same bytes come out whatever else is captured with a token, in whatever order, and whether the
model runs whole (`whole`) or block by block (`layers`), as the memory at hand decides.

The package itself is light: those who only read activations need no model, and no torch.
"""
