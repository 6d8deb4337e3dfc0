"""Every kind of model: sites against plain hooks, logits, and block by block against whole."""

from itertools import pairwise

import numpy as np
import pytest
import torch

from plain import network, plain_sites
from saegrid.base.words import Site
from saegrid.capture.layers import capture_layers
from saegrid.capture.whole import capture_sites
from saegrid.models import FAMILIES, read_config, sizes_of
from saegrid.models.check import check
from saegrid.models.forward import capture
from saegrid.models.load import load
from saegrid.models.tiles import rows_of
from toys import TOYS, random_rows, save, tokens_table

KINDS = sorted(FAMILIES)
LENGTHS = [3, 17, 8, 24, 1, 17]
IDS = torch.tensor([[1, 5, 9, 13, 17], [1, 20, 30, 40, 50]])
SIZES = {"d": 32, "layers": 2}


def every_site(model):
    layers = range(model.sizes.n_layers)
    return [Site(layer, p) for layer in layers for p in model.positions]


def some_rows():
    rows = rows_of(tokens_table(random_rows(LENGTHS))[0])
    return rows, np.setdiff1d(np.arange(len(rows.ids)), rows.starts)[::2]


def by_row(model, kind, rows):
    parts = [
        plain_sites(model, kind, rows.ids[start:stop]) for start, stop in pairwise(rows.starts)
    ]
    return {site: torch.cat([part[site] for part in parts]) for site in parts[0]}


def quiet(line):
    pass


@pytest.mark.parametrize("kind", KINDS)
def test_a_kind_of_model(kind, tmp_path):
    """A saved checkpoint is checked as it is loaded, read at all of its sites as plain hooks on
    single rows read it, and gives the same bytes block by block."""
    made = TOYS[kind](**SIZES)
    settings = {"path": str(save(made, tmp_path / "model"))}
    model = load(settings)
    assert torch.equal(model.output(IDS), made.output(IDS))
    assert model.sizes == sizes_of(read_config(settings["path"]))
    check(model)

    rows, wanted = some_rows()
    sites = every_site(model)
    found = capture(model, rows, wanted, sites)
    expected = by_row(network(tmp_path / "model", kind), kind, rows)
    assert {(site.layer, site.position) for site in sites} == set(expected)
    for site in sites:
        assert found[site].shape == (len(wanted), model.sizes.width(site.position))
        torch.testing.assert_close(found[site], expected[site][wanted], rtol=1e-5, atol=1e-5)

    capture_sites(model, rows, wanted, sites, tmp_path / "whole", "spec", quiet)
    capture_layers(settings, rows, wanted, sites, tmp_path / "layers", "spec", quiet)
    for site in sites:
        name = f"{site}.safetensors"
        whole, layers = ((tmp_path / way / name).read_bytes() for way in ("whole", "layers"))
        assert whole == layers, site
