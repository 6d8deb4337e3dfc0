"""A study of texts that are no pairs: no page, figure or tooltip speaks of edits or headlines."""

import re
import sys
from pathlib import Path

import pytest

sys.path.append(str(Path(__file__).parents[1] / "workflow"))
from finished import finished

pytestmark = [pytest.mark.browser, pytest.mark.workflow]

OF_PAIRS = re.compile(r".{0,40}\b(edit|edits|edited|headlines?|masked|originals?)\b.{0,40}", re.I)
"""Words that only pairs of texts have a use for, with what stands around them."""
EVERYTHING = """() => {
  const said = [document.title, document.body.innerText];
  document.querySelectorAll("dialog, details").forEach((one) => said.push(one.textContent));
  document.querySelectorAll("option, svg title").forEach((one) => said.push(one.textContent));
  for (const name of ["title", "aria-label", "alt", "placeholder"]) {
    document.querySelectorAll(`[${name}]`).forEach((one) => said.push(one.getAttribute(name)));
  }
  return said.join("\\n");
}"""
"""All that a page says: visible, unfolded, and where the pointer rests."""


@pytest.fixture(scope="module")
def results():
    return finished("plain") / "results/plain"


def found(text):
    return sorted({match[0].strip() for match in OF_PAIRS.finditer(text)})


def test_the_words_are_those_that_pages_of_pairs_use():
    assert found("density in the edit\nof 937 masked tokens") and not found("the edition of 1900")


def test_no_page_speaks_of_pairs(visit, results):
    pages = sorted(results.rglob("*.html"))
    assert {
        "index.html",
        "features.html",
        "map.html",
        "health.html",
        "survey.html",
        "search.html",
    } == {page.name for page in pages}
    said = {page.name: visit(page).evaluate(EVERYTHING) for page in pages}
    assert all(len(text) > 500 for text in said.values())
    assert {name: found(text) for name, text in said.items() if found(text)} == {}


def test_no_figure_speaks_of_pairs_or_is_empty(results):
    figures = sorted((results / "figures").glob("*.svg"))
    assert len(figures) >= 10 and not (results / "figures/edit_lengths.svg").exists()
    for path in figures:
        svg = re.sub(r"<!--.*?-->|<style.*?</style>", "", path.read_text(), flags=re.S)
        assert not found(re.sub(r"<[^>]*>", "\n", svg)), path.name
        assert len(re.findall(r"<(path|use|image)\b", svg)) > 10, f"{path.name} is empty"
