"""The command `saegrid`: subcommands, one file each."""

import sys
from collections.abc import Sequence
from pkgutil import resolve_name

COMMANDS = {
    "compare": "saegrid.command.compare:main",
    "search": "saegrid.command.search:main",
    "status": "saegrid.command.status:main",
}
"""Subcommands by name: functions of the arguments that return the exit status."""
USAGE = """usage: saegrid <command> [arguments]

commands:
  compare   which SAE features tell two sets of texts apart
  search    features of a finished study, by a word, by prompts, by likeness
  status    how far a study is: what is done, runs, failed and is left

saegrid <command> --help says more.
"""


def main(arguments: Sequence[str] | None = None) -> int:
    """Run a subcommand; its exit status."""
    words = list(sys.argv[1:] if arguments is None else arguments)
    if not words or words[0] in ("-h", "--help"):
        print(USAGE, end="")
        return 0 if words else 2
    if words[0] not in COMMANDS:
        print(f"saegrid: there is no command {words[0]!r}.\n{USAGE}", end="", file=sys.stderr)
        return 2
    return int(resolve_name(COMMANDS[words[0]])(words[1:]))
