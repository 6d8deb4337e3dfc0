"""The examples that the help of each subcommand ends with are commands that it takes."""

import re
import shlex
from importlib import import_module

import pytest

from saegrid.command import COMMANDS


def examples(name):
    """The parser of a subcommand, and its examples as words."""
    module = COMMANDS[name].main.partition(":")[0]
    parser = import_module(f"saegrid.command.{module}").parser()
    start, *listed = re.split(r"^examples?:", parser.epilog or "")
    assert not start, "an epilog begins with `example:`"
    return parser, [
        shlex.split(one) for text in listed for one in re.split(r"[;\n]", text) if one.strip()
    ]


@pytest.mark.parametrize("name", COMMANDS)
def test_examples_can_be_given(name):
    parser, listed = examples(name)
    assert listed
    for words in listed:
        assert words[:2] == ["saegrid", name]
        parser.parse_args(words[2:])


def test_an_example_that_lacks_an_option_is_refused(capsys):
    parser, _ = examples("search")
    with pytest.raises(SystemExit):
        parser.parse_args(["dog"])
    assert "--study" in capsys.readouterr().err
