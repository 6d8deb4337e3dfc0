"""The arms of steering, and the columns of steering.parquet and steering_texts.parquet; pages read
them without torch."""

import pyarrow as pa

NONE, FEATURE, CONTROL, MEANS, PROMPT = ARMS = ("none", "feature", "control", "means", "prompt")
SCHEMA = pa.schema(
    [
        ("part", pa.string()),
        ("feature", pa.int32()),
        ("arm", pa.string()),
        ("dose", pa.float64()),
        ("value", pa.float64()),
        ("norm_share", pa.float64()),
        ("n_texts", pa.int32()),
        ("n_with", pa.int32()),
        ("inclusion", pa.float64()),
        ("low", pa.float64()),
        ("high", pa.float64()),
        ("inclusion_plain", pa.float64()),
        ("gain", pa.float64()),
        ("surprisal", pa.float64()),
        ("surprisal_plain", pa.float64()),
        ("rep3", pa.float64()),
        ("rep3_plain", pa.float64()),
        ("delta_target", pa.float64()),
        ("specificity", pa.float64()),
        ("kl", pa.float64()),
    ]
)
"""Columns of steering.parquet: a row for each part, feature, arm and dose."""
TEXTS = pa.schema(
    [
        ("part", pa.string()),
        ("feature", pa.int32()),
        ("arm", pa.string()),
        ("dose", pa.float64()),
        ("prompt", pa.int32()),
        ("seed", pa.int32()),
        ("before", pa.string()),
        ("text", pa.string()),
        ("parting", pa.int32()),
        ("n_hits", pa.int32()),
        ("surprisal", pa.float64()),
    ]
)
"""Columns of steering_texts.parquet. Rows of the arm `none` have feature -1 and no hits."""
DEFINITIONS = {
    "dose": "multiple of the feature's largest activation on tokens that are not special; 0 of the "
    "arms none and prompt",
    "value": "the z that the feature is clamped at; of other arms the one with the same shift",
    "norm_share": "norm of value times decoder row / mean norm of the site's activations",
    "inclusion": "texts with at least one of the feature's own words / texts; low, high: exact "
    "95 % interval",
    "inclusion_plain": "the same of texts from the same prompts and noise without an edit",
    "gain": "inclusion - inclusion_plain",
    "surprisal": "mean -log p of a new token under the model without an edit, nats",
    "rep3": "1 - distinct runs of three new tokens / all runs of three, mean over texts",
    "delta_target": "change of log of the summed probability of the own words' tokens, mean over "
    "positions of neutral texts",
    "specificity": "delta_target of the feature - that of its control at the same dose",
    "kl": "mean KL(unsteered || steered) of the next token on neutral texts, nats",
    "parting": "characters of `text` that the text without an edit shares, from its beginning",
}
