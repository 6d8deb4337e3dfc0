"""The language model of a study: its files, sizes, code and identity."""

from functools import cached_property
from pathlib import Path
from typing import Any

from saegrid.base.digest import digest, file_digests
from saegrid.base.errors import ConfigError
from saegrid.base.io import canonical
from saegrid.base.paths import PathError, expand
from saegrid.base.registry import entry
from saegrid.base.words import Site
from saegrid.config.models import Model as Settings
from saegrid.models import FAMILIES, Sizes, family_name, family_of, read_config, sizes_of
from saegrid.models.files import model_files
from saegrid.models.hub import TOKENIZER, tokenizer_of
from saegrid.models.identity import model_identity


class Model:
    """The language model that a config names."""

    def __init__(self, settings: Settings) -> None:
        self.settings = settings

    @cached_property
    def folder(self) -> Path | None:
        """Its local folder, None where it is on the hub; ConfigError where it is missing."""
        path = expand(self.settings.path)
        if Path(path).is_dir():
            return Path(path)
        # A name on the hub is "owner/name"; anything else was meant as a folder.
        if path.count("/") != 1 or path.startswith((".", "/")):
            raise ConfigError(f"model.path: there is no folder {path}.")
        if self.settings.revision is None:
            raise ConfigError(
                f"model.revision: name the commit of {path} on the hub, "
                "so that the results can be repeated."
            )
        return None

    @cached_property
    def config(self) -> dict[str, Any] | None:
        """The facts of its config.json; None where it is on the hub."""
        return read_config(self.folder) if self.folder else None

    @cached_property
    def sizes(self) -> Sizes | None:
        """Layers and widths; None where it is on the hub."""
        return None if self.config is None else sizes_of(self.config, self.settings.family)

    @cached_property
    def files(self) -> list[str]:
        """Local files of its weights; empty where it is on the hub."""
        reads = self.folder and self.settings.weights == "pretrained"
        return [str(path) for path in model_files(self.folder)] if reads else []

    def stored(self) -> int:
        """Bytes of these files."""
        return sum(Path(path).stat().st_size for path in self.files)

    def width(self, site: Site) -> int:
        """Channels of a site; 0 where the model is on the hub."""
        return 0 if self.sizes is None else self.sizes.width(site.position)

    @cached_property
    def code(self) -> list[str]:
        """Modules that know its architecture; all of them for a model on the hub."""
        family = self.settings.family
        if self.config is None and family == "auto":
            return sorted(set(FAMILIES.values()))
        if self.config is not None and family_of(self.config, family).outlined:
            return ["saegrid.models.structure:outline"]
        return [entry(FAMILIES, family_name(self.config or {}, family), "model.family")]

    @cached_property
    def identity(self) -> str:
        """Digest of all that decides its outputs."""
        return digest(canonical(model_identity(self.settings.model_dump(mode="json"), self.folder)))

    @cached_property
    def spec(self) -> dict[str, Any]:
        """The model's part of the spec of a stage that runs the model."""
        return {"model": self.settings.model_dump(mode="json"), "identity": self.identity}

    @cached_property
    def context(self) -> int | None:
        """Longest row that it takes; None where it is not at hand."""
        try:
            path = Path(expand(self.settings.path))
        except PathError:  # a corpus needs no model
            return None
        if not (path / "config.json").is_file():
            return None
        return sizes_of(read_config(path), self.settings.family).context

    @cached_property
    def tokenizer(self) -> list[str]:
        """Digests of the tokenizer's files; empty where it is on the hub."""
        folder = Path(expand(self.tokenizer_named[0]))
        return file_digests([folder / name for name in TOKENIZER if (folder / name).is_file()])

    @property
    def tokenizer_named(self) -> tuple[str, str | None]:
        """Folder, or name on the hub, and commit of the tokenizer."""
        return tokenizer_of(self.settings.model_dump())
