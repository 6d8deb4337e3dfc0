"""The jobs that a change causes, on copies of a finished tiny grid of two cells."""

import os
import re
import shutil

import pytest
import yaml
from finished import copy, finished
from pipeline import TINY, checkout, edit, jobs_to_run, planned, results, run, snakemake

from asking import jobs_of
from saegrid.capture.sizes import activation_bytes
from saegrid.config import resolve
from saegrid.meaning.names.kept import write_kept
from saegrid.stages.estimate import estimate
from saegrid.stages.plan import Plan
from saegrid.stages.settled import to_do
from saegrid.stages.sizes import Sizes
from saegrid.text.counts import guessed

pytestmark = pytest.mark.workflow

TAIL = {"summary": 1, "plot": 1, "index": 1}
"""Jobs that sum up all cells."""
MAP = {"concept_map": 1, "map": 1}
"""Jobs that follow on the concepts of any cell."""
ENDS = {**TAIL, **MAP}
SHOWN = {"top_tokens": 2, "logit_effects": 2, "page": 2, **TAIL}
ONE_SHOWN = {"top_tokens": 1, "logit_effects": 1, "page": 1, **TAIL}
OF_ONE = {"density": 1, "concepts": 1, **ONE_SHOWN, **MAP}
"""Jobs that follow on the features of a cell."""
CELLS = {"encode": 2, "density": 2, "concepts": 2, **SHOWN, **MAP}
CONFIG = "config/tiny.yaml"


@pytest.fixture(scope="module")
def done():
    return finished("tiny")


@pytest.fixture
def work(done, tmp_path):
    return copy(done, tmp_path / "saegrid")


def cell(folder, name, file):
    return folder / "results/tiny/headlines/cells" / name / file


def add_layer(work):
    edit(work / CONFIG, "layers: [1]", "layers: [1, 2]")


