"""What an SAE learns from: a store, or activations files."""

from collections.abc import Sequence
from pathlib import Path

from saegrid.saes.training import stream
from saegrid.saes.training.stream import Opener
from saegrid.store.stream import StoreStream


def files(paths: Sequence[str | Path], tokens: str | Path) -> Opener:
    """The facts file of a store's site, or activations files with the tokens of their corpus.

    tokens: tokens.parquet, of no use to a store.
    """
    if Path(paths[0]).suffix == ".json":
        return lambda share, seed: StoreStream.of(paths[0], hold_out=share, seed=seed)
    return stream.files(paths, tokens)
