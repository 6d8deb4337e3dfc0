"""Texts that are made from the code: the schema, tables and names in the README, the groups of the
SLURM profile."""

import re
from importlib import import_module
from pathlib import Path

from saegrid.base.io import write_text
from saegrid.config.schema import schema_text
from saegrid.models import FAMILIES
from saegrid.saes.training import RECIPES
from saegrid.stages import STAGES, load
from saegrid.stages.stage import Stage


def opening(place: str) -> str:
    """The first paragraph of the docstring of an entry's module, without its full stop."""
    module = import_module(place.partition(":")[0])
    return module.__doc__.partition("\n\n")[0].replace("\n", " ").rstrip(".")


def row(stage: Stage) -> str:
    """A line of the README's table: a stage, what it is, and its files."""
    first = opening(STAGES[stage.name])
    paths = [stage.write(name).path.removeprefix("results/{study}/") for name in stage.writes]
    return f"| `{stage.name}` | {first} | {', '.join(f'`{path}`' for path in paths)} |"


def table() -> str:
    """The README's table of stages."""
    head = ["| stage | what | files in `results/{study}/` |", "|---|---|---|"]
    return "\n".join([*head, *map(row, load().values())]) + "\n"


def recipes() -> str:
    """The README's table of recipes."""
    rows = [f"| `{name}` | {opening(place)} |" for name, place in RECIPES.items()]
    return "\n".join(["| recipe | what |", "|---|---|", *rows]) + "\n"


def families() -> str:
    """The kinds of models that the README says are known."""
    return ", ".join(f"`{name}`" for name in FAMILIES)


def groups() -> str:
    """The groups of profiles/slurm/config.yaml: jobs that SLURM starts as one."""
    stages = [stage for stage in load().values() if stage.needs.group]
    return "".join(f"  - {stage.name}={stage.needs.group}\n" for stage in stages)


def renewed(root: str | Path = ".") -> dict[str, str]:
    """Text by path of the files that are made from the code, whole or in part."""
    readme, profile = Path(root) / "README.md", Path(root) / "profiles/slurm/config.yaml"
    text = readme.read_text()
    parts = {"<!-- stages -->\n": table(), "<!-- recipes -->\n": recipes()}
    for start, part in {**parts, "<!-- families -->": families()}.items():
        before, _, rest = text.partition(start)
        text = before + start + part + rest[rest.index("<!-- end -->") :]
    return {
        str(Path(root) / "config/schema.json"): schema_text(),
        str(readme): text,
        str(profile): re.sub(
            r"(?<=\ngroups:\n)(  - .*\n)+", lambda _: groups(), profile.read_text()
        ),
    }


if __name__ == "__main__":
    for path, text in renewed().items():
        write_text(path, text)
