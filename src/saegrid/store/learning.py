"""What an SAE learns from: a store, or activations files."""

from collections.abc import Sequence
from pathlib import Path

from saegrid.saes.training.stream import Stream, open_files
from saegrid.store.stream import StoreStream


def open_stream(
    activations: Sequence[str | Path], tokens: str | Path, share: float, seed: int
) -> Stream:
    """The stream over the facts file of a store's site, or over activations files.

    tokens: the corpus' tokens.parquet, of no use to a store. share, seed: what is held out.
    """
    if Path(activations[0]).suffix == ".json":
        return StoreStream.of(activations[0], hold_out=share, seed=seed)
    return open_files(activations, tokens, share, seed)
