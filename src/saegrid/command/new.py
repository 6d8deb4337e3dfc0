"""saegrid new: a config for a model, an SAE and texts of one's own.

It looks at all three, says what it saw and what it chose, and writes a config that runs as it is.
"""

import argparse
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from saegrid.command.saying import refuse

if TYPE_CHECKING:
    from saegrid.command.proposal.study import Proposal


def parser() -> argparse.ArgumentParser:
    """The arguments of the command."""
    out = argparse.ArgumentParser(
        prog="saegrid new",
        formatter_class=argparse.RawDescriptionHelpFormatter,
        description=(
            "Look at a model, an SAE and texts, say what is there, and write a config that runs as "
            "it is.\nEach may be a local path or a name on the Hugging Face hub."
        ),
        epilog=(
            "examples:\n"
            "  saegrid new --model gpt2 --sae jbloom/GPT2-Small-SAEs-Reformatted --texts my.csv\n"
            "  saegrid new --model models/pythia-70m --texts my.jsonl --column body\n"
        ),
    )
    add = out.add_argument
    add("--model", required=True, help="folder of a checkpoint, or its name on the hub")
    add(
        "--sae",
        help="folder or file of SAEs, or a repository on the hub, and a folder in it; without it "
        "an SAE is trained on the texts",
    )
    add(
        "--texts",
        required=True,
        nargs="+",
        metavar="FILE",
        help="files of texts (CSV, JSON Lines, parquet, text), a folder of them, or a data set on "
        "the hub; several files are splits",
    )
    add("--column", metavar="NAME", help="column of the texts, where it is not named text or alike")
    add("--layers", type=int, nargs="+", help="layers, counted from 0 (default: the middle one)")
    add("--position", choices=[*"rbamhzni"], help="place in the block: r residual stream, a "
        "attention, m MLP and others (default: r, where there is an SAE)")  # fmt: skip
    add("--format", metavar="NAME", help="format of the SAE, where it is not to be recognised")
    add(
        "--tokenizer", metavar="NAME", help="folder or name of the tokenizer, if the model has none"
    )
    add("--revision", help="commit of the model on the hub (default: the present one)")
    add("--sae-revision", metavar="REVISION", help="the same for the SAE")
    add("--name", help="name of the study, its folder in results/ (default: that of the texts)")
    add("--out", metavar="FILE", help="the config (default: config/NAME.yaml)")
    add("--force", action="store_true", help="write over a file that is there")
    return out


def main(arguments: Sequence[str]) -> int:
    """Run the command; its exit status. Mistakes are a sentence each."""
    options = parser().parse_args(list(arguments))
    from saegrid.command.proposal.checked import attempt
    from saegrid.command.proposal.places import repository
    from saegrid.command.proposal.study import Request, propose

    mistakes: list[str] = []
    root = attempt(mistakes, repository)
    if root is None:
        return refuse("new", *mistakes)
    asked = Request(**{field: getattr(options, field) for field in Request._fields})
    path = Path(options.out) if options.out else root / f"config/{asked.study}.yaml"
    attempt(mistakes, lambda: check_free(path, options.force))
    proposal = attempt(mistakes, lambda: propose(asked))
    if proposal is not None and not mistakes:
        attempt(mistakes, lambda: write(path, proposal))
    if proposal is None or mistakes:
        return refuse("new", *mistakes)
    for heading, lines in (("saw", proposal.seen), ("chose", proposal.chosen)):
        print(f"{heading}:", *(f"  {line}" for line in lines), sep="\n")
    say_next(path, root, proposal.config["study"])
    return 0


def check_free(path: Path, force: bool) -> None:
    """ConfigError where a file is there already and may not be written over."""
    from saegrid.base.errors import ConfigError

    if path.exists() and not force:
        raise ConfigError(
            f"{path} is there already: take another --name or --out, or --force to write over it."
        )


def write(path: Path, proposal: "Proposal") -> None:
    """Write the config with its comments."""
    from saegrid.base.io import write_text
    from saegrid.command.proposal.written import HEAD, MORE, as_yaml

    text = as_yaml(proposal.config, proposal.whys)
    write_text(path, HEAD + text + ("" if "analyses" in proposal.config else MORE))


def say_next(path: Path, root: Path, study: str) -> None:
    """Print the command to run, and the page that it makes."""
    here = Path.cwd()
    config = path.relative_to(here) if path.is_relative_to(here) else path
    page = root / f"results/{study}/index.html"
    page = page.relative_to(here) if page.is_relative_to(here) else page
    print(f"Wrote {config}. Run it{'' if here == root else f' in {root}'}, and open the page:")
    print(f"  snakemake --configfile {config}")
    print(f"  {page}")
