"""The terminal of a study that is refused: sentences, no traceback, and no job."""

import re

import pytest
import yaml
from finished import copy, finished
from pipeline import checkout, results, snakemake

from mistaken import late

pytestmark = pytest.mark.workflow

LATE = {
    "layer_huge": "grid",
    "k_null": "saes.8x",
    "files_devzero": "corpora",
    "model_tokenizer_missing": "model",
    "metrics_ranks_huge": "metrics",
    "filter_col_text": "corpora.headlines",
}
"""Configs that were once refused in the middle of a run, with the key that the sentence names."""
MISSING = (
    "--config",
    "model={path: nowhere}",
    "corpora={learning: {source: {files: {all: nowhere.txt}}}}",
)
RAISES = "def settings(plan, at):\n    raise RuntimeError('on purpose')\n\n\n"


def refused(folder, *arguments, study):
    """The lines that Snakemake printed, its profile left out; it must have failed."""
    done = snakemake(folder, "--cores", "1", *arguments, study=study)
    text = done.stdout + done.stderr
    assert done.returncode != 0, text
    assert "Traceback" not in text
    assert "Exception" not in text
    return [line for line in text.splitlines() if not line.startswith("Using workflow")]


@pytest.fixture(scope="module")
def clean(tmp_path_factory):
    return checkout(tmp_path_factory.mktemp("refused") / "saegrid")


@pytest.mark.parametrize("name", LATE)
def test_a_config_with_a_mistake_is_refused_in_one_sentence(clean, failing, name, tmp_path):
    path = tmp_path / f"{name}.yaml"
    path.write_text(yaml.safe_dump(late(failing / "config" / path.name), sort_keys=False))
    lines = refused(clean, study=("--configfile", str(path)))
    assert len(lines) == 1
    assert lines[0].startswith(LATE[name])
    assert not (clean / "results").exists()


def test_all_mistakes_are_told_at_once(clean):
    broken = ("--config", "model={path: nowhere}", "saes={8x: {settings: {k: 0}}}")
    text = "\n".join(refused(clean, *broken, study=("--configfile", "config/tiny.yaml")))
    assert "The config has 2 mistakes:" in text
    assert "model.path" in text and "saes.8x" in text


def test_a_mistake_in_what_targets_follow_from_hides_no_other(clean):
    """The trainings together follow from the model, which is missing here."""
    text = "\n".join(refused(clean, *MISSING, study=("--configfile", "config/recipes.yaml")))
    assert "model.path" in text and "corpora.learning" in text


def test_a_corpus_can_be_made_without_the_model_of_its_study(clean):
    tokenizer = "model={path: nowhere, tokenizer: resources/toy/model}"
    source = "{source: {files: {all: resources/toy/topics.yaml}}}"
    corpora = f"corpora={{learning: {source}, stories: {source}}}"
    more = ("corpus", "--dry-run", "--config", tokenizer, corpora)
    done = snakemake(clean, *more, study=("--configfile", "config/recipes.yaml"))
    assert done.returncode == 0, done.stderr


@pytest.mark.parametrize(
    ("stage", "n"), [("density", 2), ("index", 1), pytest.param("items", 2, marks=pytest.mark.slow)]
)
def test_a_function_of_a_stage_that_raises_is_told_on_a_finished_study(tmp_path, stage, n):
    """Snakemake would drop its jobs in silence, since their files exist."""
    work = copy(finished("tiny"), tmp_path / "saegrid")
    path = work / f"src/saegrid/stages/{stage}.py"
    text = path.read_text()
    head, name, tail = text.partition(f"\n{stage.upper()} = Stage(")
    tail = re.sub(r"\n    settings=.*,\n", "\n", tail, count=1).rstrip()
    path.write_text(f"{head}\n{RAISES}{name.lstrip()}{tail[:-1]}    settings=settings,\n)\n")
    before = results(work)
    lines = refused(work, study=("--configfile", "config/tiny.yaml"))
    told = [line for line in lines if "on purpose" in line]
    assert len(told) == n
    assert all(f"stage {stage}" in line and "RuntimeError: on purpose" in line for line in told)
    assert results(work) == before
