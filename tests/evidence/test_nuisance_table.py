"""Nuisances of a corpus by item and side: a table by hand."""

import pyarrow as pa

from saegrid.evidence.nuisance_table import read, table


def test_a_text_that_a_row_end_cuts_has_the_tokens_of_all_of_its_lines():
    items = pa.table(
        {"original": ["a b c d", "x y"], "edited": ["a b Hats d", "x y"], "edit": ["Hats", None]}
    )
    lines = [
        # item, side, row, start, stop, edit_start, edit_stop
        (0, "edited", 0, 5, 8, 7, 8),
        (0, "edited", 1, 1, 3, 1, 2),
        (0, "original", 2, 1, 5, 3, 4),
        (1, "plain", 1, 3, 5, 3, 3),
    ]
    names = ("item", "side", "row", "start", "stop", "edit_start", "edit_stop")
    spans = pa.table(dict(zip(names, zip(*lines, strict=True), strict=True)))
    surprisal = pa.table({"item": [0], "side": ["edited"], "mean": [2.5]})
    found, _ = table(items, spans, surprisal, "corpus", items)
    columns = ("side", "word", "n_tokens", "position", "length", "capital", "ending", "surprisal")
    assert [tuple(row[name] for name in columns) for row in found.to_pylist()] == [
        ("edited", "Hats", 2, 2, 5, True, 6, 2.5),
        ("original", "c", 1, 2, 4, False, 0, None),
        ("text", "", 2, 0, 2, False, 0, None),
    ]
    numbers, words = read(found, 2)
    assert numbers["edited"].n_tokens[0] == 2 and words["original"] == ["c", ""]
