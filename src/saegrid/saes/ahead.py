"""Blocks that are read while others are in use, into a fixed number of buffers."""

from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import contextmanager
from threading import Lock
from types import TracebackType
from typing import Generic, Self, TypeVar

Buffer = TypeVar("Buffer")
Loaded = TypeVar("Loaded")
READERS = 2
"""Reads under way at a time: one alone leaves a fast disk waiting between its blocks."""


class Ahead(Generic[Buffer, Loaded]):
    """Spans of something large, loaded in their order by threads of its own.

    Each span has one of the buffers from the moment its load begins until its `block` is left, so
    memory is bounded by the buffers. Blocks are taken in the order of the spans, each once; as many
    may be open at a time as there are buffers.
    """

    def __init__(
        self,
        load: Callable[[tuple[int, int], Buffer], Loaded],
        spans: Sequence[tuple[int, int]],
        buffers: Sequence[Buffer],
        readers: int = READERS,
    ) -> None:
        """load: `load(span, buffer)` fills the buffer; what it returns is the block."""
        self._load = load
        self._rest, self._lock = iter(spans), Lock()
        self._pool = ThreadPoolExecutor(min(readers, len(buffers)))
        self._loading: dict[tuple[int, int], tuple[Future[Loaded], Buffer]] = {}
        for buffer in buffers:
            self._begin(buffer)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._pool.shutdown(cancel_futures=True)

    def _begin(self, buffer: Buffer) -> None:
        # One step: whoever needs a span finds it under way as soon as a later one is.
        with self._lock:
            span = next(self._rest, None)
            if span is not None:
                self._loading[span] = self._pool.submit(self._load, span, buffer), buffer

    @contextmanager
    def block(self, span: tuple[int, int]) -> Iterator[Loaded]:
        """The loaded span; its buffer is filled anew once the context is left."""
        future, buffer = self._loading.pop(span)
        try:
            yield future.result()
        finally:
            self._begin(buffer)
