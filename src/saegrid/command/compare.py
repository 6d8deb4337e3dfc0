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
from saegrid.config.models import Model as Settings
from saegrid.proposal.places import proper, repository
from saegrid.proposal.texts import USUAL, kind_of_all, text_column
from saegrid.stages.plan.model import Model
from saegrid.text.corpora.look import check_file
from saegrid.text.corpora.rows import CorpusError


def parser() -> argparse.ArgumentParser:
    """The arguments of the command."""
    out = argparse.ArgumentParser(
        prog="saegrid compare",
        description=(
            "Which SAE features tell two sets of texts apart? Half of the texts are searched, what "
            "is found is confirmed on the other half, beside what shuffled labels give."
        ),
        epilog=(
            "example: saegrid compare bait.csv factual.csv --model ${SAEGRID_DATA}/stories3M-hf"
        ),
    )
    add = out.add_argument
    add("files", nargs="+", metavar="FILE", help="two files of texts, or one with --by")
    add("--by", metavar="COLUMN", help="column of one file whose two values are the sets")
    add("--column", metavar="NAME", help=f"column of the texts; else {', '.join(USUAL)}")
    add(
        "--model", required=True, help="folder of a Hugging Face checkpoint, or its name on the hub"
    )
    add("--revision", help="commit of the model on the hub")
    add(
        "--sae",
        default="train",
        help="folder of a checkpoint, in which {layer} and {position} are filled in; train (the "
        "default) trains one on the texts",
    )
    add("--format", default="sae_lens", help="format of the checkpoint (default: sae_lens)")
    add("--layers", type=int, nargs="+", help="layers; by default the middle one")
    add("--position", default="r", help="position in the block (default: r, the residual stream)")
    add("--expansion", type=int, default=8, help="d_sae / d_model of a trained SAE (default: 8)")
    add("--k", type=int, default=16, help="active features a token of a trained SAE (default: 16)")
    add("--name", help="name of the study, its folder in results/")
    add("--seed", type=int, default=0, help="seed of the halves and of the permutations")
    add("--cores", type=int, default=os.cpu_count() or 1, help="CPUs (default: all)")
    add("--config", action="store_true", help="print the config and run nothing")
    return out


def main(arguments: Sequence[str]) -> int:
    """Run the command; its exit status. A mistake is one sentence."""
    options = parser().parse_args(list(arguments))
    try:
        root = repository()
        config = study(options)
        text = HEAD + yaml.safe_dump(config, sort_keys=False, allow_unicode=True, width=100)
        if options.config:
            print(text, end="")
            return 0
        path = root / "results" / f"{config['study']}.yaml"
        path.parent.mkdir(exist_ok=True)
        path.write_text(text, encoding="utf-8")
    except (ConfigError, CorpusError, OSError) as mistake:
        print(f"saegrid compare: {mistake}", file=sys.stderr)
        return 1
    target = f"results/{config['study']}/findings.html"
    # Everything, since the page leads to those of the features.
    command = ["snakemake", "--cores", str(options.cores), "--configfile", str(path)]
    program = [sys.executable, "-m", *command]
    status = subprocess.run(program, cwd=root, check=False).returncode
    if status == 0:
        print(f"Open {root / target}")
    return status


HEAD = "# Written by `saegrid compare`; may be changed and run with snakemake --configfile.\n"


def study(options: argparse.Namespace) -> dict[str, Any]:
    """The config of a comparison; ConfigError and CorpusError for what cannot be used."""
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
    labels = {options.by: "text"} if options.by else {}
    name = options.name or "-".join(["compare", *names])[:80]
    source = {
        "kind": kind,
        "files": {n: str(path) for n, path in zip(names, files, strict=True)},
        "columns": {"id": "auto", "text": column},
        **({"labels": labels} if labels else {}),
    }
    model = {
        "path": written_folder(options.model),
        **({"revision": options.revision} if options.revision else {}),
    }
    return {
        "study": name,
        "model": model,
        "corpora": {"texts": {"role": "main", "source": source, "tokens": {"context": "all"}}},
        "saes": {"sae": sae(options)},
        "grid": [
            {
                "layers": options.layers or [middle(model)],
                "positions": [options.position],
                "saes": ["sae"],
            }
        ],
        "analyses": {
            "tests": {
                "contrasts": ["label"],
                "label": options.by or "split",
                **({} if options.by else {"classes": names}),
                "share": 0.5,
                "seed": options.seed,
            }
        },
        "pages": {"title": " or ".join(names) if not options.by else f"{names[0]} by {options.by}"},
    }


def sae(options: argparse.Namespace) -> dict[str, Any]:
    """The SAE of the comparison, trained on the texts or read from a checkpoint."""
    if options.sae == "train":
        settings = {"k": options.k}
        return {
            "source": "train",
            "recipe": "topk",
            "expansion": options.expansion,
            "corpus": "texts",
            "settings": settings,
        }
    path = options.sae if "{" in options.sae else written_folder(options.sae)
    return {"source": "checkpoint", "format": options.format, "path": path}


def written_folder(path: str) -> str:
    """An absolute path where there is such a folder, else as it is."""
    return str(Path(path).resolve()) if Path(path).is_dir() else path


def middle(model: dict[str, Any]) -> int:
    """The middle layer of a model; ConfigError where its files do not say how many it has."""
    sizes = Model(Settings(**model)).sizes
    if sizes is None:
        raise ConfigError("--layers must name the layers: the model's files are not here yet.")
    return int(sizes.n_layers // 2)
