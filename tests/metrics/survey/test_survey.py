"""The survey of layers: numbers that are known, and laws."""

from pathlib import Path

import numpy as np
import pyarrow as pa
import pytest
import torch

from asking import ROOT, STUDY, config, plan_of
from saegrid.base import io
from saegrid.metrics.survey.layers import (
    MEAN_ROBUST,
    Dimensions,
    compare,
    dimension_table,
    dimensions,
    layer_row,
    robust,
    spread,
    survey,
    write,
)
from saegrid.stages.sizes import Sizes


def test_sum_max_average_of_known_numbers():
    x = np.array([[1.0, 2.0, 6.0], [3.0, -8.0, 2.0]])
    row = layer_row("all", Dimensions.of(x))
    assert row["sum"] == 6
    assert row["max"] == 6
    assert row["average"] == 1
    assert row["n"] == 2
    assert row["norm"] == pytest.approx((41**0.5 + 77**0.5) / 2)
    assert row["anisotropy"] == pytest.approx((3 - 16 + 12) / (41 * 77) ** 0.5)
    # S1.2: the sum of one token over its average is the number of dimensions.
    one = layer_row("one", Dimensions.of(np.full((1, 768), 0.25)))
    assert one["sum"] / one["average"] == 768
    assert np.isnan(one["anisotropy"])


def test_anisotropy_of_equal_opposite_and_random_tokens():
    rng = np.random.default_rng(0)
    token = rng.normal(size=16)
    assert Dimensions.of(np.stack([token, 2 * token, 9 * token])).anisotropy == pytest.approx(1)
    assert Dimensions.of(np.stack([token, -token])).anisotropy == pytest.approx(-1)
    x = rng.normal(size=(300, 16))
    units = x / np.linalg.norm(x, axis=1, keepdims=True)
    cosines = (units @ units.T)[~np.eye(300, dtype=bool)]
    assert Dimensions.of(x).anisotropy == pytest.approx(cosines.mean(), abs=1e-12)


def test_parts_make_the_whole():
    x = np.random.default_rng(1).normal(size=(1000, 8)).astype(np.float32) + 100
    whole = Dimensions.of(x)
    for cuts in ([1], [10, 500], list(range(7, 1000, 7))):
        found = dimensions(np.split(x, cuts))
        assert found.n == 1000
        np.testing.assert_allclose(found.mean, x.astype(np.float64).mean(axis=0), rtol=1e-14)
        np.testing.assert_allclose(found.sd, x.astype(np.float64).std(axis=0), rtol=1e-10)
        assert found.anisotropy == pytest.approx(whole.anisotropy, rel=1e-10)
        assert found.largest == x.max()
    with pytest.raises(ValueError, match="A survey needs tokens"):
        dimensions([x[:0]])


def test_planted_outliers_are_found_and_no_others():
    rng = np.random.default_rng(2)
    x = rng.normal(size=(5000, 64))
    x[:, 7] += 30  # far mean
    x[:, 11] *= 25  # far deviation
    table = dimension_table(Dimensions.of(x), cut=8.0).to_pandas()
    assert table.index[table["outlier"]].tolist() == [7, 11]
    assert abs(table["mean_robust"][7]) > 100
    assert abs(table["sd_robust"][11]) > 100
    # Of a normal distribution the robust deviation is the standard one.
    assert np.std(robust(rng.normal(3, 2, 100_000))) == pytest.approx(1, rel=0.02)


def test_a_dimension_stands_out_from_silent_ones():
    """More than half of the dimensions agree, so that the median deviation is 0."""
    values = np.zeros(64)
    values[3] = 500.0
    far = robust(values)
    assert far[3] == pytest.approx(64 / np.sqrt(np.pi / 2)) and not far[:3].any()
    # Of a normal distribution the mean deviation gives the standard one, too.
    many = np.random.default_rng(6).normal(3, 2, 100_000)
    assert MEAN_ROBUST * np.abs(many - 3).mean() == pytest.approx(2, rel=0.02)
    assert robust(np.full(4, 5.0)).tolist() == [0, 0, 0, 0]


def test_what_is_normed_differently_is_not_compared(tmp_path):
    parts = []
    for corpus, normed in (("a", "none"), ("b", "layer"), ("c", "none")):
        path = tmp_path / f"{corpus}.safetensors"
        x = np.random.default_rng(len(parts)).normal(size=(20, 4)).astype(np.float32)
        io.write_tensors(path, {"x": x, "token": np.arange(20)})
        parts.append({"corpus": corpus, "site": "L0R", "files": [str(path)], "normed": normed})
    found = survey(parts, 8.0)
    assert found.layers["normed"].to_pylist() == ["none"] * 2 + ["layer"] * 2 + ["none"] * 2
    pairs = found.pairs.to_pylist()
    assert [(row["corpus_a"], row["corpus_b"]) for row in pairs] == [("a", "c")]


