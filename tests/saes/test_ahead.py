"""Reading ahead: the same numbers as from the mapped file, in bounded memory."""

import threading
import time

import numpy as np
import pytest

from checkpoints import write_safetensors
from saegrid.base.errors import CheckpointError
from saegrid.base.matrix import Matrix
from saegrid.base.tensors import open_tensors, widen
from saegrid.saes import norms as walks
from saegrid.saes.ahead import Ahead
from saegrid.saes.sae import blocks


@pytest.fixture
def stored(tmp_path):
    """A file with a small tensor before a matrix (50, 30), and the matrix."""
    values = np.random.default_rng(0).integers(0, 2**16, (50, 30)).astype(np.uint16)
    path = tmp_path / "a.safetensors"
    write_safetensors(path, {"first": np.arange(7, dtype=np.float32), "w": values})
    return path, values


def test_rows_and_columns_are_those_of_the_file(stored):
    path, values = stored
    matrix = open_tensors(path).matrix("w", (50, 30))
    for start, stop in [(0, 50), (0, 1), (13, 29), (49, 50)]:
        np.testing.assert_array_equal(matrix.rows(start, stop), values[start:stop])
    for start, stop in [(0, 30), (0, 1), (13, 29), (29, 30)]:
        np.testing.assert_array_equal(matrix.columns(start, stop), values[:, start:stop].T)
    rows, columns = np.zeros((9, 30), np.uint16), np.zeros((9, 50), np.uint16)
    assert np.shares_memory(matrix.rows(4, 10, rows), rows)
    assert np.shares_memory(matrix.columns(4, 10, columns), columns)
    np.testing.assert_array_equal(rows[:6], values[4:10])
    np.testing.assert_array_equal(columns[:6], values[:, 4:10].T)
    assert not rows[6:].any() and not columns[6:].any()


def test_a_matrix_in_memory_reads_alike():
    values = np.arange(12.0, dtype=np.float32).reshape(3, 4)
    out = np.zeros((4, 3), np.float32)
    np.testing.assert_array_equal(Matrix(values).rows(1, 3), values[1:3])
    np.testing.assert_array_equal(Matrix(values).columns(1, 3, out), values[:, 1:3].T)


def test_a_file_that_is_cut_while_it_is_read_is_named(stored):
    path, _ = stored
    matrix = open_tensors(path).matrix("w", (50, 30))
    size = path.stat().st_size
    with path.open("r+b") as file:
        file.truncate(size - 10)
    with pytest.raises(CheckpointError) as error:
        matrix.rows(0, 50)
    assert str(error.value) == (
        f"{path}: the file ends at byte {size - 10}; it was cut while it was read. Fetch it again."
    )


def test_loads_run_ahead_into_their_own_buffers():
    """The next spans are loaded while one is open, never more at a time than there are buffers."""
    began, spans = [], blocks(60, 10)
    three = threading.Event()

    def load(span, buffer):
        began.append(span)
        if len(began) == 3:
            three.set()
        buffer[:] = span[0]
        return buffer

    with Ahead(load, spans, [np.zeros(2) for _ in range(3)]) as ahead:
        with ahead.block(spans[0]) as first:
            assert three.wait(10)
            time.sleep(0.05)
            assert sorted(began) == spans[:3]
            assert first[0] == 0
        for span in spans[1:]:
            with ahead.block(span) as block:
                assert block[0] == span[0]
    assert sorted(began) == spans


def test_a_load_that_fails_fails_where_the_block_is_taken():
    def load(span, buffer):
        if span[0] == 10:
            raise OSError("gone")
        return span

    with Ahead(load, blocks(30, 10), [0, 1]) as ahead:
        with ahead.block((0, 10)):
            pass
        with pytest.raises(OSError, match="gone"), ahead.block((10, 20)):
            pass


@pytest.mark.parametrize("workers", [1, 2, 5])
def test_many_workers_take_their_blocks(workers):
    """As many buffers as workers are enough, whoever is first."""
    from saegrid.codes.encode import in_threads

    spans = blocks(2000, 1)
    with Ahead(lambda span, _: span[0], spans, list(range(workers))) as ahead:

        def work(span):
            with ahead.block(span) as block:
                return [block]

        assert list(in_threads(work, spans, workers)) == [[start] for start, _ in spans]


def mapped_column_norms(columns):
    """Blocks as they were summed when the matrix was mapped: these bits are in files."""
    height, n = columns.shape
    total = np.zeros(n)
    for start, stop in blocks(height, max(1, walks.CHUNK // n)):
        part = widen(columns[start:stop]).astype(np.float64)
        total += np.einsum("df,df->f", part, part)
    return np.sqrt(total)


@pytest.mark.parametrize(("read", "cached", "chunk"), [(64, 7, 40), (1 << 20, 64, 90), (1, 1, 1)])
@pytest.mark.parametrize("kind", ["bfloat16", "float32"])
def test_norms_do_not_depend_on_how_they_are_read(tmp_path, monkeypatch, read, cached, chunk, kind):
    rng = np.random.default_rng(3)
    values = rng.standard_normal((50, 30)) * rng.choice([1e-3, 1, 50], (50, 30))
    values = values.astype(np.float32)
    if kind == "bfloat16":
        values = (values.view(np.uint32) >> 16).astype(np.uint16)
    write_safetensors(tmp_path / "a.safetensors", {"b": np.zeros(3, np.float32), "w": values})
    matrix = open_tensors(tmp_path / "a.safetensors").matrix("w", (50, 30))
    monkeypatch.setattr(walks, "READ", read)
    monkeypatch.setattr(walks, "CACHED", cached)
    monkeypatch.setattr(walks, "CHUNK", chunk)
    expected = mapped_column_norms(values)
    assert walks.column_norms(matrix).tobytes() == expected.tobytes()
    assert walks.column_norms(values).tobytes() == expected.tobytes()
    exact = np.linalg.norm(widen(values).astype(np.float64), axis=1)
    np.testing.assert_allclose(walks.row_norms(matrix), exact, rtol=1e-14)
    assert walks.row_norms(matrix).tobytes() == walks.row_norms(values).tobytes()
