"""What an SAE learns from: a store, or activations files."""

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
    """Write the file of each site that stands for a store to be filled beside the training."""
    sites = [site.removesuffix(BEGUN) for site in sites_of(paths)]
    for path, site in zip(paths, sites, strict=True):
        io.write_json(path, {"site": site, "sites": sites}, spec)


@contextmanager
def opened(paths: Sequence[str | Path], tokens: str | Path, memory_mb: int) -> Iterator[Opener]:
    """Opens what a training learns from, within this context.

    Args:
        paths: activations files; or the facts file of a store's site; or the file that stands for
            one that is to be filled: then a process beside this one fills it, or follows another
            that does.
        tokens: tokens.parquet of their corpus, of no use to a store.
        memory_mb: what a filling may hold.
    """
    path = Path(paths[0])
    if path.suffix != ".json":
        yield stream.files(paths, tokens)
    elif path.stem.endswith(BEGUN):
        told, spec = io.read_json(path), json.loads(recorded_spec(path))
        with ExitStack() as stack:

            def begun(share: float, seed: int) -> StoreStream:
                stack.enter_context(filling(path.parent, spec, told["sites"], memory_mb))
                return StoreStream(path.parent, told["site"], hold_out=share, seed=seed)

            yield begun
    else:
        yield lambda share, seed: StoreStream.of(path, hold_out=share, seed=seed)
