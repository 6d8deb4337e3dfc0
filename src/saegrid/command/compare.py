"""saegrid compare: which SAE features tell two sets of texts apart.

It writes a config, runs it, and ends with the path of findings.html. Half of the texts are
searched, and what is found there is confirmed on the other half.
"""

import argparse
import os
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import yaml

from saegrid.base.errors import ConfigError
from saegrid.base.io import write_text
from saegrid.command.proposal import chosen, models, named, saes
from saegrid.command.proposal.checked import attempt, check
from saegrid.command.proposal.columns import USUAL, check_named, shared_columns, text_column
from saegrid.command.proposal.enough import check_texts
from saegrid.command.proposal.places import proper, repository
from saegrid.command.proposal.texts import kind_of_all
from saegrid.command.saying import refuse, say
from saegrid.text.corpora.look import ID, check_file


def parser() -> argparse.ArgumentParser:
    """The arguments of the command."""
    out = argparse.ArgumentParser(
        prog="saegrid compare",
        formatter_class=argparse.RawDescriptionHelpFormatter,
        description=(
            "Which SAE features tell two sets of texts apart? Half of the texts are searched,\n"
            "what is found is confirmed on the other half, beside what shuffled labels give."
        ),
        epilog=(
            "examples:\n"
            "  saegrid compare bait.csv factual.csv --model ${SAEGRID_DATA}/stories3M-hf\n"
            "  saegrid compare bait.csv factual.csv --model gpt2 "
            "--sae jbloom/GPT2-Small-SAEs-Reformatted\n"
        ),
    )
    add = out.add_argument
    add("files", nargs="+", metavar="FILE", help="two files of texts, or one with --by")
    add("--by", metavar="COLUMN", help="column of one file whose two values are the sets")
    add("--column", metavar="NAME", help=f"column of the texts; else {', '.join(USUAL)}")
    add(
        "--model", required=True, help="folder of a Hugging Face checkpoint, or its name on the hub"
    )
    add("--revision", help="commit of the model on the hub (default: the present one)")
    add(
        "--sae",
        default="train",
        help="folder or file of SAEs, or a repository on the hub, and a folder in it, as of "
        "`saegrid new`; train (the default) trains one on the texts",
    )
    add("--sae-revision", metavar="REVISION", help="commit of the SAE on the hub")
    add("--format", metavar="NAME", help="format of the SAE, where it is not to be recognised")
    add(
        "--tokenizer", metavar="NAME", help="folder or name of the tokenizer, if the model has none"
    )
    add("--layers", type=int, nargs="+", help="layers (default: the middle one that has an SAE)")
    add("--position", choices=[*"rbamhzni"], help="place in the block (default: r, the residual "
        "stream, where there is an SAE)")  # fmt: skip
    add("--expansion", type=int, default=8, help="d_sae / d_model of a trained SAE (default: 8)")
    add("--k", type=int, default=16, help="active features a token of a trained SAE (default: 16)")
    add("--name", help="name of the study, its folder in results/")
    add("--seed", type=int, default=0, help="seed of the halves and of the permutations")
    add("--cores", type=int, default=os.cpu_count() or 1, help="CPUs (default: all)")
    add("--force", action="store_true", help="write over the config of an earlier comparison of "
        "this name that differs")  # fmt: skip
    add("--config", action="store_true", help="print the config and run nothing")
    return out


def main(arguments: Sequence[str]) -> int:
    """Run the command; its exit status. A mistake is one sentence."""
    options = parser().parse_args(list(arguments))
    mistakes: list[str] = []
    root = attempt(mistakes, repository)
    config = root and attempt(mistakes, lambda: study(options, root))
    if root is None or config is None:
        return refuse("compare", *mistakes)
    text = HEAD + yaml.safe_dump(config, sort_keys=False, allow_unicode=True, width=100)
    if options.config:
        print(text, end="")
        return 0
    path = root / "results" / f"{config['study']}.yaml"
    if not options.force and path.is_file() and path.read_text(encoding="utf-8") != text:
        return refuse(
            "compare",
            f"{path.relative_to(root)} is there and differs from what this "
            "command would write: it was changed, or is of another comparison. To run it as it is: "
            f"snakemake --configfile {path.relative_to(root)}. Else give another --name, or "
            "--force.",
        )
    path.parent.mkdir(exist_ok=True)
    write_text(path, text)
    target = f"results/{config['study']}/findings.html"
    # Everything, since the page leads to those of the features.
    command = ["snakemake", "--cores", str(options.cores), "--configfile", str(path)]
    program = [sys.executable, "-m", *command]
    status = subprocess.run(program, cwd=root, check=False).returncode
    if status == 0:
        print(f"Config: {path.relative_to(root)}, which may be changed and run with --configfile.")
        print(f"Open {target}")
    return status


