"""Edit masks: which tokens of a pair are the edit. A new one is a file here and a line below.

A mask is a function (Pair) -> Edit, see `masks.pair`. It sees one pair, each text tokenised
alone and without special tokens; where the tokens stand in rows is decided later.
"""

MASKS = {
    "difference": "saegrid.text.masks.difference:mask",
    "marker": "saegrid.text.masks.marker:mask",
}
