"""Columns of the survey, of the health of SAEs and of the map over cells: unit and words, table by
table."""

from saegrid.command.sharing.columns import COUNT, ID, SHARE, TEXT, Words, of

RAW, ROBUST = "units of the activations", "robust deviations"
BLOCK = {"position": Words(TEXT, "position of the site in the block, such as R")}

SURVEYED: dict[str, dict[str, Words]] = {
    "survey/layers": {
        **BLOCK,
        **of(
            TEXT,
            normed="norm of the activations: none, layer or final",
            tokens="tokens of the row: all, or one, the last",
        ),
        **of(
            RAW,
            sum="sum of all numbers of the tokens",
            max="largest number",
            average="average number",
            norm="mean norm of a token",
        ),
        "n": Words(COUNT, "tokens"),
        "anisotropy": Words("cosine", "mean cosine of two different tokens"),
    },
    "survey/dimensions": {
        **of(RAW, mean="mean over all tokens", sd="standard deviation over all tokens"),
        **of(
            ROBUST,
            mean_robust="distance of the mean from the median of all dimensions",
            sd_robust="distance of the deviation from the median of all dimensions",
        ),
    },
    "survey/pairs": {
        **of(TEXT, corpus_a="first corpus", corpus_b="second corpus"),
        "mean_cosine": Words("cosine", "cosine of the means of both corpora"),
        "sd_correlation": Words("correlation", "correlation of their deviations over dimensions"),
        "largest_distance": Words("deviations", "largest distance of two means, in pooled ones"),
        "at_dimension": Words(ID, "dimension with this distance, from 0"),
        **of(
            COUNT,
            outliers_a="dimensions that stand out in the first",
            outliers_b="dimensions that stand out in the second",
            outliers_both="dimensions that stand out in both",
        ),
    },
    "survey/passes": {
        "token": Words(ID, "number of the token in the order of the file, from 0"),
        "values": Words(RAW, "numbers of the token by dimension"),
    },
    "kinds_by_cell": {
        **of(
            COUNT,
            n_meaning_grid="features of a concept, chance counted over all cells",
            n_concepts_grid="different concepts that the features of n_meaning_grid are of",
        ),
        **of(
            SHARE,
            share_concepts="best share, mean over the concepts that any cell shows",
            share_forms="best share, mean over the letters and endings of any cell",
        ),
    },
    "health": {**BLOCK, "n_tokens": Words(COUNT, "held-out tokens that were measured")},
}

BY_PREFIX = {
    "light_": Words(TEXT, "colour of {} by the limits on the numbers: green, amber or red"),
    "shape_": Words(TEXT, "colour of {} by the limits on the shapes: green, amber or red"),
    "target_": Words(TEXT, "colour of {} by the targets of a sweep: green, amber or red"),
    "set_": Words(TEXT, "setting {} of the SAE"),
}
"""Columns of health.parquet by how their names begin."""
BY_ENDING = {"_fvu": Words(SHARE, "fraction of variance unexplained by {} at the cell's L0")}


def of_health(name: str) -> Words | None:
    """A column of health.parquet of a family of columns; None of any other."""
    for start, words in BY_PREFIX.items():
        if name.startswith(start):
            return words._replace(words=words.words.format(name.removeprefix(start)))
    for end, words in BY_ENDING.items():
        if name.endswith(end):
            return words._replace(words=words.words.format(name.removesuffix(end)))
    return None
