"""The report on what a model writes: its numbers are its tables', its words are no markup."""

import sys
from pathlib import Path

import pyarrow as pa

from reporting import FACTS, page_of, report

sys.path.append(str(Path(__file__).parents[1] / "browser"))
from reading import Document


def words(page):
    return " ".join(Document(page).text.split())


def test_the_page_says_what_the_tables_do():
    page = page_of()
    text = words(page)
    for sentence in (
        "In L1R-8x, 1 of 2 features that a rule drew are about something with a name; held high, 1 "
        "of 1 make their own tokens likelier than a control does.",
        "The prompts have 60 words, 20.0 on average.",
        "1.50 tokens a word; it does not know 12 % of these tokens.",
        "Where it draws a special token, which it did 3 times, it goes on with another text (¶)",
        "<b> ¶ pie",
        "It gives L1R, mean cosine 0.25.",
        "Were an SAE trained at every layer, the rule would take L2R (0.12).",
        "from 1,000 tokens in 100 steps. At the end it leaves 25 % of the variance unexplained on "
        "tokens that it learns from, and 30 % on texts that were held out.",
        "Of 80 codes, one for each feature and token, 77 are exactly zero: 96 %.",
        "32 of one token, 320 of all",
        "A concept: food <x>",
        "Not interpretable",
        "1 of 2 drawn features have no interpretation here (#3)",
        "Of all 2 features of the cell that could be judged, by kind: 1 of a concept and 1 of one",
        "#5 +1.50 ± 0.25.",
        "held high+1.50 ± 0.25+2.00+0.500.103.000.50",
        "over all positions of 11 texts that the model wrote",
    ):
        assert sentence in text, sentence
    assert page == page_of(), "the same tables give the same bytes"
    assert Document(page).metas["saegrid-spec"] == FACTS["spec"]


def test_every_number_of_a_sentence_names_its_table():
    page = page_of()
    titles = page.split('class="num" title="')[1:]
    assert len(titles) > 25
    known = ("hooks/", "saes/", "concepts.parquet")
    assert all(title.startswith(known) for title in titles)


def test_names_and_texts_are_no_markup():
    page = page_of()
    for hostile in ("<b> pie", "food <x>", " <i>", "F<>ood", "st<udy"):
        assert hostile not in page.replace('{"a": "<b>"}', ""), hostile
    assert "<mark>pie</mark> <mark>pie</mark>" in page
    assert '<span class="same">a</span>' in page, "grey until the text parts"
    assert "control held high" in page and "unshown" not in page


def test_the_prompt_is_grey_and_the_strongest_token_marked():
    page = page_of()
    assert '<span class="prompt" title="not captured">The</span>' in page
    assert ' <span class="peak" title="z = 2">pie' in page, "the blank has no colour"


def test_what_is_missing_is_said():
    text = words(page_of(histories={}))
    assert "The SAE was trained elsewhere, so that there is no loss curve." in text
    nothing = report()
    empty = {name: getattr(nothing, name).slice(0, 0) for name in ("clamps", "clamped_texts")}
    text = words(page_of(**empty))
    assert "No feature was clamped" in text and "held high, " not in text
    none = report().concepts.slice(0, 0)
    text = words(page_of(concepts=none))
    assert "In L1R-8x, 0 of 2 features" in text and "2 on too few words to be judged" in text


def test_there_is_room_for_clusters():
    assert '<section id="clusters" class="reserved"></section>' in page_of()


def test_a_layer_outside_the_middle_is_told():
    choice = report().choice
    middle = pa.array([False] * choice.num_rows)
    outside = choice.set_column(choice.column_names.index("middle"), "middle", middle)
    assert "No layer of the middle has an SAE" in words(page_of(choice=outside))