def test_tokens_are_spread_evenly():
    assert spread(1000) == [50, 150, 250, 350, 450, 550, 650, 750, 850, 950]
    assert spread(7) == list(range(7))
    assert spread(1) == [0]
    assert spread(0) == []
    for n in (10, 11, 23, 99):
        assert len(spread(n)) == 10 and spread(n)[0] >= 0 and spread(n)[-1] < n


def test_single_tokens_are_those_of_the_files(tmp_path):
    """Over the borders of files, bfloat16 widened; the last token is `one` of the layers."""
    x = torch.randn(53, 6, generator=torch.Generator().manual_seed(7)).bfloat16()
    files = []
    for number, part in enumerate(x.tensor_split([3, 3, 40])):
        files.append(str(tmp_path / f"{number}.safetensors"))
        io.write_tensors(files[-1], {"x": part, "token": np.arange(len(part))})
    found = survey([{"corpus": "a", "site": "L0R", "files": files}], cut=6.0)
    rows = found.passes.to_pylist()
    assert [row["token"] for row in rows] == [2, 7, 13, 18, 23, 29, 34, 39, 45, 50]
    for row in rows:
        assert (row["corpus"], row["site"]) == ("a", "L0R")
        assert row["values"] == x[row["token"]].tolist()
    one = found.layers.to_pylist()[0]
    assert (one["tokens"], one["max"]) == ("one", x[52].max())


def test_the_estimate_is_near_what_is_written(tmp_path):
    path = tmp_path / "x.safetensors"
    x = np.random.default_rng(8).normal(size=(20, 4000)).astype(np.float32)
    io.write_tensors(path, {"x": x, "token": np.arange(20)})
    found = survey([{"corpus": "a", "site": "L0R", "files": [str(path)]}], cut=6.0)
    paths = {name: str(tmp_path / f"{name}.parquet") for name in found._fields}
    write(found, paths, "s")
    written = sum(Path(path).stat().st_size for path in paths.values())
    study = config()
    study["model"]["path"] = str(ROOT / study["model"]["path"])
    plan = plan_of(study)
    weight = plan.graph.stages["survey"].weighs(Sizes(plan), STUDY)
    rows = 2 * 2 * 64  # corpora, sites, dimensions
    assert weight.write * 4000 / rows == pytest.approx(written, rel=0.5)


def test_two_corpora_compared():
    rng = np.random.default_rng(3)
    x = rng.normal(size=(4000, 32)) * rng.uniform(0.5, 2, 32) + rng.normal(size=32)
    moved = x.copy()
    moved[:, 5] += 40
    a, b = (dimension_table(Dimensions.of(part), cut=8.0) for part in (x, moved))
    same = compare(a, a)
    assert same["mean_cosine"] == pytest.approx(1)
    assert same["sd_correlation"] == pytest.approx(1)
    assert same["largest_distance"] == 0
    apart = compare(a, b)
    assert apart["at_dimension"] == 5
    assert apart["largest_distance"] == pytest.approx(40 / x[:, 5].std(), rel=1e-9)
    assert (apart["outliers_a"], apart["outliers_b"], apart["outliers_both"]) == (0, 1, 0)
    assert apart["mean_cosine"] < 0.5


def test_the_tables_of_a_study(tmp_path):
    rng = np.random.default_rng(4)
    parts = []
    for corpus in ("one", "two"):
        for site in ("L0R", "L1R"):
            files = []
            for number in range(2):
                path = tmp_path / corpus / f"{number}/{site}.safetensors"
                x = rng.normal(size=(50, 4)).astype(np.float32)
                io.write_tensors(path, {"x": x, "token": np.arange(50)})
                files.append(str(path))
            parts.append({"corpus": corpus, "site": site, "files": files})
    found = survey(parts, cut=6.0)
    rows = found.layers.to_pylist()
    assert [(r["corpus"], r["site"], r["tokens"], r["n"]) for r in rows[:3]] == [
        ("one", "L0R", "one", 1),
        ("one", "L0R", "all", 100),
        ("one", "L1R", "one", 1),
    ]
    last = io.read_tensors(parts[0]["files"][1])["x"][-1].astype(np.float64)
    assert rows[0]["sum"] == pytest.approx(last.sum())
    assert rows[0]["max"] == last.max()
    assert found.dimensions.num_rows == 4 * 4
    assert [p["site"] for p in found.pairs.to_pylist()] == ["L0R", "L1R"]
    alone = survey(parts[:1], cut=6.0)
    assert alone.pairs.num_rows == 0
    assert isinstance(alone.pairs, pa.Table)