TOUCHED = "times of all sources, as after a git checkout"
CHANGES = {
    "nothing": (lambda work: None, {}),
    "a layer is added": (
        add_layer,
        {"capture": 2, "train_sae": 2, **{k: 2 for k in CELLS if k not in ENDS}, **ENDS},
    ),
    "the filter": (
        lambda work: edit(work / CONFIG, "value: 2.0", "value: 1.8"),
        {"selection": 1, "vocabulary": 1, "concepts": 2, "density": 2, **SHOWN, **MAP},
    ),
    "the density cut": (
        lambda work: edit(work / CONFIG, "concepts:\n", "top_tokens: {cut: 0.001}\nconcepts:\n"),
        SHOWN,
    ),
    "one cell's settings": (
        lambda work: edit(
            work / CONFIG, "concepts:\n", "overrides: {L1R-8x: {top_tokens: {n: 10}}}\nconcepts:\n"
        ),
        {"top_tokens": 1, "logit_effects": 1, "page": 1, **TAIL},
    ),
    "one cell's training": (
        lambda work: edit(
            work / CONFIG,
            "concepts:\n",
            "overrides: {L1R-8x: {train: {settings: {k: 4}}}}\nconcepts:\n",
        ),
        {"train_sae": 1, **dict.fromkeys(CELLS, 1)},
    ),
    "a library function": (
        lambda work: edit(
            work / "src/saegrid/features/density.py",
            "\nimport numpy as np\n",
            "\nimport numpy as np\n\nX = 1\n",
        ),
        {"vocabulary": 1, "concepts": 2, "density": 2, **SHOWN, **MAP},
    ),
    "a statistic of features": (
        lambda work: edit(
            work / "src/saegrid/features/statistics/mean_activation.py",
            "mean activation of the active",
            "mean of the active",
        ),
        {"density": 2, **SHOWN},
    ),
    "the text of a page": (
        lambda work: edit(
            work / "src/saegrid/pages/browser/app.css", "body {", "body { color: black;"
        ),
        {"page": 2, "index": 1, "map": 1},
    ),
    "a comment and a docstring": (
        lambda work: edit(
            work / "src/saegrid/features/density.py",
            "\nimport numpy as np\n",
            "\n# why\nimport numpy as np\n",
        ),
        {},
    ),
    "a script's comment": (
        lambda work: (
            edit(work / "workflow/scripts/density.py", '"""', '"""Well. ')
            if (work / "workflow/scripts/density.py").read_text().count('"""') == 1
            else (work / "workflow/scripts/density.py").write_text(
                (work / "workflow/scripts/density.py").read_text() + "\n# the end\n"
            )
        ),
        {},
    ),
    "resources": (
        lambda work: edit(
            work / "config/tiny.yaml", "study: tiny", "study: tiny\nmemory: {capture: 7000}"
        ),
        {},
    ),
    "the licence": (
        lambda work: edit(work / CONFIG, "study: tiny", "study: tiny\nlicence: CC BY 4.0"),
        {"index": 1},
    ),
    "labels of people": (
        lambda work: write_kept("tiny", work / "results/tiny/headlines", "L1R-8x", {3: "hair"}, {}),
        {"page": 1, "map": 1},
    ),
    "the config's order": (
        lambda work: edit(work / CONFIG, "positions: [a, r]", "positions: [r, a]"),
        {},
    ),
    TOUCHED: (
        lambda work: [os.utime(p) for p in work.rglob("*") if p.suffix in (".py", ".smk", ".yaml")],
        {},
    ),
    "a page is deleted": (
        lambda work: cell(work, "L1R-8x", "features.html").unlink(),
        {"page": 1},
    ),
    "a table in the middle is deleted": (
        lambda work: cell(work, "L1A-8x", "features.parquet").unlink(),
        {"density": 1, **ONE_SHOWN},
    ),
    "sparse features are deleted": (
        lambda work: cell(work, "L1A-8x", "features.safetensors").unlink(),
        {"encode": 1, **OF_ONE},
    ),
    "one site's activations are deleted": (
        lambda work: next(
            (work / "results/tiny/headlines/activations").glob("*/L1R.safetensors")
        ).unlink(),
        {"capture": 1, "encode": 1, **OF_ONE},
    ),
    "a cell is deleted": (
        lambda work: shutil.rmtree(cell(work, "L1A-8x", "x").parent),
        {"encode": 1, **OF_ONE},
    ),
    "the title": (
        lambda work: edit(work / CONFIG, "concepts:\n", "pages: {title: Other}\nconcepts:\n"),
        {"page": 2, "index": 1, "map": 1},
    ),
    "a layer and a cell's settings": (
        lambda work: (
            add_layer(work),
            edit(
                work / CONFIG,
                "concepts:\n",
                "overrides: {L1R-8x: {top_tokens: {n: 9}}}\nconcepts:\n",
            ),
        ),
        # Snakemake compares params only above the first job that has to run: the changed cell is
        # done again from its activations rather than skipped.
        {
            "capture": 2,
            "train_sae": 3,
            **{k: 3 for k in CELLS if k not in ENDS},
            **ENDS,
        },
    ),
    "an SAE's seed": (
        lambda work: edit(work / CONFIG, "corpus: generated, ", "corpus: generated, seed: 1, "),
        {"train_sae": 2, **CELLS},
    ),
    "the text of the training corpus": (
        lambda work: edit(work / CONFIG, "n: 300", "n: 301"),
        {"items": 1, "selection": 1, "tokens": 1, "capture": 1, "train_sae": 2, **CELLS},
    ),
}


@pytest.mark.parametrize("name", CHANGES)
def test_a_change_causes_these_jobs(work, name):
    change, expected = CHANGES[name]
    change(work)
    assert jobs_to_run(work) == expected


SOON = {
    TOUCHED,
    "a layer and a cell's settings",
    "a library function",
    "a table in the middle is deleted",
    "one site's activations are deleted",
}
"""Changes of which Snakemake is asked every time."""
LIKE_OTHERS = {
    "the density cut",
    "a statistic of features",
    "the text of a page",
    "a script's comment",
    "the title",
    "an SAE's seed",
}
"""Changes of a spec alone, as others are: Snakemake is not asked."""


@pytest.mark.parametrize(
    "name",
    [
        pytest.param(name, marks=[] if name in SOON else pytest.mark.slow)
        for name in CHANGES
        if name not in LIKE_OTHERS
    ],
)
def test_snakemake_plans_the_same(work, name):
    change, expected = CHANGES[name]
    change(work)
    assert planned(work) == expected


