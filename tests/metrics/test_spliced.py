"""Cross-entropy and KL with an SAE in a site's place: identity, zero, and a plain way to do it."""

import numpy as np
import pytest
import torch

from saegrid.base.words import POSITIONS, Site
from saegrid.metrics.codes import Coder
from saegrid.metrics.metric import NO_ROWS, MetricsError, Subject, Text
from saegrid.metrics.spliced import Spliced, carried, spliced
from saegrid.models.hooks import editing
from saegrid.models.tiles import Rows, make_tile, plan_tiles, rows_of
from saegrid.saes import sae as reference
from subjects import identity_sae, random_sae, zero_sae
from toys import TOYS, random_rows, save, tokens_table, toy_bert, toy_llama

LENGTHS = [9, 3, 17, 9, 1, 2, 24, 9]
SITES = [Site(layer, position) for layer in (0, 1) for position in sorted(POSITIONS)]


def text_of_rows(lengths=LENGTHS, chosen=None):
    table, _ = tokens_table(random_rows(lengths))
    rows = rows_of(table)
    chosen = np.arange(len(lengths)) if chosen is None else np.array(chosen)
    return Text(rows.ids, rows.starts, table["special"].to_numpy(), chosen)


def subject_of(sae, site, text):
    return Subject(sae, np.zeros(1), Coder(sae).reconstruct, site, text=text)


def numbers(model, sae, site, text):
    return {n: v.value for n, v in spliced(model, subject_of(sae, site, text)).items()}


def plainly(model, sae, site, text):
    """One row at a time, three whole passes, everything in float64."""
    sums, n = np.zeros(4), 0
    for row in text.chosen:
        part = slice(*text.starts[row : row + 2])
        ids, special = torch.from_numpy(text.ids[part])[None], torch.from_numpy(text.special[part])

        def swap(x, special=special):
            x_hat = reference.decode(sae, reference.encode(sae.encoder, x[0].double().numpy()))
            return torch.where(special[:, None], x[0], torch.from_numpy(x_hat).float())[None]

        def zero(x, special=special):
            return torch.where(special[:, None], x[0], 0.0)[None]

        with torch.inference_mode():
            log_p = [model.output(ids)[0].double().log_softmax(-1)]
            for edit in (swap, zero):
                with editing(model, {site: edit}):
                    log_p.append(model.output(ids)[0].double().log_softmax(-1))
        for at in np.flatnonzero(~special.numpy()[:-1]):
            p = [found[at] for found in log_p]
            sums[:3] -= [float(found[ids[0, at + 1]]) for found in p]
            sums[3] += float((p[0].exp() * (p[0] - p[1])).sum())
            n += 1
    original, with_sae, nothing, kl = sums / n
    return n, {
        "ce_original": original,
        "ce_spliced": with_sae,
        "ce_zero": nothing,
        "ce_recovered": (nothing - with_sae) / (nothing - original),
        "kl": kl,
    }


@pytest.mark.parametrize("site", SITES, ids=str)
@pytest.mark.parametrize("name", ["llama", "gpt2"])
def test_it_is_what_three_whole_passes_give(name, site):
    model, text = TOYS[name](), text_of_rows()
    sae = random_sae(d=model.width(site), m=160, k=9)
    n, expected = plainly(model, sae, site, text)
    found = spliced(model, subject_of(sae, site, text))
    assert {value.n for value in found.values()} == {n}
    assert {k: v.value for k, v in found.items()} == pytest.approx(expected, rel=1e-4, abs=1e-6)
    assert expected["kl"] > 1e-4, "this SAE changes something"


KINDS = ["cohere", "gemma2", "gpt_neo", "granite", "mixtral", "opt", "phi", "qwen3"]


@pytest.mark.parametrize("kind", KINDS)
def test_other_kinds_of_models(kind):
    """With their factors and bounds of the logits, flat MLPs, experts and plain attention."""
    model, text = TOYS[kind](), text_of_rows()
    site = Site(1, "H" if "H" in model.positions else "I")
    sae = random_sae(d=32, m=160, k=9)
    assert numbers(model, sae, site, text) == pytest.approx(
        plainly(model, sae, site, text)[1], rel=1e-4, abs=1e-6
    )


