"""Openers of the activations that an SAE learns from: a store, or activations files."""

import json
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager
from pathlib import Path

from saegrid.base import io
from saegrid.base.recorded import recorded_spec
from saegrid.saes.training import stream
from saegrid.saes.training.stream import Opener
from saegrid.store.beside import filling
from saegrid.store.manifest import BEGUN, sites_of
from saegrid.store.stream import StoreStream


def begin(paths: Sequence[str | Path], spec: str) -> None:
    """Write, for each site, the file that stands for a store to be filled beside the training."""
    sites = [site.removesuffix(BEGUN) for site in sites_of(paths)]
    for path, site in zip(paths, sites, strict=True):
        io.write_json(path, {"site": site, "sites": sites}, spec)


@contextmanager
def opened(paths: Sequence[str | Path], tokens: str | Path, memory_mb: int) -> Iterator[Opener]:
    """A context that holds the opener of the stream that a training learns from.

    Args:
        paths: activations files; or the facts file of a store's site; or the file that stands for
            a store to be filled: then a process beside this one fills it, or follows another that
            does.
        tokens: tokens.parquet of their corpus; a store does not use it.
        memory_mb: megabytes that a filling may hold.
    """
    path = Path(paths[0])
    if path.suffix != ".json":
        yield stream.files(paths, tokens)
    elif path.stem.endswith(BEGUN):
        facts, spec = io.read_json(path), json.loads(recorded_spec(path))
        with ExitStack() as stack:

            def begun(share: float, seed: int) -> StoreStream:
                stack.enter_context(filling(path.parent, spec, facts["sites"], memory_mb))
                return StoreStream(path.parent, facts["site"], hold_out=share, seed=seed)

            yield begun
    else:
        yield lambda share, seed: StoreStream.of(path, hold_out=share, seed=seed)
