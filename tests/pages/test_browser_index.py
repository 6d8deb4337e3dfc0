import re
import sys
from pathlib import Path

import pyarrow as pa
import pytest

from saegrid.pages.browser.index import index
from saegrid.pages.browser.render import formed

sys.path.append(str(Path(__file__).parents[1] / "browser"))
import pageworld
from reading import Document


def grid(**changes):
    made = {
        "study_facts": pageworld.STUDY,
        "cells": pageworld.cells(),
        "corpora": pageworld.CORPORA,
        "figures": [("figures/density.svg", "Densities")],
    }
    return index(**{**made, **changes})


def test_index_links_every_cell():
    document = Document(grid())
    cells = pageworld.cells()["cell"].to_pylist()
    links = [link for link in document.links if link.endswith("features.html")]
    assert sorted(links) == sorted(2 * [f"up/cells/{cell}/features.html" for cell in cells])
    # Layers downwards; 8x before 32x, then positions.
    first = [link.split("/")[2] for link in links[: len(cells)]]
    assert first[:7] == ["L8A-8x", "L8M-8x", "L8R-8x", "L8A-32x", "L8M-32x", "L8R-32x", "L15A-8x"]
    assert document.images == ["figures/density.svg"]
    assert document.metas["saegrid-spec"] == pageworld.SPEC


def test_index_facts():
    text = Document(grid()).text
    for fact in ("630 of 9,652 (6.53\u00a0%)", "322 of 9,652 (3.34\u00a0%)", "937", "mean 15.84",
                 "0.030\u00a0%", "8.870\u00a0%", "≥ 0.1\u00a0%", "kids, <b>sex</b>", "50.2",
                 "420"):  # fmt: skip
        assert fact in text
    assert re.search(r"rows set aside\s*17\b", text)
    assert grid() == grid()


@pytest.mark.parametrize(
    ("value", "form", "text"),
    [(-0.0291, "{:.2g}", "−0.029"), (-0.0001, "{:.3f}", "0.000"), (0.024, "{:.1%}", "2.4\u00a0%"),
     (-0.024, "{:.1%}", "−2.4\u00a0%"), (-0.0001, "{:.0%}", "0\u00a0%"), (1234, "{:,}", "1,234"),
     (-2.91e-5, "{:.2g}", "−2.9\u00a0×\u00a010⁻⁵"), (1.0, "{:.1e}", "1.0"),
     (3.2e12, "{:.1e}", "3.2\u00a0×\u00a010¹²")],
)  # fmt: skip
def test_numbers_of_tables(value, form, text):
    assert formed(value, form) == text


def test_columns_say_what_they_are_without_a_pointer():
    page = grid()
    said = re.findall(r'<details class="columns">.*?</details>', page)
    (own,) = said
    assert "<dt>L0</dt><dd>mean number of active features per captured token</dd>" in own
    titles = re.findall(r'<th scope="col"[^>]* title="([^"]*)"><button>', page)
    plain = re.sub("</?code>", "`", own)
    assert len(titles) == own.count("<dt>") and all(f"<dd>{one}</dd>" in plain for one in titles)


def test_licences_stand_in_one_line_where_they_are_known():
    assert 'id="licence"' not in grid()
    facts = pageworld.STUDY | {"licence": "CC BY 4.0", "licences": {"up": "CC0\n<b>"}}
    text = Document(grid(study_facts=facts)).text
    assert "Licences: results CC BY 4.0; texts of up CC0 <b>." in text
    assert (
        "Licences: texts of up CC0 <b>."
        in Document(grid(study_facts=pageworld.STUDY | {"licences": {"up": "CC0 <b>"}})).text
    )


def test_concepts_are_named_in_words():
    few = pageworld.cells().slice(0, 1).drop_columns(["concepts"])
    named = few.append_column("concepts", pa.array([["noun.artifact", "kids"]]))
    text = Document(grid(cells=named)).text
    assert "artifact (noun), kids" in " ".join(text.split()) and "noun.artifact" not in text


def test_index_of_several_corpora():
    cells = pageworld.cells()
    both = pa.concat_tables(
        cells.append_column("corpus", pa.array([name] * len(cells))) for name in ("up", "down")
    )
    document = Document(grid(cells=both))
    assert "down/cells/L8A-8x/features.html" in document.links
    assert "Grid: down" in document.text


def test_index_refuses_a_figure_elsewhere():
    with pytest.raises(ValueError) as error:
        grid(figures=[("../x.svg", "x")])
    assert str(error.value) == "A figure must lie in the study's folder; got '../x.svg'."
    with pytest.raises(ValueError) as error:
        grid(cells=pageworld.cells().drop_columns(["sae"]))
    assert str(error.value) == (
        "The table of cells must hold cell, layer, position, sae; sae missing. Add what is missing "
        "where the facts are made."
    )


def compared(*corpora):
    """The cells on several corpora, the rows of a cell together."""
    rows = [
        {"corpus": name, "role": role, **row, "n_active": row["n_active"] * n}
        for row in pageworld.cells().slice(0, 2).to_pylist()
        for n, (name, role) in enumerate(corpora, 1)
    ]
    return pa.Table.from_pylist(rows)


def test_index_shows_a_cell_on_every_corpus():
    """Each number beside the name of its corpus; a page is the main corpus' own."""
    names = [("up", "main"), ("down", "holdout"), ("<i>", "reference")]
    text = grid(compared=compared(*names))
    section = text.partition('<section id="corpora">')[2].partition("</section>")[0]
    rows = re.findall(r"<tr.*?</tr>", section, re.S)[1:]
    assert len(rows) == 6
    for place, row in enumerate(rows):
        name, role = names[place % 3]
        assert Document(row).text.split()[1:3] == [name, role]
        assert f">{1264 * (place % 3 + 1):,}<" in row
        assert ("features.html" in row) == (name == "up")
        assert ('class="opens"' in row) == (name == "up")
    assert "<i>" not in section
    assert '<section id="corpora">' not in grid()


PLAIN = {"name": "plain", "role": "reference", "total": 30, "has_edits": False, "filters": []}


@pytest.mark.parametrize(
    ("corpora", "masked"),
    [
        (pageworld.CORPORA, "tokens in the edit"),
        ([*pageworld.CORPORA, PLAIN], "tokens in the edit"),
        ([PLAIN | {"name": "up"}], None),
    ],
)
def test_index_of_plain_text_does_not_speak_of_edits(corpora, masked):
    """The main corpus decides what its own table says."""
    text = grid(corpora=corpora)
    cells = text.partition('id="cells"')[2].partition("</table>")[0]
    titles = dict(re.findall(r'title="([^"]*)"><button>([^<]*)</button>', cells))
    words = {heading: title for title, heading in titles.items()}
    assert words.get("tokens in edits") == masked
    if masked is None:
        assert not re.search(r"\b(edits?|masked|replaced|headlines?)\b", Document(text).text)
        assert not re.search(r'title="[^"]*\b(edit|masked)\b', text)


def test_index_of_both_kinds_says_what_counts_in_each():
    names = [("up", "main"), ("plain", "reference")]
    text = grid(corpora=[*pageworld.CORPORA, PLAIN], compared=compared(*names))
    section = text.partition('<section id="corpora">')[2]
    assert 'title="tokens in the edit; of plain text all that densities count"' in section


def test_index_opens_the_pages_of_analyses():
    document = Document(grid(pages=[["Steering", "steering.html"], ["A <b>", "a b.html"]]))
    assert {"steering.html", "a%20b.html"} <= set(document.links)
    assert "Steering · A <b>" in document.text
    assert "steering.html" not in Document(grid()).links
