"""Memory: stated before the start, kept, and without effect on the results."""

import json
import re
import subprocess
import sys
from dataclasses import replace
from math import prod
from pathlib import Path

import numpy as np
import pytest

from checkpoints import hyperparams
from encoders import draw, make_encoder, same
from saegrid.codes import budget
from saegrid.codes.budget import describe, fit
from saegrid.codes.encode import encode


def large(d_sae=131_072, dtype="bfloat16", k=None):
    """An encoder of true size that holds nothing."""
    encoder = make_encoder(np.ones((2, 4096), np.float32), dtype, k=k)
    return replace(encoder, d_sae=d_sae)


X = np.broadcast_to(np.zeros(1, np.float32), (930, 4096))


def test_a_block_takes_what_is_there_and_no_more():
    sizes = [fit(large(), X, "float32", 1, memory).feature_block for memory in (4000, 430, 306)]
    assert sizes == [2048, 1024, 64]
    assert fit(large(), X, "float32", 1, 4000).megabytes <= 4000
    assert fit(large(), X, "bfloat16", 2, 4000, card_mb=20_000).feature_block == 8192
    assert fit(large(), X, "bfloat16", 2, 4000, card_mb=2500).feature_block < 8192


def test_too_little_is_told_before_the_start():
    with pytest.raises(ValueError) as error:
        fit(large(), X, "float32", 1, 200)
    assert str(error.value) == (
        "encode: 930 tokens of 4096 dimensions need 306 MB of memory; there are 200 MB. "
        "Raise memory.encode, or capture fewer context tokens (tokens: context)."
    )
    with pytest.raises(ValueError, match=r"MB of memory on the card; there are 1000 MB\. Capture"):
        fit(large(), X, "bfloat16", 2, 4000, card_mb=1000)


def test_the_line_says_what_will_be_done():
    encoder = large()
    line = describe(encoder, X, "float32", "the processor", fit(encoder, X, "float32", 1, 4000))
    assert line == (
        "reads 1.07 GB of encoder rows, 3 blocks of 2048 at a time; holds at most about 436 MB; "
        "multiplies 1.00 TFLOP in float32 on the processor"
    )


@pytest.mark.parametrize("k", [None, 7])
@pytest.mark.parametrize("device", [None, "cpu"])
def test_the_same_bytes_for_any_memory(k, device, monkeypatch):
    x, weights = draw(4, 70, 128, 3000)
    encoder, token = make_encoder(weights, "bfloat16", threshold=2.0, k=k), np.arange(70)
    monkeypatch.setattr(budget, "PROGRAM_MB", {"float32": 0, "bfloat16": 0})
    monkeypatch.setattr(budget, "DRIVER_MB", 0)
    lines = []
    expected = encode(x, token, encoder, memory_mb=4000)
    least = 0
    for memory in range(1, 60):
        try:
            found = encode(
                x, token, encoder, memory_mb=memory, device=device, tell=lines.append, threads=2
            )
        except ValueError:
            least = memory
            continue
        assert same(expected, found), memory
    assert least < 20
    assert len({line.split(" at a time")[0] for line in lines}) >= 3


CELL = """
import re, sys, numpy as np
from pathlib import Path
from saegrid.codes.encode import encode
from saegrid.saes.formats.llama_scope import open_checkpoint
encoder = open_checkpoint(sys.argv[1], np.ones(400_000)).encoder
x = np.random.default_rng(0).standard_normal((50, 1024)).astype(np.float32)
encode(x, np.arange(50), encoder, screen="float32", memory_mb=400, tell=print)
print(re.search(r"VmHWM:\\s+(\\d+) kB", Path("/proc/self/status").read_text())[1])
"""


@pytest.mark.skipif(not Path("/proc/self/status").exists(), reason="needs Linux' peak memory")
def test_peak_memory_is_what_was_stated(tmp_path):
    """A cell whose encoder (0.82 GB, all of it holes) is larger than the memory that it may use."""
    shapes = {"encoder.weight": (400_000, 1024), "encoder.bias": (400_000,)}
    shapes |= {"decoder.bias": (1024,), "decoder.weight": (1024, 400_000)}
    header, at = {}, 0
    for name, shape in shapes.items():
        size = 2 * prod(shape)
        header[name] = {"dtype": "BF16", "shape": shape, "data_offsets": [at, at + size]}
        at += size
    text = json.dumps(header).encode()
    (tmp_path / "checkpoints").mkdir()
    facts = hyperparams(d_model=1024, d_sae=400_000)
    (tmp_path / "hyperparams.json").write_text(json.dumps(facts))
    with (tmp_path / "checkpoints/final.safetensors").open("wb") as file:
        file.write(len(text).to_bytes(8, "little") + text)
        file.truncate(8 + len(text) + at)
    command = [sys.executable, "-c", CELL, str(tmp_path)]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    line, peak = done.stdout.splitlines()
    stated = int(re.search(r"at most about (\d+) MB", line)[1])
    assert "reads 0.82 GB" in line
    assert int(peak) * 1024 < stated * 10**6 <= 400 * 10**6