HEAD = "# Written by `saegrid compare`; may be changed and run with snakemake --configfile.\n"


def study(options: argparse.Namespace, root: Path) -> dict[str, Any]:
    """The config of a comparison, which has no mistakes; an error of `MISTAKES` for what cannot be
    used, with the lines of model and texts together."""
    mistakes: list[str] = []
    config = attempt(mistakes, lambda: of_texts(options))
    look = attempt(
        mistakes, lambda: models.look(options.model, root, options.revision, options.tokenizer)
    )
    if config is None or look is None:
        raise ConfigError("\n".join(mistakes))
    model = look[0]
    numbers = models.arithmetic(model, models.memory())
    config["model"] = models.section(model, numbers)
    if numbers.memory_mb:
        config["memory"] = {"capture": numbers.memory_mb}
    put_saes(config, options, root, model)
    return config


def of_texts(options: argparse.Namespace) -> dict[str, Any]:
    """The config as far as the texts decide it; its model, SAEs and grid are empty still."""
    files = [check_file(path).resolve() for path in options.files]
    if len(files) != (1 if options.by else 2):
        raise ConfigError(
            f"two files of texts are compared, or one file with --by; got {len(files)}"
            f"{' with' if options.by else ' without'} --by."
        )
    names = [proper(path.stem) or "texts" for path in files]
    if len(names) == 2 and names[0] == names[1]:
        names = [f"{name}-{n}" for name, n in zip(names, "ab", strict=True)]
    kind = kind_of_all(files)
    column = text_column(files, kind, options.column)
    if options.by:
        check_named("--by", options.by, files, kind)
    labels = {options.by: "text"} if options.by else {}
    name = options.name or "-".join(["compare", *names])[:80]
    source = {
        "kind": kind,
        "files": {n: str(path) for n, path in zip(names, files, strict=True)},
        # Ids that not all files have are none: rows are numbered then.
        "columns": {"id": "auto" if has_ids(files, kind) else None, "text": column},
        **({"labels": labels} if labels else {}),
    }
    check_texts(source, options.by)
    return {
        "study": name,
        "model": {},
        "corpora": {"texts": {"role": "main", "source": source, "tokens": {"context": "all"}}},
        "saes": {},
        "grid": [],
        "analyses": {
            "tests": {
                "contrasts": ["label"],
                "label": options.by or "split",
                **({} if options.by else {"classes": names}),
                "share": 0.5,
                "balanced": True,
                "seed": options.seed,
            }
        },
        "pages": {"title": " or ".join(names) if not options.by else f"{names[0]} by {options.by}"},
    }


def has_ids(files: Sequence[Path], kind: str) -> bool:
    """Return True if all files have a column of ids; of plain text the numbers of lines are ids."""
    return kind == "text" or ID in shared_columns(files, kind)


def put_saes(
    config: dict[str, Any], options: argparse.Namespace, root: Path, model: models.Seen
) -> None:
    """Add SAEs and grid, and check the config; ConfigError and CheckpointError as of the check."""
    if options.sae == "train":
        config["saes"] = {"sae": trained(options)}
        layers = options.layers or [model.sizes.n_layers // 2]
        config["grid"] = [grid(layers, options.position or "r", ["sae"])]
        check(config, model, None)
        return
    place = saes.open_place(options.sae, root, options.sae_revision)
    try:
        position = options.position and options.position.upper()
        choice = saes.choose(place, model.sizes, options.layers, position, options.format)
        config["saes"] = chosen.sections(place, choice)
        config["grid"] = [grid(*block) for block in chosen.blocks(choice, list(config["saes"]))]
        check(config, model, (place, choice))
        say("compare", named.described(place, choice, model))
    finally:
        place.close()


def grid(layers: Sequence[int], position: str, names: Sequence[str]) -> dict[str, Any]:
    """A block of the grid."""
    return {"layers": list(layers), "positions": [position], "saes": list(names)}


def trained(options: argparse.Namespace) -> dict[str, Any]:
    """An SAE that is trained on the texts."""
    return {
        "source": "train",
        "recipe": "topk",
        "expansion": options.expansion,
        "corpus": "texts",
        "settings": {"k": options.k},
    }
