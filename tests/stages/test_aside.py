"""The line about rows set aside, at the end of a run."""

from asking import config, files, plan_of, spec
from saegrid.base import io
from saegrid.stages import aside
from saegrid.stages.stage import At

PLACE = At("headlines")


def finish(plan, counts, place=PLACE):
    """Write the facts of a corpus of which rows are set aside."""
    facts = {"set_aside": counts, "rows": {"train": {"read": 800}, "test": {"read": 400}}}
    (path,) = files(plan, "items.facts", place)
    io.write_json(path, facts, spec(plan, "items", place))


def test_a_corpus_of_which_rows_were_set_aside_has_a_line(beside_repository):
    plan = plan_of(config())
    assert list(aside.lines(plan)) == []  # nothing is finished
    finish(plan, {})
    assert list(aside.lines(plan)) == []
    finish(plan, {"no marker": 2, "repeated id": 1_000})
    (path,) = files(plan, "items.set_aside", PLACE)
    assert list(aside.lines(plan)) == [
        "headlines: 1,002 of 1,200 rows were set aside (no marker 2, repeated id 1,000), see "
        + path
    ]


def test_a_stream_has_a_line_too(tmp_path, beside_repository):
    study = config()
    (tmp_path / "a.jsonl").write_text('{"text": "a"}\n')
    source = {"kind": "jsonl", "files": str(tmp_path / "a.jsonl")}
    study["corpora"]["generated"] = {"role": "train", "source": source, "store": {}}
    plan = plan_of(study)
    place = At("generated", site=str(plan.sites[0]))
    facts = {
        "texts": 50,
        "set_aside": [{"no text": {"n": 1, "first": 3}}, {"no text": {"n": 2, "first": 30}}],
    }
    for path in files(plan, "fill_store.facts", place):
        io.write_json(path, facts, spec(plan, "fill_store", place))
    (line,) = aside.lines(plan)
    assert line.startswith("generated: 3 of 50 rows were set aside (no text 3), see results/tiny/")
    assert line.endswith("manifest.json")
