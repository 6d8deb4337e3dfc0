"""The licences in the data sheet: one line each, whatever stands in a config."""

import pytest

from saegrid.command.sharing.sheet import licences


@pytest.mark.parametrize("written", ["CC BY 4.0", "CC BY 4.0.", "CC BY\n4.0"])
def test_a_licence_is_a_sentence_of_its_own(written):
    for lines in (licences({"licence": written}, None), licences({"licence": "CC0"}, written)):
        assert lines[2].startswith("CC BY 4.0. Texts, labels, tokens and windows are ")
    assert licences({}, None)[2].startswith("Not said: name one")


def test_those_of_texts_are_listed_by_corpus():
    corpora = {"a": {"licence": "CC0\n## b"}, "c": {"licence": None}, "d": {}}
    assert licences({"corpora": corpora}, None)[4:] == ["- texts of a: CC0 ## b", ""]
