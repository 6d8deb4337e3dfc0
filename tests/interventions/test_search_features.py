"""Features by likeness, texts that maximise one, and the cost that is told beforehand."""

import dataclasses

import numpy as np
import pytest
import torch

import saegrid
from saegrid.base.words import Site
from saegrid.interventions.search import SearchError
from saegrid.interventions.search.estimate import Cost, size_of
from saegrid.interventions.search.largest import largest
from saegrid.interventions.search.maximise import Pre, Settings, maximise
from saegrid.interventions.search.near import near
from saegrid.saes.fronts import LAYER_NORM
from saegrid.saes.reference import open_sae
from saegrid.saes.sae import encode, pre_activations
from saegrid.saes.sizes import Sae
from searching import CELLS, D, M, write_study
from subjects import random_sae, sae_of
from toys import toy, toy_llama


@pytest.fixture(scope="module")
def study(tmp_path_factory):
    return saegrid.open(write_study(tmp_path_factory.mktemp("results")))


# --- cost -----------------------------------------------------------------------------------------


def test_150_cells_of_true_width():
    """75 sites with two widths, 32,768 and 131,072 features, bfloat16."""
    saes = [Sae(4096, m, 2, 50) for m in (32_768, 131_072)] * 75
    cost = Cost.of(saes, 16)
    assert cost.n_bytes == 75 * 163_840 * 8192 and f"{cost.n_bytes / 1e9:.1f}" == "100.7"
    assert cost.line() == (
        "search: 100.7 GB of encoders in 150 cells are read once, for any number of prompts: 50 s "
        "at 2 GB/s, 8.4 min at 0.2 GB/s; products take 15 s of one processor."
    )


def test_sizes_are_those_of_the_files(study):
    for place in study.searched().places:
        with open_sae(place.sae) as sae:
            size = size_of(place, D)
            assert (size.d_sae, size.d_model, size.itemsize) == (M, D, 4)
            assert size.matrix == sae.encoder.rows(0, M).nbytes


# --- likeness -------------------------------------------------------------------------------------


def test_near_by_plain_cosines(study):
    cells = study.searched(["L1R-a"])
    with open_sae(cells.places[0].sae) as sae:
        rows = sae.decoder.directions(np.arange(M))
    cosine = rows @ rows[11]
    cosine[11] = -1
    table = near(cells.places[0], 11, cells, 4).to_pylist()
    least = np.sqrt(2 * np.log(M) / D)
    best = [f for f in np.argsort(-cosine)[:4].tolist() if cosine[f] > least]
    assert [row["feature"] for row in table] == best
    assert [row["cosine"] for row in table] == pytest.approx(cosine[best].tolist(), abs=1e-6)


def test_cells_that_write_elsewhere_are_passed_over(study):
    own, every = study.searched(["L1R-a"]), study.searched()
    assert near(own.places[0], 11, every).to_pylist() == near(own.places[0], 11, own).to_pylist()
    with pytest.raises(SearchError, match="L1R-a has the features 0 to 95; got 96"):
        near(own.places[0], 96, every)


# --- maximising -----------------------------------------------------------------------------------

MODELS = {"llama": toy_llama(), "gpt2": toy("gpt2"), "bert": toy("bert")}
SITE = Site(1, "R")


@pytest.mark.parametrize("kind", MODELS)
def test_pre_in_torch_is_that_of_the_reference(kind):
    model, encoder = MODELS[kind], random_sae(32, 40).encoder
    for one in (encoder, dataclasses.replace(encoder, centred=True)):
        ids = torch.tensor([[1, 5, 9, 30], [1, 7, 7, 8]])
        x = []
        from saegrid.models.hooks import reading

        with torch.no_grad(), reading(model, {SITE: lambda seen, x=x: x.append(seen)}):
            model.hidden(ids)
        weight = model.model.get_input_embeddings().weight.detach()
        pre = Pre(model, SITE, one, 3).of(weight[ids], 2)
        expected = pre_activations(one, x[0][:, 2].numpy())[:, 3]
        assert pre.numpy() == pytest.approx(expected, abs=1e-4)


