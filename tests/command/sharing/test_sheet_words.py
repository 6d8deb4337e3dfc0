"""The data sheet speaks to people who have the tables alone, not the code."""

import re

from saegrid.command.sharing.kinds import kind_of, kinds, notes_of, said_of, short
from saegrid.command.sharing.sheet import contrasts
from saegrid.evidence.contrasts import CONTRASTS

INTO_CODE = re.compile(r"see `|`\w+\.\w+`|`[A-Z]{3,}`|Arguments and errors|: \(\w+,\) |\bS\d\.\d")


def test_no_note_sends_the_reader_into_code():
    sent = {short(kind.pattern): notes_of(kind) for _, kind in kinds()}
    assert len(sent) > 40 and sent["contrasts"]
    assert {name: text for name, text in sent.items() if INTO_CODE.search(text)} == {}


def test_every_contrast_is_said():
    lines = contrasts()
    assert [line.split("`")[1] for line in lines if line.startswith("- ")] == list(CONTRASTS)


def test_columns_of_other_parts_say_their_direction():
    kind = kind_of("discoveries.parquet")
    for part in ("confirm", "test", "new_words"):
        statistic, p = (said_of(f"{name}_{part}", kind) for name in ("statistic", "p_single"))
        assert "positive in the direction of the discovery" in statistic.words
        assert p.unit == "p value" and "one-sided" in p.words and "alone" in p.words
    assert "`confirmation`" in said_of("p_single_confirm", kind).words


def test_words_that_mean_something_else_in_their_table():
    examples = kind_of("evidence_examples.parquet")
    said = {name: said_of(name, examples) for name in ("original", "edited", "label")}
    assert "replaced" in said["original"].words and said["label"].unit == "as the label"
    assert "in their place" in said["edited"].words
    assert said_of("q", kind_of("corpus/cells/L1R-4x/tests.parquet")).unit == "share, 0 to 1"
    assert not notes_of(kind_of("corpus/readout/units/L1R-histograms.parquet"))
