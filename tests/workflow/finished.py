"""Studies that are run once and handed to each test as a copy of its own.

A study is run in a folder that is named by the digest of all that a run reads, behind a lock, so
that workers and later test runs find it. Copies are whole, which takes a fifth of a second: of hard
links Snakemake sets the dates, since activations are links to their store themselves.
"""

import hashlib
import os
import shutil
from collections.abc import Callable, Iterable, Mapping
from functools import cache
from pathlib import Path
from typing import Any

import yaml
from disk import STUDY as DISK
from disk import disk
from filelock import FileLock
from pipeline import PARTS, ROOT, TINY, as_options, checkout, run

from stores import words
from surroundings import CACHE

KEPT = 3
"""Number of states of the sources whose studies are kept."""

SHARDED = (*TINY, "config/shards.yaml")
SHARDS = {"headlines": 3, "generated": 2}
TOGETHER = (*TINY, "config/together.yaml")
RELU = {"source": "train", "recipe": "relu_l1", "expansion": 4, "corpus": "generated"}
PAIR = {
    "saes": {
        "8x": {"together": "a"},
        "4x": RELU | {"settings": {"steps": 40, "whiten": "zca"}, "together": "a"},
    },
    "grid": [{"layers": [1], "positions": ["a"], "saes": ["8x", "4x"]}],
}
"""Two SAEs of a site that are trained together."""
STREAMED = ("--configfile", "config/streamed.yaml")
PLAIN = ("--configfile", "config/plain.yaml")
COMPARED = (*TINY, "config/compared.yaml")
TESTED = (*TINY, "config/tested.yaml")
READOUT = ("--configfile", "config/gender.yaml", "config/readout.yaml")
SMALL = {
    "study": "readout",
    "corpora": {"generated": {"source": {"n": 300}}},
    "saes": {name: {"settings": {"steps": 40}} for name in ("seed0", "frozen")},
    "grid": [{"layers": [1], "positions": ["m"], "saes": ["seed0", "frozen"]}],
    "analyses": {
        "readout": {
            "sites": ["L1N"],
            "ks": [1, 5],
            "draws": 20,
            "probes": {"controls": 4, "orders": 1, "shuffles": 1},
            "units": {"permutations": 100, "draws": 100},
            "localisation": {"choices": 1, "halves": 10},
        },
    },
}
"""Foods and animals of the toy world, read out of its second layer with little of everything."""
FEWER = [
    {"layers": [7, 31], "positions": ["a"], "saes": ["8x", "32x"]},
    {"layers": [15], "positions": ["m", "r"], "saes": ["32x"]},
    {"layers": [15], "positions": ["r"], "saes": ["frozen"]},
]
"""Cells that are trained here: the first layer, one in the middle and the last of them, each
position, each size, and the null."""
ONLY = as_options({"grid": FEWER})
CONTRASTS = {
    "corpora": {
        "random": {
            "role": "control",
            "source": {
                "kind": "random_edits",
                "of": "csv",
                "files": {"all": "resources/toy/headlines.csv"},
                "columns": {"id": "id", "original": "original", "edit": "edit"},
                "split_column": "split",
            },
            "tokens": {"original": False, "context": 0},
        },
    },
    "analyses": {
        "tests": {
            "contrasts": ["k1", "k2", "k3g", "k4", "k5", "k6"],
            "label": "meanGrade",
            "control": "random",
            "permutations": 50,
            "bootstrap": 20,
        },
    },
}
"""Contrasts of the texts of the tiny study."""
OTHERS = {
    "corpora": {
        "unseen": {
            "role": "holdout",
            "source": {
                "kind": "csv",
                "files": {"all": "unseen.csv"},
                "columns": {"id": "id", "original": "original", "edit": "edit"},
                "labels": {"meanGrade": "number"},
            },
            "tokens": {"context": 500},
            "shards": 2,
        },
        "plain": {
            "role": "reference",
            "source": {"kind": "text", "files": {"all": "plain.txt"}},
            "tokens": {"context": "all"},
        },
    }
}
"""A holdout corpus of pairs, in shards, and a reference corpus of plain text."""


