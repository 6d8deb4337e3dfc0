"""The ways to choose features, and the columns of steering_choice.parquet; pages read them without
torch."""

import pyarrow as pa

OWN, LENS_SCORE, MEANING, RANDOM = GROUPS = ("own", "lens", "meaning", "random")
SCHEMA = pa.schema(
    [
        ("feature", pa.int32()),
        ("n_active", pa.int32()),
        ("max_activation", pa.float32()),
        ("words", pa.list_(pa.string())),
        ("targets", pa.list_(pa.int32())),
        ("share", pa.float64()),
        ("own", pa.float64()),
        ("lens", pa.float64()),
        ("meaning", pa.float64()),
        ("confidence", pa.float64()),
        ("kl", pa.float64()),
        ("groups", pa.list_(pa.string())),
        ("control", pa.int32()),
    ]
)
"""Columns of steering_choice.parquet: a row for each feature of the pool."""
DEFINITIONS = {
    "share": "fraction of the 20 strongest activations on a token that is a whole content word",
    "own": "mean change of the summed probability of the feature's own words' tokens while it is "
    "clamped at `strength` times its maximum, over all positions of the prompts for choosing",
    "lens": "the same of the 20 tokens that its decoder row raises most by the logit lens",
    "meaning": "mean cosine of the input embeddings of its own words' tokens, over pairs",
    "confidence": "mean change of the largest probability of a position under the same clamp",
    "kl": "mean KL(unsteered || clamped) of a position, nats",
    "control": "a feature of the pool with like density and maximum, none of its words",
}