@pytest.mark.parametrize("site", SITES, ids=str)
def test_an_identity_recovers_all_and_zero_nothing(site):
    model, text = toy_llama(), text_of_rows()
    width = model.width(site)
    found = numbers(model, identity_sae(width), site, text)
    assert found["ce_recovered"] == pytest.approx(1, abs=1e-9)
    assert found["kl"] == pytest.approx(0, abs=1e-9)
    found = numbers(model, zero_sae(width), site, text)
    assert found["ce_recovered"] == 0
    assert found["ce_spliced"] == found["ce_zero"]
    assert found["kl"] > 0


def test_rows_may_come_in_any_company():
    """Each row alone gives what all give together; rows that are not chosen have no say."""
    model, site, sae = toy_llama(), Site(1, "M"), random_sae(d=32, m=160, k=9)
    together = spliced(model, subject_of(sae, site, text_of_rows(chosen=[2, 3])))
    alone = [spliced(model, subject_of(sae, site, text_of_rows(chosen=[n]))) for n in (2, 3)]
    for name in ("ce_original", "ce_spliced", "ce_zero", "kl"):
        total = sum(found[name].value * found[name].n for found in alone)
        assert together[name].value * together[name].n == pytest.approx(total, rel=1e-6)
    again = spliced(model, subject_of(sae, site, text_of_rows(chosen=[2, 3])))
    assert again == together


def test_chunks_do_not_show(monkeypatch):
    model, site, sae = toy_llama(), Site(0, "A"), random_sae(d=32, m=160, k=9)
    text = text_of_rows([24] * 40)
    whole = numbers(model, sae, site, text)
    monkeypatch.setattr("saegrid.metrics.spliced.BLOCK", 100)
    monkeypatch.setattr("saegrid.metrics.spliced.LOGITS", 1000)
    assert numbers(model, sae, site, text) == pytest.approx(whole, rel=1e-9)


def test_bfloat16():
    model, site = toy_llama(dtype=torch.bfloat16), Site(0, "R")
    found = numbers(model, identity_sae(32), site, text_of_rows())
    assert found["ce_recovered"] == pytest.approx(1, abs=1e-9)


def test_the_first_third_is_the_model_untouched():
    model, site = toy_llama(), Site(0, "R")
    rows = Rows(np.arange(3, 23), np.array([0, 10, 20]))
    wanted = np.arange(20)
    ((shape, numbers_),) = plan_tiles(rows, wanted, 64, "cpu")
    tile = make_tile(rows, wanted, shape, numbers_)
    ids = torch.from_numpy(tile.ids)
    with torch.inference_mode():
        plain = model.hidden(ids)
        with carried(model, site, tile, torch.zeros(20, 32)):
            out = model.hidden(ids)
        again = model.hidden(ids)
    assert out.shape[0] == 3 * plain.shape[0]
    torch.testing.assert_close(out[: len(ids)], plain)
    assert torch.equal(again, plain), "hooks are gone"
    assert torch.equal(out[len(ids) : 2 * len(ids)], out[2 * len(ids) :])


# --- what has no numbers -------------------------------------------------------------------------


def test_an_encoder_has_none(tmp_path):
    settings = {"path": str(save(toy_bert(), tmp_path))}
    subject = subject_of(identity_sae(32), Site(0, "R"), text_of_rows())._replace(model=settings)
    found = Spliced(subject).values()
    assert {value.value for value in found.values()} == {None}
    assert {v.because for v in found.values()} == {"a bert model does not predict the next token"}


def test_a_loaded_model_gives_the_same(tmp_path):
    model, site, sae = toy_llama(), Site(0, "R"), random_sae(d=32, m=160, k=9)
    settings = {"path": str(save(model, tmp_path))}
    subject = subject_of(sae, site, text_of_rows())
    assert Spliced(subject._replace(model=settings)).values() == spliced(model, subject)


def test_without_rows_there_are_none():
    subject = subject_of(identity_sae(32), Site(0, "R"), NO_ROWS)
    assert Spliced(subject).values()["kl"].because.startswith("metrics.rows is 0")
    text = text_of_rows([2, 2])
    found = spliced(toy_llama(), subject._replace(text=text))["kl"]
    assert found.because == "no chosen row has two tokens in a row that are not special"


def test_a_model_too_large_is_refused_before_any_work(tmp_path):
    settings = {"path": str(save(toy_llama(), tmp_path))}
    subject = subject_of(identity_sae(32), Site(0, "R"), text_of_rows())
    with pytest.raises(MetricsError) as error:
        Spliced(subject._replace(model=settings, memory_mb=10))
    assert str(error.value) == (
        "metrics.rows: cross-entropy needs the whole model, which does not fit in 10 MB. "
        "Raise memory.capture, or set metrics.rows to 0."
    )
