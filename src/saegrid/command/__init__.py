"""The command `saegrid`: subcommands, one file each."""

import sys
from collections.abc import Sequence
from pkgutil import resolve_name
from typing import NamedTuple

from saegrid.base.registry import nearest


class Command(NamedTuple):
    """A subcommand."""

    main: str
    """Its module here and its function of the arguments, which returns the exit status."""
    summary: str
    """A line that says what it does."""


COMMANDS = {
    "new": Command("new:main", "write a config for a model, an SAE and texts of your own"),
    "status": Command("status:main", "say how far a study is: done, running, failed and left"),
    "compare": Command("compare:main", "find the features that tell two sets of texts apart"),
    "search": Command("search:main", "find features of a study by a word, prompts or likeness"),
    "labels": Command("labels:main", "bring people's labels into the results and out of them"),
    "tables": Command("tables:main", "put the tables of a study into one zip with a data sheet"),
    "neuronpedia": Command("neuronpedia:main", "write feature pages in Neuronpedia's JSON"),
}
"""Subcommands by name, in the order in which the help lists them."""


def usage() -> str:
    """The help of the command: all subcommands with what they do."""
    width = max(map(len, COMMANDS))
    listed = (f"  {name:<{width}}  {command.summary}" for name, command in COMMANDS.items())
    return "\n".join(
        [
            "usage: saegrid <command> [arguments]",
            "",
            "What the features of sparse autoencoders fire on. A study is a config file, and",
            "snakemake --configfile FILE runs it.",
            "",
            "commands:",
            *listed,
            "",
            "saegrid <command> --help says more.\n",
        ]
    )


def main(arguments: Sequence[str] | None = None) -> int:
    """Run a subcommand; its exit status."""
    words = list(sys.argv[1:] if arguments is None else arguments)
    if not words or words[0] in ("-h", "--help", "help"):
        print(usage(), end="")
        return 0 if words else 2
    if words[0] not in COMMANDS:
        hint = nearest(words[0], list(COMMANDS))
        print(f"saegrid: there is no command {words[0]!r}.{hint}", file=sys.stderr)
        print("saegrid --help lists the commands.", file=sys.stderr)
        return 2
    return int(resolve_name(f"{__name__}.{COMMANDS[words[0]].main}")(words[1:]))
