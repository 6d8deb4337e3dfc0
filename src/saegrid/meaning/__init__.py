"""The meaning of features: what they are about, and which are alike."""

DECODER, TOKENS, TEXTS = RELATIONS = ("decoder", "tokens", "texts")
"""Ways of being kin: cosine of decoder rows (`nearest.by_direction`), firing on the same captured
tokens (`nearest.phi`), firing on the masked tokens of the same kept texts (`nearest.jaccard`)."""
CELL, WIDTH, LAYER = PLACES = ("cell", "width", "layer")
"""Places of kin: the same cell, another SAE at its site, the same SAE in a neighbouring layer."""
