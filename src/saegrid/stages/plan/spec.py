"""What a spec is, and the memory of a plan."""

from collections.abc import Callable
from functools import wraps
from pathlib import Path
from typing import Any

from saegrid.base.digest import digest
from saegrid.base.errors import ConfigError
from saegrid.base.fingerprint import fingerprint
from saegrid.base.io import canonical
from saegrid.base.paths import expand
from saegrid.base.words import Cell
from saegrid.config.check import cells
from saegrid.config.models import Study


def remembered(method: Callable[..., Any]) -> Callable[..., Any]:
    """A method that is worked out once for each set of arguments."""

    @wraps(method)
    def once(self: "Specs", *names: str) -> Any:
        key = (method.__name__, *names)
        if key not in self.memory:
            self.memory[key] = method(self, *names)
        return self.memory[key]

    return once


class Specs:
    """A study and the means to write specs of its stages.

    A spec is one canonical JSON text of all that decides a result: settings, identities of data
    and model, a fingerprint of the code, and digests of the specs of what comes in. A job is run
    again when its spec changes, and for no other reason while its outputs are there.
    """

    def __init__(self, study: Study, scripts: str | Path = "workflow/scripts") -> None:
        self.study = study
        self.scripts = Path(scripts)
        self.root = f"results/{study.study}"
        self.memory: dict[tuple[str, ...], Any] = {}
        self.cells: list[Cell] = cells(study)
        self.sites = sorted({cell.site for cell in self.cells})
        self.main = next(name for name, c in study.corpora.items() if c.role == "main")
        self.trained = sorted({c.sae for c in self.cells if study.saes[c.sae].source == "train"})
        self.imported = sorted({c.sae for c in self.cells} - set(self.trained))

    def spec(self, stage: str, code: list[str], inputs: list[str], **settings: Any) -> str:
        """The spec of a stage from the specs of its inputs and its settings.

        code: modules that the stage reaches through registries; what its script imports is known.
        """
        head = {
            "stage": stage,
            "code": self.code(stage, *code),
            "inputs": list(map(digest, inputs)),
        }
        return canonical({**head, **settings})

    @remembered
    def code(self, stage: str, *modules: str) -> str:
        """Fingerprint of a stage's script and modules."""
        return fingerprint(*modules, script=self.scripts / f"{stage}.py")

    def local_file(self, key: str, path: str) -> Path:
        """A file named in the config under `key`; ConfigError where it is missing."""
        found = Path(expand(path))
        if not found.is_file():
            raise ConfigError(
                f"{key}: the file {found} is not there. "
                "Paths are relative to the folder in which snakemake runs."
            )
        return found