@pytest.mark.parametrize("kind", MODELS)
def test_a_text_is_better_than_any_of_many_random_ones(kind):
    """Against 500 random texts of the same length."""
    model, sae = MODELS[kind], random_sae(32, 40)
    text = maximise(
        model, SITE, sae.encoder, 3, ([1], []), [0, 1, 2], Settings(length=4, rounds=25)
    )
    weight = model.model.get_input_embeddings().weight.detach()
    ids = np.random.default_rng(1).integers(3, 64, (500, 4))
    ids = torch.cat([torch.ones(500, 1, dtype=torch.long), torch.from_numpy(ids)], 1)
    with torch.no_grad():
        others = Pre(model, SITE, sae.encoder, 3).of(weight[ids], 4)
    assert text.z > others.max() > text.start
    assert len(text.ids) == 4 and not set(text.ids) & {0, 1, 2}


def test_a_planted_optimum_is_reached():
    """A feature that reads one embedding: with the site before the blocks, z is a token's own."""
    model = MODELS["llama"]
    weight = model.model.get_input_embeddings().weight.detach().numpy()
    best = int(np.argmax(weight[3:] @ weight[17])) + 3
    sae = sae_of(weight[[17]], [0.0], weight[[17]], np.zeros(32))
    text = maximise(model, Site(0, "B"), sae.encoder, 0, ([1], []), [0, 1, 2], Settings(length=3))
    assert text.ids[-1] == best
    assert text.z == pytest.approx(float(weight[best] @ weight[17]), rel=1e-6)


def test_a_seed_decides_and_z_is_that_of_the_codes():
    model, sae = MODELS["llama"], random_sae(32, 40)
    settings = Settings(length=4, rounds=10)
    one, same, other = (
        maximise(model, SITE, sae.encoder, 3, ([1], []), [0], settings._replace(seed=seed))
        for seed in (0, 0, 1)
    )
    assert one == same and one.ids != other.ids
    x = []
    from saegrid.models.hooks import reading

    with torch.no_grad(), reading(model, {SITE: lambda seen: x.append(seen)}):
        model.hidden(torch.tensor([[1, *one.ids]]))
    z = encode(sae.encoder, x[0][:, -1].numpy())[0, 3]
    assert one.z == pytest.approx(z, rel=1e-4)


def test_a_text_to_begin_with_only_gets_better():
    model, sae = MODELS["llama"], random_sae(32, 40)
    begin = [9, 30, 7, 12]
    text = maximise(model, SITE, sae.encoder, 3, ([1], []), [0], Settings(rounds=10), begin)
    ids = torch.tensor([[1, *begin]])
    with torch.no_grad():
        weight = model.model.get_input_embeddings().weight
        start = float(Pre(model, SITE, sae.encoder, 3).of(weight[ids], 4))
    assert text.start == pytest.approx(start) and text.z > start and len(text.ids) == 4


def test_no_hook_and_no_gradient_stays():
    model = MODELS["llama"]
    hooks = [len(module._forward_hooks) for module in model.model.modules()]
    maximise(model, SITE, random_sae(32, 40).encoder, 3, ([1], []), settings=Settings(2, 2))
    assert [len(module._forward_hooks) for module in model.model.modules()] == hooks
    assert all(parameter.grad is None for parameter in model.model.parameters())


def test_what_cannot_be_maximised_is_one_sentence():
    model, encoder = MODELS["llama"], random_sae(32, 40).encoder
    with pytest.raises(SearchError, match="features 0 to 39; got 40"):
        maximise(model, SITE, encoder, 40)
    with pytest.raises(SearchError, match="normalises each token before"):
        maximise(model, SITE, dataclasses.replace(encoder, front=LAYER_NORM), 3)


def test_lines_of_a_feature(study):
    place = study.searched(["L1R-a"])
    feature = int(study.cell("L1R-a").features.index[0])
    lines = list(largest(place, feature))
    most = study.cell("L1R-a").feature(feature).summary["max_activation"]
    assert lines[0] == f"L1R-a {feature}: largest on the corpus {most:.4g}"
    assert lines[1].startswith(f"  {most:.4g}  ") and "[" in lines[1]
    begins = [line for line in lines if line.startswith("by gradients")]
    assert ["random" in line for line in begins] == [True, False]
    assert all("times that on the corpus" in line for line in begins)
    assert set(CELLS) >= {"L1R-a"}
