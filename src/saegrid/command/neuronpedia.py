"""saegrid neuronpedia: features of a finished study in the JSON shape of Neuronpedia's dashboards.

A folder a cell: batch-0.json and so on with 128 features each, explanations.jsonl with names and
labels, and about.json, which says what each field is here and what is left empty.
"""

import argparse
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from saegrid.base import io
from saegrid.base.errors import CheckpointError, ConfigError, size
from saegrid.base.job import spare_pandas
from saegrid.base.words import Cell
from saegrid.command.named import add_study
from saegrid.command.saying import refuse

if TYPE_CHECKING:
    from saegrid.command.sharing.neuronpedia import Known, Source
    from saegrid.study import CellView, Study

BYTES = 22
"""Bytes of a token of an example in a file, about: its text and its value."""


def parser() -> argparse.ArgumentParser:
    """The arguments of the command."""
    out = argparse.ArgumentParser(
        prog="saegrid neuronpedia",
        description="Features of a finished study in the JSON shape of Neuronpedia's dashboards.",
        epilog="example: saegrid neuronpedia --study toy --cells L15R-32x --out neuronpedia",
    )
    add = out.add_argument
    add_study(out)
    add("--cells", nargs="+", metavar="CELL", help="cells such as L15R-32x (default: all)")
    add("--features", nargs="+", type=int, metavar="N", help="ids (default: all that are active)")
    add("--out", required=True, metavar="FOLDER", help="folder to write, one folder a cell in it")
    add("--whole", action="store_true", help="show whole texts; tokens that were not captured, "
        "whose activations nobody knows, then stand with 0")  # fmt: skip
    add(
        "--seed", type=int, default=0, help="seed of the tokens shown of each interval (default: 0)"
    )
    return out


def main(arguments: Sequence[str]) -> int:
    """Run the command; its exit status. A mistake is one sentence."""
    options = parser().parse_args(list(arguments))
    spare_pandas()
    from saegrid.study import NotThere, open

    try:
        study = open(options.study, options.results, options.corpus)
        names = options.cells or study.cells.index.tolist()
        views = [study.cell(name) for name in names]  # all are there before the first is written
        for view in views:
            _write(study, view, options)
    except (NotThere, CheckpointError, ConfigError, OSError) as mistake:
        return refuse("neuronpedia", mistake)
    return 0


def _write(study: "Study", view: "CellView", options: argparse.Namespace) -> None:
    """Write the folder of a cell."""
    from saegrid.command.sharing.neuronpedia import BATCH, EACH, INTERVALS, TOP, batches

    chosen = options.features or view.features.index.tolist()
    for feature in chosen:
        view.feature(feature)
    source = source_of(study, view)
    known = known_of(study, view, chosen, options.seed, options.whole)
    row = known.texts.corpus.row[known.features.token]
    length = len(row) / max(len(np.unique(row)), 1)
    n = np.minimum(np.diff(known.features.indptr)[chosen], TOP + INTERVALS * EACH)
    about = int(n.sum() * length * BYTES + 2500 * len(chosen))
    folder = Path(options.out) / view.name
    print(f"{folder}: {len(chosen):,} features as {source.model}/{source.source}, about "
          f"{size(about)}", flush=True)  # fmt: skip
    files = []
    for number, body in enumerate(batches(known, source, chosen)):
        path = folder / f"batch-{number}.json"
        io.write_text(path, io.canonical_in_order(body))
        files.append(path.name)
    lines = [io.canonical(one) for one in explanations(view, source, set(chosen))]
    io.write_text(folder / "explanations.jsonl", "".join(f"{line}\n" for line in lines))
    io.write_json(folder / "about.json", facts(study, view, source, options, files, len(lines)))
    written = sum(path.stat().st_size for path in folder.iterdir())
    print(f"  {len(files)} files of up to {BATCH} features, {len(lines)} explanations, "
          f"{size(written)}")  # fmt: skip


def source_of(study: "Study", view: "CellView") -> "Source":
    """A cell as Neuronpedia names it: by `saes.<name>.neuronpedia` or the checkpoint's own config,
    else by the model's folder, position and SAE."""
    from saegrid.command.sharing.neuronpedia import name_of
    from saegrid.config.checkpoints import fill_in
    from saegrid.saes.reference import on_neuronpedia

    cell = Cell.parse(view.name)
    section = study.config.get("saes", {}).get(cell.sae, {})
    named = section.get("neuronpedia")
    if isinstance(named, dict):
        named = named.get(cell.site.position.lower())
    named = fill_in(named, cell) if named else None
    reference = study.folder / "saes" / view.name / "reference.json"
    if not named and reference.is_file():
        named = on_neuronpedia(reference)
    model = study.config.get("model", {}).get("path") or study.name
    fallback = f"{cell.site.position.lower()}-{cell.sae}"
    data = f"{study.name}/{study.corpus_name}"
    return name_of(named, model, cell.site.layer, fallback, data)


def known_of(
    study: "Study", view: "CellView", chosen: Sequence[int], seed: int, whole: bool
) -> "Known":
    """The tables and weights that the dashboards of some features are made from."""
    from saegrid.codes.sparse import read_features
    from saegrid.command.sharing.neuronpedia import Known, Texts
    from saegrid.study import NotThere

    features = read_features(view.folder / "features.safetensors")
    logits: dict[int, dict[str, list[tuple[str, float]]]] = {}
    path = view.folder / "logit_effects.parquet"
    if path.is_file():
        table = io.read_table(path, ["feature", "side", "rank", "token", "effect"])
        for row in table.sort_by([("feature", "ascending"), ("rank", "ascending")]).to_pylist():
            sides = logits.setdefault(row["feature"], {})
            sides.setdefault(row["side"], []).append((row["token"], row["effect"]))
    try:
        directions = dict(zip(chosen, view.sae.decoder(chosen), strict=True))
    except NotThere:
        directions = {}
    texts = Texts.of(study._tokens, features.token)
    return Known(features, texts, logits, directions, seed, whole)


def explanations(view: "CellView", source: "Source", chosen: set[int]) -> Iterator[dict[str, Any]]:
    """The names and labels of some features."""
    from saegrid.command.sharing.neuronpedia import explanation

    path = view.folder / "names.parquet"
    if path.is_file():
        for row in io.read_table(path, ["feature", "name", "namer"]).to_pylist():
            if row["name"] and row["feature"] in chosen:
                namer = row["namer"] or ""
                yield explanation(source, row["feature"], row["name"], "saegrid_name", namer)
    for feature, label in sorted(view.labels.items()):
        if feature in chosen:
            yield explanation(source, feature, label, "label of a person", "")


def facts(
    study: "Study",
    view: "CellView",
    source: "Source",
    options: argparse.Namespace,
    files: list[str],
    n_explanations: int,
) -> dict[str, Any]:
    """The body of about.json: where the numbers are from, and what they are."""
    from saegrid.command.sharing import neuronpedia as shape
    from saegrid.pages.browser.page import neuronpedia

    link = neuronpedia(f"{source.model}/{source.source}") if source.is_there else None
    return {
        "study": study.name,
        "corpus": study.corpus_name,
        "cell": view.name,
        "modelId": source.model,
        "source": source.source,
        "link": link,
        "files": files,
        "n_explanations": n_explanations,
        "n_captured": len(view.captured),
        "whole_texts": options.whole,
        "seed": options.seed,
        "fields": " ".join(str(shape.__doc__).split()),
        "versions": study.config.get("versions", {}),
        "commit": study.config.get("commit"),
    }
