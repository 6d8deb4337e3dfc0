"""Layouts, which make rows of model input from texts. A new one is a file here and a line below.

A layout is a function (Plan) -> Placement, see `layouts.placement`. It decides only the rows and
positions of tokens; ids, texts, masks and spans follow from them.
"""

LAYOUTS = {
    "headline": "saegrid.text.layouts.headline:headline",
    "packed": "saegrid.text.layouts.packed:packed",
}