def _tiny(folder: Path) -> None:
    """The tiny study with its metrics and its survey."""
    run(checkout(folder), "all", "metrics", "layers")


def _sharded(folder: Path) -> None:
    """The tiny study with its corpora in shards, on one core: neither decides anything."""
    checkout(folder)
    corpora = {name: {"shards": n} for name, n in SHARDS.items()}
    (folder / SHARDED[-1]).write_text(yaml.safe_dump({"corpora": corpora}))
    run(folder, "--cores", "1", study=SHARDED)


def _pair(folder: Path) -> None:
    """Two SAEs of a site, trained together, and nothing else."""
    checkout(folder)
    (folder / TOGETHER[-1]).write_text(yaml.safe_dump(PAIR))
    run(folder, "saes", study=TOGETHER)


def _together(folder: Path) -> None:
    """The cells of this pair, in the tiny study: one of them was there before."""
    copy(finished("tiny"), folder)
    (folder / TOGETHER[-1]).write_text(yaml.safe_dump(PAIR))
    run(folder, study=TOGETHER)


def _compared(folder: Path) -> None:
    """The tiny study as it was, with corpora beside its main one."""
    copy(finished("tiny"), folder)
    others(folder)
    run(folder, study=COMPARED)


def _tested(folder: Path) -> None:
    """The tiny study as it was, with contrasts of its texts."""
    copy(finished("tiny"), folder)
    (folder / TESTED[-1]).write_text(yaml.safe_dump(CONTRASTS))
    run(folder, study=TESTED)


def _readout(folder: Path) -> None:
    """Two classes of words read out of a site with two SAEs and of its neurons."""
    checkout(folder)
    (folder / READOUT[-1]).write_text(yaml.safe_dump(SMALL))
    run(folder, "all_readout", study=READOUT)


def _plain(folder: Path) -> None:
    """A study of texts that are no pairs, with its metrics and its survey."""
    checkout(folder)
    (folder / "plain.txt").write_text("\n".join(dict.fromkeys(words(240, 3, longest=20))))
    study = yaml.safe_load((ROOT / "config/tiny.yaml").read_text())
    texts = {"kind": "text", "files": {"all": "plain.txt"}}
    study["study"] = "plain"
    study["corpora"]["texts"] = {"role": "main", "source": texts, "tokens": {"context": "all"}}
    del study["corpora"]["headlines"]
    study["grid"] = [{"layers": [1], "positions": ["r"], "saes": ["8x"]}]
    study["analyses"] = {"kin": {}, "search": {"words": ["dog"]}}
    (folder / PLAIN[-1]).write_text(yaml.safe_dump(study))
    run(folder, "all", "metrics", "layers", study=PLAIN)


def _streamed(folder: Path) -> None:
    """A study that learns from a store, with its metrics."""
    streamed(folder)
    run(folder, "activations", "metrics", study=STREAMED)


def _disk(folder: Path) -> None:
    """A study whose model, SAEs and texts are files of the user's."""
    run(disk(folder), study=DISK)


def _toy(folder: Path) -> None:
    """Seven cells of the embedded study."""
    run(checkout(folder), *ONLY, study=())


STUDIES: dict[str, Callable[[Path], None]] = {
    "tiny": _tiny,
    "sharded": _sharded,
    "pair": _pair,
    "together": _together,
    "compared": _compared,
    "tested": _tested,
    "readout": _readout,
    "plain": _plain,
    "streamed": _streamed,
    "disk": _disk,
    "toy": _toy,
}


def others(folder: Path) -> None:
    """Write these corpora and the config that names them."""
    head, *rows = (folder / "resources/toy/headlines.csv").read_text().splitlines()
    (folder / "unseen.csv").write_text("\n".join([head, *rows[-200:]]))
    (folder / "plain.txt").write_text("\n".join(dict.fromkeys(words(60, 3, longest=20))))
    (folder / COMPARED[-1]).write_text(yaml.safe_dump(OTHERS))


