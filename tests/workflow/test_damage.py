"""Results that were damaged: the next run names each, makes it again, and ends in the bytes that
were there before."""

import random
import re
from pathlib import Path

import pytest
from finished import STREAMED, TOGETHER, copy, finished
from pipeline import TINY, config_of, planned, results, run
from planning import inside

from saegrid.config import resolve
from saegrid.stages.plan import Plan
from saegrid.stages.settled import damaged
from saegrid.stages.targets import ends

pytestmark = pytest.mark.workflow

STUDIES = {
    "tiny": (TINY, ("all", "metrics", "layers")),
    "pair": (TOGETHER, ("saes",)),
    "streamed": (STREAMED, ("activations", "metrics")),
}


def garbage(raw: bytes) -> bytes:
    return random.Random(0).randbytes(len(raw))


def cut(raw: bytes) -> bytes:
    return raw[: len(raw) // 2]


def empty(raw: bytes) -> bytes:
    return b""


def kinds(folder: Path) -> dict[str, Path]:
    """One file of each kind of a finished study, by its path without places."""
    files: dict[str, Path] = {}
    for path in sorted((folder / "results").rglob("*")):
        if path.is_file() and path.name not in ("config.json", ".lock", ".digests.jsonl"):
            name = str(path.relative_to(folder / "results"))
            name = re.sub(r"headlines|generated", "CORPUS", name)
            name = re.sub(r"L1[AR](-8x)?", r"PLACE\1", name)
            name = re.sub(r"[0-9a-f]{12}|\d{5}", "ID", name)
            files.setdefault(name, path)
    return files


WAYS = (garbage, cut, empty)


@pytest.mark.slow
@pytest.mark.parametrize(
    ("name", "turn", "targets"),
    [
        *(
            (name, turn, STUDIES[name][1])
            for name, turn in (("tiny", 0), ("streamed", 0), ("pair", 1))
        ),
        *(("tiny", turn, ("activations", "saes")) for turn in (1, 2)),
    ],
)
def test_damaged_files_are_named_and_made_again(tmp_path, name, turn, targets):
    """Each kind in one of the ways; in each of them what a job goes on from, and what is no result.
    That each way is seen of all others is told below."""
    study, _ = STUDIES[name]
    work = copy(finished(name), tmp_path / "saegrid")
    before = results(work)
    with inside(work):
        graph = Plan(resolve(config_of(study))).graph
        made = {path for job in graph.jobs(ends(graph, targets)) for path in graph.outputs(*job)}
    found = kinds(work).values()
    files = [p for p in found if "store" in p.parts or str(p.relative_to(work)) in made]
    assert files and (len(files) == len(found) or targets != STUDIES[name][1])
    # The estimate takes its times from the tables of earlier jobs.
    others = [*work.glob("logs/**/*.tsv"), *work.glob("results/*/config.json")]
    for number, path in enumerate([*files, *others, work / "results/.digests.jsonl"]):
        path.write_bytes(WAYS[(number + turn) % 3](path.read_bytes()))
    text = run(work, *targets, study=study)
    after = results(work)
    for content in (before, after):  # a manifest says when it was written
        for path in content:
            if path.endswith("manifest.json"):
                content[path] = re.sub(rb'"last_updated": "[^"]*"', b"", content[path])
    assert {path for path in before if after.get(path) != before[path]} == set()
    assert after.keys() == before.keys()
    names = [str(path.relative_to(work)) for path in files if "store" not in path.parts]
    assert [name for name in names if f"{name}: " not in text] == []
    assert planned(work, *targets, study=study) == {}


@pytest.mark.parametrize("damage", WAYS, ids=lambda damage: damage.__name__)
@pytest.mark.parametrize("name", STUDIES)
def test_each_damaged_file_alone_is_found(tmp_path, name, damage):
    work, (study, targets) = copy(finished(name), tmp_path / "saegrid"), STUDIES[name]
    with inside(work):
        plan = Plan(resolve(config_of(study)))
        jobs = plan.graph.jobs(ends(plan.graph, targets))
        for path in kinds(work).values():
            raw, file = path.read_bytes(), str(path.relative_to(work))
            path.write_bytes(damage(raw))
            # Stores of links hold results, which are the ones that are looked at.
            of_saes = "saes" in path.parts and path.parent.name != "store"
            linked = "activations" in path.parts or of_saes
            expected = set() if "store" in path.parts and linked else {file}
            assert expected <= set(damaged(plan.graph, jobs)), file
            assert bool(expected) == bool(damaged(plan.graph, jobs)), file
            path.write_bytes(raw)
