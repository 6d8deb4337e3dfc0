"""Code of the documents: commands parse and name what is there, YAML is a config, Python runs."""

import re
import shlex
from collections.abc import Iterator
from contextlib import redirect_stderr
from importlib.util import find_spec, module_from_spec, spec_from_file_location
from io import StringIO
from pkgutil import resolve_name

import pytest
import yaml

from documents import ROOT, blocks, texts, written
from saegrid.command import COMMANDS
from saegrid.saes.formats import FORMATS
from saegrid.stages import STAGES
from saegrid.stages.targets import PREFIX, TARGETS
from saegrid.stages.written.refusals import merged, messages

KINDS = {
    "sh": "commands, checked here one by one",
    "yaml": "a part of a config, laid over the tiny study",
    "yaml whole": "a config",
    "yaml profile": "a part of a Snakemake profile",
    "python": "run on the finished toy study",
    "python alone": "run without a study",
    "text": "no code: a picture of files, a formula, a message or a row of a table",
}
GUIDE = {
    "python": "its example stage is run by tests/stages/test_analyses.py and test_statistics.py"
}
"""Kinds of blocks of CONTRIBUTING.md that are run elsewhere."""
SHELL = {
    "export": "sets a variable of the shell",
    "source": "activates .venv",
    "echo": "writes a small config",
    "run=$(sed": "reads Snakemake's log; run by tests/workflow/test_slurm.py",
    "scancel": "needs SLURM; run by tests/workflow/test_slurm.py",
    "pip": "installs from the registry",
    "generate-slurm-partition-config": "asks the SLURM of a cluster for its partitions",
}
"""Programs that are not called here, with the reason."""
TINY = yaml.safe_load((ROOT / "config/tiny.yaml").read_text())


def commands() -> Iterator[tuple[str, list[str]]]:
    """Each command of the documents with its place, as words, without settings of variables."""
    for block in blocks("sh"):
        for line in block.text.splitlines():
            words = shlex.split(line, comments=True)
            while words and re.fullmatch(r"[A-Z_]+=.*", words[0]):
                words.pop(0)
            if words:
                yield f"{block.document}: {line}", words


COMMANDS_OF_DOCUMENTS = list(commands())


def test_every_block_is_of_a_kind_that_is_checked():
    unknown = {str(block): block.kind for block in blocks() if block.kind not in KINDS}
    assert not unknown, f"{unknown}: a block is one of {', '.join(KINDS)}"
    counts = {kind: len(blocks(kind)) for kind in KINDS}
    assert counts["sh"] > 20 and counts["yaml"] > 25 and counts["python"] > 4


# --- commands ---------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def snakemake_options():
    """Snakemake's own parser of arguments."""
    from snakemake.cli import get_argument_parser

    return get_argument_parser()


def parsed(parser, words, place):
    """The options of a command; a failure tells what the parser says."""
    said = StringIO()
    try:
        with redirect_stderr(said):
            return parser.parse_args(words)
    except SystemExit:
        pytest.fail(f"{place}\n{said.getvalue()[-500:]}")


def of_program(*names):
    return [pytest.param(*one, id=one[0]) for one in COMMANDS_OF_DOCUMENTS if one[1][0] in names]


def test_every_command_is_checked_or_excepted():
    checked = {"snakemake", "saegrid", "python", "python3"}
    unknown = [p for p, words in COMMANDS_OF_DOCUMENTS if words[0] not in checked | SHELL.keys()]
    assert not unknown
    used = {words[0] for _, words in COMMANDS_OF_DOCUMENTS}
    assert used >= checked | SHELL.keys(), "an exception that nothing needs"