def test_a_new_cell_and_a_lost_table_leave_all_other_files_alone(work):
    """The table comes back the same; of the new cell's site alone activations are captured."""
    before = results(work)
    grid = "saes: [8x]}\n"
    edit(work / CONFIG, grid, f"{grid}  - {{layers: [2], positions: [a], {grid}")
    cell(work, "L1A-8x", "features.parquet").unlink()
    run(work)
    after = results(work)
    summed = ("tiny/summary.parquet", "tiny/index.html", "tiny/figures/")
    summed += ("tiny/concept_map.", "tiny/kinds_by_cell.parquet", "tiny/map.html")
    changed = [name for name in before if after[name] != before[name]]
    assert all(name.startswith(summed) for name in changed), changed
    assert "tiny/headlines/cells/L2A-8x/features.html" in after
    log = next((work / "logs/tiny/headlines").glob("capture-*.log")).read_text()
    assert "2 of 3 sites are in the store" in log
    assert "capture: 1 sites," in log
    assert planned(work) == {}


def test_a_failed_cell_is_not_shown_with_its_old_result(work):
    """A failure in the middle must leave what depends on it to be done, not stale."""
    edit(
        work / "src/saegrid/features/density.py",
        "\nimport numpy as np\n",
        "\nimport numpy as np\n\nif FAIL := True:\n    raise RuntimeError('on purpose')\n",
    )
    done = snakemake(work, "--cores", "2")
    assert done.returncode == 1
    edit(work / "src/saegrid/features/density.py", "if FAIL := True", "if FAIL := False")
    assert planned(work) == {"vocabulary": 1, "concepts": 2, "density": 2, **SHOWN, **MAP}


def test_a_copied_stale_cell_is_refused(work):
    """Metadata of Snakemake may get lost; a summary reads what the files themselves record."""
    edit(work / CONFIG, "concepts:\n", "top_tokens: {n: 7}\nconcepts:\n")
    shutil.rmtree(work / ".snakemake")
    (work / "results/tiny/summary.parquet").unlink()
    done = snakemake(work, "--cores", "2")
    assert done.returncode == 1
    assert "made with other settings than this run's" in done.stdout + done.stderr


def test_files_without_records_are_put_on_record(work):
    """SLURM's jobs go on where Snakemake is killed; nobody writes down that they have finished."""
    shutil.rmtree(work / ".snakemake/metadata")
    cell(work, "L1R-8x", "features.html").unlink()
    run(work)
    training = "overrides: {L1R-8x: {train: {settings: {k: 4}}}}\nconcepts:\n"
    edit(work / CONFIG, "concepts:\n", training)
    assert planned(work) == {"train_sae": 1, **dict.fromkeys(CELLS, 1)}


def test_files_without_records_that_were_made_with_other_settings_are_refused(work):
    before = results(work)
    shutil.rmtree(work / ".snakemake/metadata")
    training = "overrides: {L1R-8x: {train: {settings: {k: 4}}}}\nconcepts:\n"
    edit(work / CONFIG, "concepts:\n", training)
    # Snakemake sees that all files are there, and not that an SAE is another.
    for options in (("--dry-run",), ("--cores", "1")):
        done = snakemake(work, *options)
        assert done.returncode != 0
        said = done.stdout + done.stderr
        assert "were made with other settings than this run's" in said
    assert "results/tiny/saes/L1R-8x/sae_weights.safetensors" in said
    assert "L1R-8x/features.safetensors" in said
    assert "L1A-8x" not in said.partition("run again:")[2]
    assert results(work) == before
    assert planned(work, "--forceall")["train_sae"] == 2
    # What is asked for alone counts.
    assert planned(work, "corpus") == {}


def test_figures_without_records_are_known_by_their_code(work):
    shutil.rmtree(work / ".snakemake/metadata")
    assert planned(work) == {}
    edit(work / "src/saegrid/pages/figures/edit_lengths.py", "def draw(", "X = 1\n\n\ndef draw(")
    done = snakemake(work, "--dry-run")
    assert done.returncode != 0
    assert "results/tiny/figures/edit_lengths.svg" in done.stderr


def test_numbers_of_earlier_settings_leave_cells_alone(work):
    """A study has metrics, of settings that have changed since, and does not ask for them."""
    more = "metrics: {tokens: 999}\nconcepts:\n"
    edit(work / CONFIG, "concepts:\n", more)
    assert jobs_to_run(work) == planned(work) == {}
    add_layer(work)
    assert jobs_to_run(work) == CHANGES["a layer is added"][1]


