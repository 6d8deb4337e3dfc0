"""Words of features, disjoint prompts, targets, and the choice of features."""

from dataclasses import replace

import numpy as np
import pyarrow as pa
import pytest
import tokenizers
import torch

from saegrid.base.words import Site
from saegrid.codes.sparse import from_pairs
from saegrid.interventions import choice, choice_table
from saegrid.interventions.choice import Scores, alike, check_alive, choose, lens_tokens, scores
from saegrid.interventions.live import InterventionError, live
from saegrid.interventions.prompts import (
    PARTS,
    Own,
    first_token,
    hits,
    own_words,
    pool,
    split,
    target,
)
from saegrid.models.hooks import editing
from saegrid.text.tokenizer import Encoder
from subjects import random_sae, sae_of
from toys import random_rows, tokens_table, toy, toy_gpt2, toy_llama

D = 32


def corpus(texts):
    """A token table of words: one token each, with blanks before all but the first."""
    words = sorted({word for text in texts for word in text.split()})
    rows = [[1, *(5 + words.index(word) for word in text.split())] for text in texts]
    table, _ = tokens_table(rows)
    pieces = [piece for text in texts for piece in ("<s>", *text.replace(" ", " \0").split("\0"))]
    shifted = ["<s>" if p == "<s>" else " " + p.strip() for p in pieces]
    return table.set_column(table.column_names.index("text"), "text", pa.array(shifted)), {
        word: 5 + i for i, word in enumerate(words)
    }


# --- parts ----------------------------------------------------------------------------------


def test_parts_are_disjoint_and_cover_the_texts():
    table, _ = tokens_table([[1, *row] for row in random_rows([6] * 90)])
    parts = split(table, seed=0, length=5, least=10)
    numbers = [number for name in PARTS for number in parts[name].numbers]
    assert sorted(numbers) == list(range(90))
    other = split(table, seed=1, length=5, least=10)
    assert [other[name].numbers for name in PARTS] != [parts[name].numbers for name in PARTS]
    row = parts["dose"].numbers[0]
    ids = table["token_id"].to_numpy()[table["row"].to_numpy() == row]
    assert parts["dose"].rows[0] == ids.tolist()
    assert parts["dose"].prompts(3, 4) == [text[:4] for text in parts["dose"].rows[:3]]


