"""The panel of kin: a row a kin, those by several relations first."""

import pyarrow as pa

from saegrid.meaning.kin import SCHEMA
from saegrid.pages.browser.kin import of_features


def table(*rows):
    names = SCHEMA.names
    whole = pa.table(dict(zip(names, map(list, zip(*rows, strict=True)), strict=True)))
    return whole.cast(SCHEMA)


def test_a_row_a_kin_with_its_values_by_relation():
    found = of_features(
        table(
            (3, "decoder", "cell", "L1R-8x", 9, 0.5, 0, 0, "wig"),
            (3, "tokens", "cell", "L1R-8x", 5, 0.75, 12, 0, "hair, wig"),
            (3, "texts", "cell", "L1R-8x", 5, 0.25, 7, 0, "hair, wig"),
            (3, "decoder", "cell", "L1R-8x", 5, 0.4, 12, 1, "hair, wig"),
            (3, "texts", "layer", "L2R-8x", 5, 1.0, 4, 0, None),
            (8, "decoder", "width", "L1R-32x", 1, 0.1234567, 2, 0, "a"),
        )
    )
    assert found == {
        3: [
            {
                "feature": "#5",
                "href": "#5",
                "words": "hair, wig",
                "direction": 0.4,
                "tokens": 0.75,
                "texts": 0.25,
                "both": 12,
            },
            {
                "feature": "#9",
                "href": "#9",
                "words": "wig",
                "direction": 0.5,
                "tokens": None,
                "texts": None,
                "both": 0,
            },
            {
                "feature": "L2R-8x #5",
                "href": "../L2R-8x/features.html#5",
                "words": "–",
                "direction": None,
                "tokens": None,
                "texts": 1.0,
                "both": None,
            },
        ],
        8: [
            {
                "feature": "L1R-32x #1",
                "href": "../L1R-32x/features.html#1",
                "words": "a",
                "direction": 0.12,
                "tokens": None,
                "texts": None,
                "both": 2,
            }
        ],
    }


def test_no_more_than_fifteen_rows():
    cells = [("layer", "L12R-8x"), ("layer", "L9R-8x"), ("cell", "L10R-8x")]
    cells += [("width", "L10R-4x"), ("width", "L10R-2x")]
    rows = [
        (3, relation, place, cell, other, 0.5, 3, rank, "w")
        for place, cell in cells
        for relation in ("decoder", "tokens", "texts")
        for rank, other in enumerate(range(len(relation), len(relation) + 5))
    ]
    (shown,) = of_features(table(*rows)).values()
    assert len(shown) == 15
    cells = [row["feature"].partition("#")[0].strip() for row in shown]
    assert cells[:5] == [""] * 5 and set(cells[5:9]) == {"L10R-2x", "L10R-4x"}
    assert cells[9:] == ["L9R-8x"] * 3 + ["L12R-8x"] * 3
    # 7 is the first by direction, the second by tokens and the third by texts.
    assert [row["feature"] for row in shown[:2]] == ["#7", "#6"]


def test_nothing_of_an_empty_table():
    assert of_features(SCHEMA.empty_table()) == {}
