"""Texts that are made from the stages: the table in the README, the groups of the SLURM profile."""

import re
import sys
from pathlib import Path

from saegrid.base.io import write_text
from saegrid.config.schema import schema_text
from saegrid.stages import STAGES, load
from saegrid.stages.stage import Stage


def row(stage: Stage) -> str:
    """A line of the README's table: a stage, what it is, and its files."""
    module = sys.modules[STAGES[stage.name].partition(":")[0]]
    first = module.__doc__.partition("\n\n")[0].replace("\n", " ").rstrip(".")
    paths = [stage.write(name).path.removeprefix("results/{study}/") for name in stage.writes]
    return f"| `{stage.name}` | {first} | {', '.join(f'`{path}`' for path in paths)} |"


def table() -> str:
    """The README's table of stages."""
    head = ["| stage | what | files in `results/{study}/` |", "|---|---|---|"]
    return "\n".join([*head, *map(row, load().values())]) + "\n"


def groups() -> str:
    """The groups of profiles/slurm/config.yaml: jobs that SLURM starts as one."""
    stages = [stage for stage in load().values() if stage.needs.group]
    return "".join(f"  - {stage.name}={stage.needs.group}\n" for stage in stages)


def renewed(root: str | Path = ".") -> dict[str, str]:
    """Text by path of the files that are made from the code, whole or in part."""
    readme, profile = Path(root) / "README.md", Path(root) / "profiles/slurm/config.yaml"
    stages = r"(?<=<!-- stages -->\n).*?(?=<!-- end -->)"
    return {
        str(Path(root) / "config/schema.json"): schema_text(),
        str(readme): re.sub(stages, lambda _: table(), readme.read_text(), flags=re.S),
        str(profile): re.sub(
            r"(?<=\ngroups:\n)(  - .*\n)+", lambda _: groups(), profile.read_text()
        ),
    }


if __name__ == "__main__":
    for path, text in renewed().items():
        write_text(path, text)
