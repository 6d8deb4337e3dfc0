"""Layouts: how texts become rows of model input. A new one is a file here and a line below.

A layout is a function (Plan) -> Placement, see `layouts.placement`. It decides only where
tokens stand; ids, texts, masks and spans follow from that.
"""

LAYOUTS = {
    "headline": "saegrid.text.layouts.headline:headline",
    "packed": "saegrid.text.layouts.packed:packed",
}