def test_a_folder_in_the_place_of_a_result_is_told(work):
    """Nothing is deleted that the system does not let be read."""
    path = cell(work, "L1R-8x", "features.parquet")
    path.unlink()
    path.mkdir()
    done = snakemake(work, "--cores", "1")
    assert done.returncode != 0 and "Traceback" not in done.stderr
    assert "Is a directory" in done.stderr and "L1R-8x/features.parquet" in done.stderr
    assert path.is_dir()


@pytest.mark.slow
def test_a_changed_cell_is_one_cell_on_slurm_too(work):
    change, jobs = CHANGES["one cell's settings"]
    change(work)
    assert planned(work, "--workflow-profile", "slurm") == jobs


@pytest.fixture
def plan(done, monkeypatch):
    """The plan of the finished study."""
    monkeypatch.chdir(done)
    return Plan(resolve(yaml.safe_load((done / CONFIG).read_text())), done / "workflow/scripts")


def test_the_estimate_agrees_with_the_files(done, plan):
    """A run wrote what it was said to write, within 5 % of tensors, 3 of the rest."""
    jobs = jobs_of(plan)
    lines = {line.rule: line for line in estimate(plan, jobs).lines}
    root = done / "results/tiny"

    def written(*patterns):
        return sum(path.stat().st_size for pattern in patterns for path in root.glob(pattern))

    for name in plan.used_corpora():
        captured = activation_bytes(Sizes(plan).text(name).captured, [64, 64], 4)
        assert captured == pytest.approx(written(f"{name}/activations/*/*.safetensors"), rel=0.01)
    assert lines["capture"].write == 0  # all in the store
    for rule, files in {
        "encode": ["*/cells/*/features.safetensors"],
        "train_sae": ["saes/*/*"],
    }.items():
        assert lines[rule].write == pytest.approx(written(*files), rel=0.05), rule
    for rule, files in {
        "items": ["*/items.parquet", "*/corpus.json", "*/set_aside.parquet"],
        "tokens": ["*/tokens.*", "*/spans.parquet"],
        "vocabulary": ["*/occurrences.parquet", "*/vocabulary.*"],
        "density": ["*/cells/*/features.parquet"],
        "concepts": ["*/cells/*/co[mn]*.parquet"],
        "top_tokens": ["*/cells/*/top*s.parquet", "*/cells/*/examples.parquet"],
        "logit_effects": ["*/cells/*/logit_effects.parquet"],
        "page": ["*/cells/*/features.html"],
    }.items():
        assert 1 / 3 < lines[rule].write / written(*files) < 3, rule
    assert to_do(plan.graph, jobs) == []


def test_times_are_those_of_the_run(done, plan):
    """Every job has left its benchmark, in the place where the next estimate looks."""
    run = estimate(plan, jobs_of(plan, "all", "metrics", "layers"))
    assert [line.rule for line in run.lines if line.seconds is None] == []
    assert 0 < run.total.seconds < 600
    assert "on 1 core by earlier jobs" in run.summary()


def test_the_estimate_is_a_target(work):
    """It counts what is to be done, on a finished study nothing; no job runs."""
    cell(work, "L1A-8x", "features.html").unlink()
    said = run(work, "estimate", study=TINY)
    assert re.search(r"^page +1 .* second", said, re.M)
    assert re.search(r"^total +1 ", said, re.M)
    assert re.search(r"results/tiny: needs [\d.]+ KB of disk, .* are free: enough\.", said)
    assert not cell(work, "L1A-8x", "features.html").exists()


def test_a_guess_is_near_the_counts(plan):
    """Before anything is made: within a factor of 2 of what is then there."""
    for name in plan.used_corpora():
        corpus, known = plan.corpora[name], Sizes(plan).text(name)
        chosen = corpus.settings.tokens.model_dump(mode="json")
        guess = guessed(corpus.expanded, corpus.files, corpus.stored(), chosen)
        assert guess.guess and not known.guess
        assert guess.items == known.items
        for field in ("positions", "captured"):
            assert 0.5 < getattr(guess, field) / getattr(known, field) < 2, (name, field)


def test_a_full_disk_is_told_before_anything_runs(done, tmp_path):
    work = checkout(tmp_path / "saegrid")
    edit(
        work / "src/saegrid/stages/estimate.py",
        "return shutil.disk_usage(path).free",
        "return 1_000_000",
    )
    tried = snakemake(work, "--cores", "2")
    assert tried.returncode == 1
    assert "but 1 MB are free. Make room" in tried.stdout + tried.stderr
    assert not list((work / "results").rglob("*.parquet"))