def test_edits_of_one_original_stay_together_and_count_once():
    table, _ = tokens_table([[1, *row] for row in random_rows([6] * 90)])
    group = (table["row"].to_numpy() // 3).astype(np.int32)
    table = table.set_column(table.column_names.index("group"), "group", pa.array(group))
    parts = split(table, seed=0, length=5, least=3)
    groups = [{number // 3 for number in parts[name].numbers} for name in PARTS]
    assert sum(map(len, groups)) == len(set.union(*groups)) == 30
    assert all(len(parts[name].numbers) == len(g) for name, g in zip(PARTS, groups, strict=True))


def test_originals_and_short_texts_are_no_prompts():
    rows = [[1, *row] for row in random_rows([6, 2] * 30)]
    table, _ = tokens_table(rows, sides=["edited"] * 30 + ["original"] * 30)
    numbers = [n for part in split(table, 0, 5, 1).values() for n in part.numbers]
    assert sorted(numbers) == list(range(0, 30, 2))
    with pytest.raises(InterventionError) as error:
        split(table, 0, 5, 20)
    assert "20 texts of 5 tokens or more are needed to choose; the corpus has" in str(error.value)


# --- words ----------------------------------------------------------------------------------


def features_on(table, ids, values=1.0, d_sae=4):
    """Feature 0 fires on the tokens with these ids."""
    token = np.flatnonzero(np.isin(table["token_id"].to_numpy(), ids))
    value = np.resize(values, len(token)).astype(np.float32)
    captured = np.flatnonzero(~table["special"].to_numpy().astype(bool))
    return from_pairs(np.zeros(len(token), np.int64), token, value, captured, d_sae)


def test_own_words_are_whole_content_words_of_the_strongest_tokens():
    texts = ["the cat saw the dog and cats", "a dog is with the cat", "the red sun"] * 10
    table, ids = corpus(texts)
    own = own_words(features_on(table, [ids["cat"], ids["dog"]]), table, common=1.0)
    assert set(own) == {0}
    assert set(own[0].words) == {"cat", "dog"} and set(own[0].targets) == {ids["cat"], ids["dog"]}
    assert own[0].share == 1.0 and own[0].n_active == 40 and own[0].largest == 1.0
    assert pool(own) == [0]
    mixed = own_words(features_on(table, [ids["the"], ids["cat"]]), table, common=1.0)
    assert 0 < mixed[0].share < 0.7 and pool(mixed) == []
    # A word that is common is no target.
    assert own_words(features_on(table, [ids["cat"]]), table, common=0.01)[0].words == ()


def test_the_largest_activation_is_one_without_special_tokens():
    table, ids = corpus(["cat dog"] * 30)
    special = np.flatnonzero(table["special"].to_numpy())
    token = np.concatenate([special, np.flatnonzero(table["token_id"].to_numpy() == ids["cat"])])
    value = np.repeat([9.0, 2.0], 30).astype(np.float32)
    features = from_pairs(np.zeros(60, np.int64), token, value, np.arange(90), 1)
    assert own_words(features, table, 1.0)[0].largest == 2.0


def test_hits_are_whole_words_of_any_case():
    assert hits("A Dog, the dog's dogs. dog!", {"dog"}) == [(2, 5), (23, 26)]


def unigram():
    pieces = [
        ("<unk>", 0.0),
        ("▁", -1.0),
        ("▁dog", -1.0),
        ("dog", -1.5),
        ("fox", -2.0),
        ("g", -3.0),
    ]
    pieces += [("glo", -2.0), ("ve", -2.0)]
    tokenizer = tokenizers.Tokenizer(tokenizers.models.Unigram(pieces, unk_id=0))
    blanks = tokenizers.normalizers.Replace(" ", "▁")
    before = tokenizers.normalizers.Prepend("▁")
    tokenizer.normalizer = tokenizers.normalizers.Sequence([before, blanks])
    tokenizer.decoder = tokenizers.decoders.Metaspace(prepend_scheme="always")
    return Encoder(tokenizer, (), (), {})


def test_a_target_is_one_token_without_a_lone_blank():
    encoder = unigram()
    assert target(encoder, "dog") == 2
    with pytest.raises(InterventionError) as error:
        target(encoder, " dog")
    assert str(error.value) == (
        "The target ' dog' begins with a blank that is a token of its own; write 'dog', before "
        "which this tokenizer puts a blank itself."
    )
    with pytest.raises(InterventionError) as error:
        target(encoder, "dogglove")
    assert str(error.value) == (
        "The target 'dogglove' is 3 tokens ('dog' 'glo' 've'); a target must be one. Take another "
        "word, or one of these."
    )
    with pytest.raises(InterventionError, match="The target ' ' has no letter"):
        target(encoder, " ")


def test_the_first_token_of_a_word_is_no_blank():
    assert first_token(unigram(), "dog") == first_token(unigram(), " dog") == 2


# --- scores -----------------------------------------------------------------------------------


def an_sae(k=None, site=Site(1, "R")):  # noqa: B008
    return live(replace(random_sae(D, 4 * D, k), site=site))


def owns(n=6, largest=3.0, targets=(7, 9)):
    return {
        f: Own((f"w{f}", f"v{f}"), tuple(t + f for t in targets), 1.0, 50 + f, largest + f / 8)
        for f in range(n)
    }


PROMPTS = [[1, *row] for row in random_rows([5] * 3)]


@pytest.mark.parametrize("numbers", [1, 1 << 24])
def test_the_own_word_score_by_hand(monkeypatch, numbers):
    """One feature, one prompt at a time, with the plain formula in float64."""
    monkeypatch.setattr(choice, "NUMBERS", numbers)
    model, sae, own = toy_llama(), an_sae(), owns()
    result = scores(model, sae, own, [4, 2], PROMPTS, strength=2.0)
    for place, feature in enumerate([4, 2]):
        gains, surest, kls = [], [], []
        for prompt in PROMPTS:
            ids = torch.tensor([prompt])
            before = model.output(ids)[0, 1:].double().softmax(-1)

            def clamp(v, feature=feature):
                z = sae.value(v.flatten(0, 1), [feature])
                moved = (2.0 * own[feature].largest - z) * sae.rows([feature])
                return torch.cat([v[:, :1], v[:, 1:] + moved[1:]], 1)

            with editing(model, {sae.site: clamp}):
                after = model.output(ids)[0, 1:].double().softmax(-1)
            targets = list(own[feature].targets)
            gains += (after[:, targets] - before[:, targets]).sum(1).tolist()
            surest += (after.amax(1) - before.amax(1)).tolist()
            kls += (before * (before / after).log()).sum(1).tolist()
        assert result.own[place] == pytest.approx(np.mean(gains), abs=1e-5)
        assert result.confidence[place] == pytest.approx(np.mean(surest), abs=1e-5)
        assert result.kl[place] == pytest.approx(np.mean(kls), abs=1e-4)


@pytest.mark.parametrize("made", [toy_llama, toy_gpt2, lambda: toy("granite")])
def test_lens_tokens_are_those_that_a_linear_path_raises(made):
    """The direction in place of the last stream, through the norm's gain and the unembedding."""
    model = made()
    last = Site(model.sizes.n_layers - 1, "M")
    sae = an_sae(site=last)
    tokens = lens_tokens(model, sae, [3, 8])
    names = model.unembedding
    gain = model.tensor(names.norm_weight).double() + names.plus
    for row, direction in zip(tokens, sae.rows([3, 8]).double(), strict=True):
        direction = direction - direction.mean() if names.kind == "layer" else direction
        effect = model.tensor(names.unembed).double() @ (direction * gain)
        assert row.tolist() == effect.argsort(descending=True)[: choice.LENS].tolist()
    assert lens_tokens(model, an_sae(site=Site(0, "I")), [3]) is None


def test_a_feature_whose_row_raises_its_words_wins():
    """Planted: feature 0 writes the unembedding of its own targets, the others write noise."""
    model, own = toy_llama(tie_word_embeddings=False), owns()
    unembed = model.tensor(model.unembedding.unembed)
    rows = np.random.default_rng(0).normal(size=(6, D)) / 5
    rows[0] = unembed[list(own[0].targets)].sum(0).numpy() * 2
    sae = live(replace(sae_of(0 * rows, np.zeros(6), rows, np.zeros(D)), site=Site(1, "R")))
    result = scores(model, sae, own, list(range(6)), PROMPTS, strength=1.0)
    assert result.own.argmax() == 0 and result.own[0] > 0.1 and (result.kl > 0).all()


def test_meaning_is_the_mean_cosine_of_pairs():
    model = toy_llama()
    a, b, c = model.model.get_input_embeddings().weight[[5, 6, 7]].double()
    cosine = torch.nn.functional.cosine_similarity
    expected = np.mean([float(cosine(p, q, dim=0)) for p, q in ((a, b), (a, c), (b, c))])
    assert choice.meaning(model, [5, 6, 7]) == pytest.approx(expected)
    assert np.isnan(choice.meaning(model, [5]))


# --- the choice ---------------------------------------------------------------------------------


def test_the_choice_and_its_controls():
    own = owns(8)
    own[3] = own[3]._replace(words=own[0].words)  # shares the words of 0: no control of it
    values = np.array([0.1, 0.5, 0.4, 0.0, 0.3, 0.2, 0.05, 0.06])
    nan = np.array([np.nan, *values[1:]])
    groups, controls = choose(own, range(8), Scores(values, nan, values, values), -values, n=2)
    assert groups["own"] == [1, 2] and groups["lens"] == [1, 2] and groups["meaning"] == [3, 6]
    # Nearest in density and maximum: 1 has 0 and 2 beside it, of which 2 is taken.
    assert groups["random"] == [0, 3]
    assert set(controls) == {0, 1, 2, 3, 6}
    assert controls[0] == 1 and controls[3] == 4
    assert all(not set(own[f].words) & set(own[c].words) for f, c in controls.items())
    table = choice.table(
        own, range(8), Scores(values, nan, values, values), -values, groups, controls
    )
    rows = {row["feature"]: row for row in table.to_pylist()}
    assert rows[1]["groups"] == ["own", "lens"] and rows[4]["control"] is None
    assert table.schema == choice.SCHEMA and set(choice_table.DEFINITIONS) <= set(
        choice.SCHEMA.names
    )


def test_a_control_is_needed():
    with pytest.raises(InterventionError, match="Feature 0 has no control"):
        alike(owns(1), [0], 0, set())


def test_a_dead_feature_is_refused():
    with pytest.raises(InterventionError) as error:
        check_alive(owns(2), [0, 5], an_sae())
    assert str(error.value) == (
        "Feature 5 of the SAE at L1R is dead or nearly so: it fires on too few tokens of the "
        "corpus to have a maximum and words. Take another one."
    )
    with pytest.raises(InterventionError, match="has features 0 to 127; got 128"):
        check_alive(owns(2), [128], an_sae())