def test_commands_of_snakemake(snakemake_options):
    for place, words in (one for one in COMMANDS_OF_DOCUMENTS if one[1][0] == "snakemake"):
        options = parsed(snakemake_options, words[1:], place)
        for path in options.configfile or ():
            assert str(path) in written() or (ROOT / path).is_file(), place
        for target in options.targets or ():
            known = target in TARGETS or target == "estimate" or target.startswith("results/")
            assert known or target.removeprefix(PREFIX) in STAGES, place
        grid = [one.removeprefix("grid=") for one in options.config or () if "grid=" in one]
        study = options.configfile[0] if options.configfile else "config/config.yaml"
        for name in grid:
            assert name in yaml.safe_load((ROOT / study).read_text())["grids"], place


@pytest.mark.parametrize(("place", "words"), of_program("saegrid"))
def test_commands_of_saegrid(place, words):
    assert words[1] in COMMANDS, place
    module = COMMANDS[words[1]].main.partition(":")[0]
    parsed(resolve_name(f"saegrid.command.{module}:parser")(), words[2:], place)


def test_the_examples_of_the_readme_are_those_of_the_guide_each_with_a_study_of_its_own():
    examples = {
        name: re.findall(r"^saegrid new .*$", texts()[name], re.M)
        for name in ("README.md", "docs/own.md")
    }
    assert examples["README.md"] == examples["docs/own.md"]
    names = [shlex.split(line)[-1] for line in examples["README.md"]]
    assert all(" --name " in line for line in examples["README.md"])
    assert len(names) == len(set(names)) == 4


@pytest.mark.parametrize(("place", "words"), of_program("python", "python3"))
def test_commands_of_python(place, words):
    if words[1] == "-m":
        assert find_spec(words[2]), place
        return
    assert (ROOT / words[1]).is_file(), place
    if words[1] == "make.py":
        spec = spec_from_file_location("make", ROOT / "make.py")
        make = module_from_spec(spec)
        spec.loader.exec_module(make)
        assert words[2] in make.COMMANDS, place


# --- configs ----------------------------------------------------------------------------------


def over_tiny(part):
    """The tiny study with a part laid over it, its main corpus replaced by that of the part."""
    base = dict(TINY)
    roles = [corpus.get("role") for corpus in part.get("corpora", {}).values()]
    if "main" in roles:
        base["corpora"] = {n: c for n, c in TINY["corpora"].items() if c["role"] != "main"}
    if "saes" in part and "grid" not in part:
        base["grid"] = [{"layers": [1], "positions": ["r"], "saes": list(part["saes"])}]
    return merged(base, part)


@pytest.mark.parametrize("block", blocks("yaml"), ids=str)
def test_parts_of_configs_can_be_laid_over_a_study(block):
    part = yaml.safe_load(block.text)
    assert part and messages(over_tiny(part)) == []


@pytest.mark.parametrize("block", blocks("yaml whole"), ids=str)
def test_whole_configs_have_no_mistakes(block):
    assert messages(yaml.safe_load(block.text)) == []


@pytest.mark.parametrize("block", blocks("yaml profile"), ids=str)
def test_parts_of_profiles_set_options_of_snakemake(block, snakemake_options):
    known = {name for one in snakemake_options._actions for name in one.option_strings}
    assert {f"--{key}" for key in yaml.safe_load(block.text)} <= known


def test_a_part_with_a_mistake_is_told():
    assert messages(over_tiny({"top_tokens": {"m": 5}})) != []


def test_every_format_has_an_example_that_a_config_takes():
    rows = re.findall(r"^\| `(\w+)` \|.*\| `(\{.*\})` \|$", texts()["docs/saes.md"], re.M)
    assert {name for name, _ in rows} == set(FORMATS)
    for name, example in rows:
        sae = {"source": "checkpoint", "format": name, "revision": "0" * 40}
        assert messages(over_tiny({"saes": {"other": sae | yaml.safe_load(example)}})) == []


# --- Python -----------------------------------------------------------------------------------


@pytest.mark.parametrize("block", blocks("python alone"), ids=str)
def test_python_that_needs_no_study(block):
    exec(block.text, {})