def streamed(folder: Path, **settings: Any) -> Path:
    """A checkout with texts, and a study whose SAEs learn from a stream of them."""
    checkout(folder)
    (folder / "texts").mkdir()
    for name, n, seed in (("a", 150, 1), ("b", 60, 2)):
        # Each once: a table puts texts that stand twice on one side, a store does not know of them.
        texts = dict.fromkeys(words(n, seed, longest=20))
        (folder / f"texts/{name}.txt").write_text("\n".join(texts))
    write_streamed(folder, **settings)
    return folder


def write_streamed(
    folder: Path,
    layers: Iterable[int] = (1,),
    files: Iterable[str] = ("texts/a.txt",),
    together: str | None = None,
    metrics: Mapping[str, Any] | None = None,
    tables: str | None = None,
    **store: Any,
) -> None:
    """Write the config of that study.

    tables: file of texts of another corpus. store: settings of the store.
    """
    study = yaml.safe_load((ROOT / "config/tiny.yaml").read_text())
    study["study"] = "streamed"
    source = {"kind": "text", "files": {"all": list(files)}}
    store = {"shard_tokens": 200, **store}
    study["corpora"]["generated"] = {"role": "train", "source": source, "store": store}
    if tables:
        study["corpora"]["tables"] = {
            "role": "reference",
            "source": {**source, "files": {"all": tables}},
            "tokens": {"edited": False, "original": False, "context": "all"},
        }
    study["saes"]["8x"]["together"] = together
    study["grid"][0]["layers"] = list(layers)
    study["metrics"] = {"baselines": ["pca", "random"], **(metrics or {})}
    (folder / STREAMED[-1]).write_text(yaml.safe_dump(study))


def finished(name: str) -> Path:
    """The folder of a finished study, made where it is not there. Only to be read."""
    home = CACHE / "studies" / _state()
    home.mkdir(parents=True, exist_ok=True)
    os.utime(home)  # in use
    folder, stamp = home / name / "saegrid", home / f"{name}.done"
    with FileLock(home / f"{name}.lock"):
        if not stamp.is_file():
            _make(name, folder, home / f"{name}.failed")
            stamp.touch()
    return folder


def _make(name: str, folder: Path, failed: Path) -> None:
    """Run a study; in one test run not a second time where it failed."""
    tests = os.environ.get("PYTEST_XDIST_TESTRUNUID") or str(os.getpid())
    if failed.is_file():
        when, _, text = failed.read_text().partition("\n")
        assert when != tests, f"The study {name!r} has failed in this test run already:\n{text}"
    shutil.rmtree(folder, ignore_errors=True)
    _prune(keep=folder.parents[1])
    try:
        STUDIES[name](folder)
    except BaseException as problem:
        failed.write_text(f"{tests}\n{problem}")
        raise


@cache
def _state() -> str:
    """Digest of all that a run reads, and of how the studies are made."""
    paths = [ROOT / "requirements.lock", *Path(__file__).parent.glob("[!t]*.py")]
    paths += [ROOT / f"tests/{name}.py" for name in ("checkpoints", "stores", "toys")]
    for part in PARTS:
        path = ROOT / part
        inner = path.rglob("*") if path.is_dir() else [path]
        paths += [p for p in inner if p.is_file() and p.suffix != ".pyc"]
    known = hashlib.sha256()
    for path in sorted(paths):
        known.update(f"{path.relative_to(ROOT)}\0{path.stat().st_size}\0".encode())
        known.update(path.read_bytes())
    return known.hexdigest()[:16]


def _prune(keep: Path) -> None:
    """Remove the studies of older sources."""
    others = [p for p in keep.parent.iterdir() if p != keep]
    others.sort(key=lambda path: path.stat().st_mtime)
    for old in others[: len(others) + 1 - KEPT]:
        shutil.rmtree(old, ignore_errors=True)


def copy(study: Path, folder: Path) -> Path:
    """A copy of a finished study for a test to change: dates and Snakemake's records are kept."""
    return shutil.copytree(study, folder, ignore=shutil.ignore_patterns("*.tmp"))
