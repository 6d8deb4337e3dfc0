"""Temporary files of killed jobs."""

import os

from saegrid.base import io, leftovers


def test_old_temporaries_go_and_nothing_else(tmp_path):
    kept = [
        tmp_path / "cells/L1R-8x/features.parquet",
        tmp_path / "store/L1R.part",
        tmp_path / ".hidden.tmp",  # no process number: not ours
        tmp_path / "notes.12.tmp",
        tmp_path / ".tmp",
    ]
    old = [tmp_path / ".page.html.77.tmp", tmp_path / "cells/L1R-8x/.features.parquet.4711.tmp"]
    old += [tmp_path / "saes/store/.tmpSrYMTL"]  # of safetensors
    fresh = tmp_path / "cells/L1R-8x/.top_tokens.parquet.4712.tmp"
    for path in [*kept, *old, fresh]:
        path.parent.mkdir(parents=True, exist_ok=True)
        path.touch()
        os.utime(path, (1000, 1000))
    os.utime(fresh, (3000, 3000))
    assert leftovers.remove(tmp_path, 2000) == sorted(old)
    assert all(path.exists() for path in [*kept, fresh])
    assert not any(path.exists() for path in old)
    assert leftovers.remove(tmp_path / "absent", 2000) == []


def test_a_write_that_is_cut_off_leaves_what_is_found(tmp_path):
    """The pattern is that of io.atomic: a child that dies in the middle leaves such a file."""
    child = os.fork()
    if not child:
        with io.atomic(tmp_path / "table.parquet") as temporary:
            temporary.write_bytes(b"half")
            os._exit(0)
    os.waitpid(child, 0)
    (left,) = tmp_path.iterdir()
    assert leftovers.remove(tmp_path, left.stat().st_mtime + 1) == [left]
    assert list(tmp_path.iterdir()) == []
