"""A whole verification: a small capture, then the check of every expected number."""

import shutil
import tempfile
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa

from saegrid.base.io import read_table
from saegrid.base.tensors import widen
from saegrid.base.words import Cell, Site
from saegrid.capture import activations
from saegrid.codes.screen import norms_of
from saegrid.metrics.verify import Fact, VerifyError
from saegrid.metrics.verify.decoder import check_decoder
from saegrid.metrics.verify.expected import Expected, read
from saegrid.metrics.verify.golden import check_golden
from saegrid.metrics.verify.norms import check_norms
from saegrid.metrics.verify.text import Text, join, sample, sentence
from saegrid.models import hub
from saegrid.saes.reference import open_sae
from saegrid.text import tokenizer

MEMORY_MB = 6000
"""Megabytes that the capture may hold by default."""
ROOM = ".verify-"
"""Prefix of the folder of the activations."""
OFF = "the config has no verify.expected: nothing was compared with published numbers"


def verify(
    settings: Mapping[str, Any],
    work: str | Path,
    saes: Iterable[str | Path] = (),
    tokens: Sequence[str | Path] = (),
    memory_mb: int = MEMORY_MB,
) -> dict[str, Any]:
    """The facts of verified.json about a study's weights.

    Args:
        settings: `expected` (path of the file; None: nothing is verified), `golden` (cells whose
            sentences are checked), `norms` (sites), `decoder` (cells), `model`, `threads`.
        work: folder for the activations of the few rows; nothing stays in it.
        saes: files of the SAEs, `saes/{cell}/...`.
        tokens: path of the main corpus' tokens, whose rows are sampled if there are sites.
        memory_mb: megabytes that the capture of the few rows may hold.

    Raises:
        VerifyError: some numbers are refused; the message has a line for each.
    """
    if settings["expected"] is None:
        return {"verified": False, "because": OFF, "facts": []}
    expected, facts = read(settings["expected"]), []
    folders = {Path(path).parent.name: Path(path).parent for path in saes}
    for cell in settings["decoder"]:
        print(f"verify: decoder directions of {cell}")
        facts += check_decoder(expected.decoder_top3, cell, open_sae(folders[cell]))
    # The decoder costs little: wrong files are refused before the model is loaded.
    _refuse(facts)
    if settings["golden"] or settings["norms"]:
        measured = _with_model(settings, expected, folders, Path(work), tokens, memory_mb)
        _refuse(measured)
        facts += measured
    return {"verified": True, "facts": [fact.as_json() for fact in facts]}


def _refuse(facts: Sequence[Fact]) -> None:
    for fact in facts:
        print(f"{fact.name}: {fact.value}, expected {fact.expected}, tolerance {fact.tolerance}")
    problems = [fact.problem for fact in facts if fact.problem]
    if problems:
        raise VerifyError(
            f"{len(problems)} of {len(facts)} known numbers do not come out. "
            "These are not the weights that the study is about, or they are not read rightly; "
            "what follows would be wrong without a sign of it. To go on all the same, take the "
            "check out of `verify` in the config.\n  " + "\n  ".join(problems)
        )


def _with_model(
    settings: Mapping[str, Any],
    expected: Expected,
    folders: Mapping[str, Path],
    work: Path,
    tokens: Sequence[str | Path],
    memory_mb: int,
) -> list[Fact]:
    """The facts that need activations: of the golden sentences, and of the norms."""
    model, goldens = settings["model"], [g for g in expected.golden if g.cell in settings["golden"]]
    encoder = tokenizer.load(hub.tokenizer_folder(model), model["bos"])
    texts = [sentence(encoder, golden.text) for golden in goldens]
    sites = [Site.parse(site) for site in settings["norms"]]
    if sites:
        texts.append(sample(read_table(tokens[0]), expected.norms.tokens))
    needed = {*sites, *(Cell.parse(golden.cell).site for golden in goldens)}
    facts: list[Fact] = []
    with _room(work) as folder:
        text = join(texts)
        captured = _capture(model, text, needed, folder, memory_mb)
        row = text.plain().row
        for number, golden in enumerate(goldens):
            x = captured[Cell.parse(golden.cell).site][row == number]
            sae = open_sae(folders[golden.cell])
            opened, threads = bool(encoder.prefix), settings["threads"]
            facts += check_golden(golden, x, sae, opened, threads)
        if sites:
            own = row >= len(goldens)
            norms = {site: norms_of(widen(captured[site][own])) for site in sites}
            plain = Text(*(column[own] for column in text.plain()))
            facts += check_norms(expected.norms, norms, plain)
    return facts


@contextmanager
def _room(work: Path) -> Iterator[Path]:
    """A context with a folder for activations; it is removed on leaving, and those of killed jobs
    with it."""
    for left in work.glob(f"{ROOM}*"):
        shutil.rmtree(left, ignore_errors=True)
    # Some file systems keep a file that is still mapped.
    with tempfile.TemporaryDirectory(prefix=ROOM, dir=work, ignore_cleanup_errors=True) as folder:
        yield Path(folder)


def _capture(
    model: Mapping[str, Any], text: Text, sites: set[Site], folder: Path, memory_mb: int
) -> dict[Site, np.ndarray]:
    """The activations (token, d_model) of tokens that are not special, by site, as views of
    files."""
    from saegrid.capture.corpus import capture_corpus

    choice = {"edited": False, "original": False, "context": "all", "seed": 0}
    paths = {site: folder / f"{site}.safetensors" for site in sorted(sites)}
    tables, store = (text.table(), pa.table({})), folder / "store"
    capture_corpus(model, *tables, choice, paths.values(), store, memory_mb=memory_mb)
    return {site: activations.read(path)[0] for site, path in paths.items()}
