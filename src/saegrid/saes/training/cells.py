"""The training of cells, from streams to files; states and finished SAEs are kept in a store.

The store is a folder `store` beside the folders of the cells, which Snakemake does not know and so
does not delete. It holds `{cell}-{digest}.safetensors` of a training under way, and, of SAEs that
are trained together, `{cell}-{digest}/` with the finished files, linked to those of the cell: a
change of one member trains that one alone. The digest stands for the spec.
"""

import hashlib
import json
import os
import shutil
from collections.abc import Mapping
from contextlib import AbstractContextManager
from pathlib import Path
from typing import Any, NamedTuple

from saegrid.base import io
from saegrid.base.recorded import recorded
from saegrid.base.words import Cell
from saegrid.saes.formats.sae_lens import FACTS, WEIGHTS, write_sae_lens
from saegrid.saes.training.adam import Astray
from saegrid.saes.training.loop import SAVE_EVERY, Trained, train_each
from saegrid.saes.training.settings import parse
from saegrid.saes.training.state import Run
from saegrid.saes.training.stream import Opener

HISTORY = "history.parquet"
FILES = (FACTS, WEIGHTS, HISTORY)


class _Cell(NamedTuple):
    """A cell to be trained, with the paths of its files."""

    name: str
    spec: str
    """Text of the cell's spec, with the settings under `sae`."""
    saes: Path
    """Folder that holds the folders of all cells."""

    @property
    def parsed(self) -> dict[str, Any]:
        return json.loads(self.spec)

    @property
    def digest(self) -> str:
        """The digest of the spec: twelve hexadecimal digits."""
        return hashlib.sha256(self.spec.encode()).hexdigest()[:12]

    @property
    def folder(self) -> Path:
        return self.saes / self.name

    @property
    def part(self) -> Path:
        """The path of the file of a training under way."""
        return self.finished.with_name(f"{self.finished.name}.safetensors")

    @property
    def finished(self) -> Path:
        """The path of the folder of a finished training."""
        return self.saes / "store" / f"{self.name}-{self.digest}"

    def is_in(self, folder: Path) -> bool:
        """Return True if a folder holds all files of the SAE of this spec."""
        whole = not any(recorded(folder / name).damage for name in FILES)
        return whole and recorded(folder / WEIGHTS).spec == self.spec

    def write(self, folder: Path, trained: Trained) -> None:
        io.write_table(folder / HISTORY, trained.history, self.spec)
        write_sae_lens(folder, trained.cfg, trained.tensors, self.spec)

    def forget_others(self) -> None:
        """Remove the files of this cell for other specs from the store."""
        for path in self.finished.parent.glob(f"{self.name}-*"):
            if path.is_dir() and path != self.finished:
                shutil.rmtree(path)
            elif path.suffix == ".safetensors" and path != self.part:
                path.unlink()


def train_cell(
    opened: AbstractContextManager[Opener],
    name: str,
    spec: str,
    saes: str | os.PathLike[str],
    save_every: float = SAVE_EVERY,
) -> None:
    """Write `{saes}/{name}/`: link an SAE that was trained together with others, or train it now.

    Args:
        opened: context with the opener of the stream of activations at the cell's site. If leaving
            it fails, as when a store cannot be filled to its end, the training is kept as one
            under way.
        name: name of the cell.
        spec: spec of the cell, with its settings under `sae`.
        saes: folder that holds the folders of all cells.
        save_every: seconds between two writings of a training under way.
    """
    cell = _Cell(name, spec, Path(saes))
    if cell.is_in(cell.finished):
        print(f"linked from {cell.finished}")
        return _link(cell.finished, cell.folder)
    cell.forget_others()
    with opened as stream:
        (trained,) = _train([cell], stream, 1, save_every)
        if isinstance(trained, Astray):
            raise trained
        cell.write(cell.folder, trained)
    cell.part.unlink(missing_ok=True)


def train_together(
    stream: Opener,
    members: Mapping[str, str],
    saes: str | os.PathLike[str],
    cores: int = 1,
    save_every: float = SAVE_EVERY,
) -> dict[str, str]:
    """Train cells of one site on one stream into the store; return the digest of each cell's spec.

    Cells that are finished, in the store or in their own folder, are not trained again.

    Args:
        stream: opener of the stream.
        members: spec of each cell.
        saes: folder that holds the folders of all cells.
        cores: number of cores; as many cells are trained at a time as their threads allow.
        save_every: seconds between two writings of a training under way.

    Raises:
        ValueError: some trainings have gone astray; all others are in the store by then.
    """
    cells = [_Cell(name, spec, Path(saes)) for name, spec in sorted(members.items())]
    for cell in cells:
        if not cell.is_in(cell.finished) and cell.is_in(cell.folder):
            _link(cell.folder, cell.finished)
        cell.forget_others()
    missing = [cell for cell in cells if not cell.is_in(cell.finished)]
    print(f"{len(cells) - len(missing)} of {len(cells)} are in the store")
    lost = []
    if missing:
        for cell, trained in zip(missing, _train(missing, stream, cores, save_every), strict=True):
            if isinstance(trained, Astray):
                lost.append(f"{cell.name}: {trained}")
                continue
            cell.write(cell.finished, trained)
            cell.part.unlink(missing_ok=True)
    if lost:
        kept = f"The other {len(cells) - len(lost)} are kept and not trained again."
        raise ValueError("\n".join([f"{len(lost)} of {len(cells)} have no SAE. {kept}", *lost]))
    return {cell.name: cell.digest for cell in cells}


def _train(
    cells: list[_Cell], stream: Opener, cores: int, save_every: float
) -> list[Trained | Astray]:
    """The trained SAEs of cells that share a stream, see `train_each`."""
    specs = [cell.parsed for cell in cells]
    first, sae = specs[0], specs[0]["sae"]
    settings = parse(sae["recipe"], sae["settings"])
    for cell in cells:
        print(f"{cells.index(cell) + 1}: {cell.name} {io.canonical(cell.parsed['sae'])}")
    return train_each(
        stream(settings.hold_out, sae["order_seed"]),
        [
            Run(t["sae"]["recipe"], t["sae"]["settings"], t["sae"]["expansion"], t["sae"]["seed"])
            for t in specs
        ],
        site=Cell.parse(cells[0].name).site,
        order_seed=sae["order_seed"],
        threads=first["threads"],
        workers=max(1, cores // first["threads"]),
        metadata={"model_name": first["model"], "capture": first["capture"]},
        kept=[cell.part for cell in cells],
        save_every=save_every,
    )


def _link(source: Path, folder: Path) -> None:
    """Link the files of an SAE into another folder; copy them where links fail."""
    for name in FILES:
        with io.atomic(folder / name) as temporary:
            try:
                os.link(source / name, temporary)
            except OSError:
                shutil.copyfile(source / name, temporary)
        # Both names share one time of change: newer than what it was made from, as an output must.
        os.utime(folder / name)
