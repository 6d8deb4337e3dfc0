"""saegrid labels: people's labels of features, into the results of a study and out of them.

What a file says of a feature without a label is added; where both have one and they differ, both
texts are listed, and the one in the results stays unless --prefer says otherwise. The other text is
kept beside it, so that nothing that somebody typed is lost.
"""

import argparse
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from saegrid.base import io
from saegrid.base.errors import ConfigError
from saegrid.base.job import spare_pandas
from saegrid.command.named import add_study
from saegrid.command.saying import refuse
from saegrid.meaning.names.kept import Merged, body_of, merge, read_kept, write_kept
from saegrid.meaning.names.labels import KEY, File, agreement, check_features, read

if TYPE_CHECKING:
    from saegrid.study import Study


def parser() -> argparse.ArgumentParser:
    """The arguments of the command."""
    out = argparse.ArgumentParser(
        prog="saegrid labels",
        description="People's labels of features, into the results of a study and out of them.",
        epilog=(
            "examples: saegrid labels import --study toy labels-toy-L15R-32x.json; "
            "saegrid labels export --study toy --out labels"
        ),
    )
    kinds = out.add_subparsers(dest="what", required=True, metavar="import | export")
    bring = kinds.add_parser("import", help="merge files that pages of features export")
    bring.add_argument("files", nargs="+", metavar="FILE", help="files of a page's export labels")
    bring.add_argument(
        "--prefer", choices=("ours", "theirs"), help="where two labels differ, which one stands "
        "(ours: the one in the results); without it ours stays and theirs is kept beside it",
    )  # fmt: skip
    send = kinds.add_parser("export", help="write a file a cell, for pages and for other people")
    send.add_argument("--cells", nargs="+", metavar="CELL", help="cells (default: all with labels)")
    send.add_argument("--out", default=".", help="folder of the files (default: this one)")
    send.add_argument("--overwrite", action="store_true", help="replace files that are there")
    for one in (bring, send):
        add_study(one)
    return out


def main(arguments: Sequence[str]) -> int:
    """Run the command; its exit status. A mistake is one sentence."""
    options = parser().parse_args(list(arguments))
    spare_pandas()
    from saegrid.study import NotThere, open

    try:
        study = open(options.study, options.results, options.corpus)
        (_import if options.what == "import" else _export)(study, options)
    except (NotThere, ConfigError, OSError) as mistake:
        said = str(mistake).removeprefix(f"{KEY}: ")
        return refuse("labels", said)
    return 0


def _import(study: "Study", options: argparse.Namespace) -> None:
    """Merge files into the results; all are read before anything is written."""
    known = [study.corpus_name]
    files = [
        read(path, path, study.name, known, study.cells.index.tolist()) for path in options.files
    ]
    for file in files:
        check_features([file], study.cell(file.cell).d_sae)
    for file in files:
        before, aside = read_kept(study.corpus_folder, file.cell)
        merged = merge(before, file.labels, options.prefer or "ours")
        aside = kept_aside(aside, merged, options.prefer)
        write_kept(study.name, study.corpus_folder, file.cell, merged.labels, aside)
        print(*_report(file, before, merged, options.prefer), sep="\n")
    print("Pages show them once they are made again: snakemake pages")


def kept_aside(
    aside: dict[int, list[str]], merged: Merged, prefer: str | None
) -> dict[int, list[str]]:
    """The texts that stand beside the labels, once a file is merged: of a conflict the text that is
    not the label; --prefer settles it, and the other text goes."""
    texts = {feature: list(others) for feature, others in aside.items()}
    for conflict in merged.conflicts:
        others = texts.pop(conflict.feature, []) if prefer else texts.get(conflict.feature, [])
        if not prefer and conflict.theirs not in others:
            texts[conflict.feature] = [*others, conflict.theirs]
    return texts


def _report(
    file: File, before: dict[int, str], merged: Merged, prefer: str | None
) -> Iterable[str]:
    """Lines that say what became of a file."""
    n, same = len(merged.conflicts), merged.equal
    yield f"{file.path}: {file.cell}, {merged.added} added, {same} the same, {n} different"
    stays = {"ours": "ours stays", "theirs": "theirs is taken"}.get(prefer or "", "ours stays, "
        "theirs is kept beside it")  # fmt: skip
    for conflict in merged.conflicts:
        ours, theirs = conflict.ours, conflict.theirs
        yield f"  #{conflict.feature}  ours: {ours}  |  theirs: {theirs}  ({stays})"
    if n and not prefer:
        yield "  To settle these: the same command with --prefer ours or --prefer theirs."
    both = sorted(before.keys() & file.labels.keys())
    result = agreement([before[f] for f in both], [file.labels[f] for f in both])
    if result.n and result.kappa is not None:
        yield (
            f"  Agreement on {result.n} features: {result.agree:.0%}, by chance "
            f"{result.chance:.0%}, Cohen's kappa {result.kappa:.2f}"
        )


def _export(study: "Study", options: argparse.Namespace) -> None:
    """Write a file for each cell that has labels."""
    named = options.cells or study.cells.index.tolist()
    by_cell = {name: study.cell(name).labels for name in named}
    bodies: dict[Path, dict[str, Any]] = {
        Path(options.out) / f"labels-{study.name}-{name}.json": body_of(
            study.name, study.corpus_name, name, labels
        )
        for name, labels in by_cell.items()
        if labels
    }
    if not bodies:
        raise ConfigError(
            f"study {study.name} has no labels of {', '.join(named[:6])}. Bring some in with "
            "saegrid labels import."
        )
    for path, body in bodies.items():
        if path.is_file() and not options.overwrite and io.read_json(path) != body:
            raise ConfigError(
                f"{path} is there and holds other labels. Import it first, name another --out, or "
                "give --overwrite."
            )
    for path, body in bodies.items():
        io.write_json(path, body)
        print(f"{path}: {len(body['labels'])} labels")
