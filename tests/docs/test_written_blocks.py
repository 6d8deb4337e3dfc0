"""Blocks of documents: types and defaults in words, messages of the check, all registries."""

import ast
from typing import Annotated, Any, Literal

import pytest
import yaml
from pydantic import Field

from documents import ROOT
from saegrid.base.registry import pick
from saegrid.base.section import Seed, Strict
from saegrid.base.words import Cell, Site
from saegrid.config.checkpoints import fill_in
from saegrid.config.models import CheckpointSae
from saegrid.saes.formats import FORMATS
from saegrid.stages.written import BLOCK, block
from saegrid.stages.written.keys import keys, kind, sections
from saegrid.stages.written.refusals import GOOD, WRONG, merged, messages
from saegrid.stages.written.tables import REGISTRIES, escaped, examples, opening, table

ELSEWHERE = {
    *("FAMILIES", "FORMATS", "RECIPES", "STAGES", "ANALYSES", "BLOCKS"),  # tables of their own
    *("HEALTH_FIGURES", "SURVEY_FIGURES", "SECTIONS"),  # parts of pages, which no config names
    *("COMMANDS", "GROUPS"),  # `saegrid --help` lists them
}


@pytest.mark.parametrize(
    ("annotation", "words"),
    [
        (int, "whole number"),
        (bool, "true or false"),
        (Annotated[int, Field(ge=1, le=2000)], "whole number from 1 to 2,000"),
        (Annotated[float, Field(gt=0, lt=1)] | None, "number above 0 below 1"),
        (Seed, "whole number from 0 below 4,294,967,296"),
        (Literal["a", 1, True], "`a`, `1`, `true`"),
        (list[str] | str, "list of text or text"),
        (dict[str, list[Any]], "names, each with list of any value"),
        (Strict | None, "section"),
    ],
)
def test_types_in_words(annotation, words):
    assert kind(annotation) == words


def test_each_key_has_its_type_default_and_unit():
    text = keys()
    assert "\n## `memory`\n" in text
    assert "| `capture` | whole number from 1 to 100,000,000 (MB) | `6000` | Megabytes of" in text
    assert "| `study` | text | required | Name; results go to results/{study}. |" in text
    assert "## `saes.NAME` with `source: checkpoint`" in text
    assert "## `analyses.tests`" in text
    fields = [(path, name) for path, model in sections() for name in model.model_fields]
    assert len(fields) == len(set(fields)) + sum(path == "saes.NAME" for path, _ in fields) - len(
        {name for path, name in fields if path == "saes.NAME"}
    ), "each section once, but for the kinds of SAEs"
    assert text.count("\n| `") == len(fields)


def test_a_config_without_mistakes_and_one_message_for_each_mistake():
    good = yaml.safe_load(GOOD)
    assert messages(good) == []
    for part, _ in WRONG:
        assert len(messages(merged(good, yaml.safe_load(part)))) == 1, part
    below = {"a": {"b": 1, "c": 2}, "d": [1]}
    assert merged(below, {"a": {"b": 3, "c": None}, "d": [2]}) == {"a": {"b": 3}, "d": [2]}
    assert below == {"a": {"b": 1, "c": 2}, "d": [1]}


def test_cells_of_tables_hold_no_markup():
    assert escaped("a | <b>\n c") == "a \\| &lt;b> c"
    assert table(("x", "y"), [(1, 2)]) == "| x | y |\n| --- | --- |\n| 1 | 2 |\n"
    assert opening("saegrid.stages.written.tables:table").startswith("Tables of stages")


def test_an_unknown_block_is_refused():
    with pytest.raises(ValueError, match="No block is named 'keis'"):
        block("keis")
    found = BLOCK.search("x\n<!-- keys -->\nold\n<!-- end -->\n")
    assert found[2] == "keys" and found[3] == "<!-- end -->"


@pytest.mark.parametrize("name", FORMATS)
def test_every_format_has_an_example_that_a_config_takes(name):
    """Its keys are those of a checkpoint, the parts in braces are filled in for a layer, and each
    layer has a place of its own where the format has one for each."""
    entry = pick(FORMATS, name, "format")
    assert entry.releases and "|" not in entry.releases + entry.example
    settings = {"source": "checkpoint", "format": name, **yaml.safe_load(entry.example)}
    sae = CheckpointSae.model_validate(settings)
    assert sae.repo and len(sae.repo.split("/")) == 2
    places = {
        tuple(
            fill_in(part, Cell(Site(layer, "R"), "x"))
            for part in (sae.repo, sae.folder or "", sae.file or "")
        )
        for layer in (3, 4)
    }
    assert len(places) == 2 and not any("{" in part for place in places for part in place)
    assert f"| `{name}` | {entry.releases} | `{entry.example}` |\n" in examples()


def test_every_registry_has_its_table():
    """Dictionaries of a package's __init__ whose values are all places of code."""
    known = {place.partition(":")[2] for _, place, _ in REGISTRIES} | ELSEWHERE
    names = set()
    for path in (ROOT / "src/saegrid").rglob("__init__.py"):
        for node in ast.parse(path.read_text()).body:
            target = node.targets[0] if isinstance(node, ast.Assign) else getattr(node, "target", 0)
            value = getattr(node, "value", None)
            if isinstance(target, ast.Name) and isinstance(value, ast.Dict) and value.values:
                texts = [getattr(one, "value", "") for one in value.values]
                if all(isinstance(one, str) and one.startswith("saegrid.") for one in texts):
                    names.add(target.id)
    assert len(names) > 20 and names <= known
