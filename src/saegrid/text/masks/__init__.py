"""Edit masks, which find the tokens of a pair's edit. A new one is a file here and a line below.

A mask is a function (Pair) -> Edit, see `masks.pair`. It sees one pair, each text tokenised
alone and without special tokens; the rows of the tokens are decided later.
"""

MASKS = {
    "difference": "saegrid.text.masks.difference:mask",
    "marker": "saegrid.text.masks.marker:mask",
}
