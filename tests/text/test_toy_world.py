"""The embedded toy world: the facts of its files, and the generator behind them."""

from __future__ import annotations

import csv
import json
import re
from collections import Counter, defaultdict
from fractions import Fraction
from itertools import combinations
from pathlib import Path

import pytest
import yaml
from safetensors import safe_open
from tokenizers import Tokenizer

from saegrid.text.corpora import generated

TOY = Path(__file__).resolve().parents[2] / "resources" / "toy"
MARKER = re.compile(r"<([^<>]+)/>")


@pytest.fixture(scope="module")
def topics() -> dict[str, list[str]]:
    return yaml.safe_load((TOY / "topics.yaml").read_text(encoding="utf-8"))["topics"]


@pytest.fixture(scope="module")
def headlines() -> list[dict[str, str]]:
    with (TOY / "headlines.csv").open(encoding="utf-8", newline="") as file:
        return list(csv.DictReader(file))


@pytest.fixture(scope="module")
def tokenizer() -> Tokenizer:
    return Tokenizer.from_file(str(TOY / "model" / "tokenizer.json"))


def by_topic(
    rows: list[dict[str, str]], topics: dict[str, list[str]]
) -> tuple[Counter[str], dict[str, set[str]]]:
    topic_of = {word: topic for topic, words in topics.items() for word in words}
    counts: Counter[str] = Counter()
    distinct: dict[str, set[str]] = defaultdict(set)
    for row in rows:
        if topic := topic_of.get(row["edit"]):
            counts[topic] += 1
            distinct[topic].add(row["edit"])
    return counts, distinct


# ------------------------------------------------------------------ word lists
def test_topics_are_eight_disjoint_lists_of_single_words(topics: dict[str, list[str]]) -> None:
    expected = {"food", "animals", "clothing", "body", "sex", "fantasy", "music", "jobs"}
    assert set(topics) == expected
    for words in topics.values():
        assert len(words) == len(set(words)) >= 24
        assert all(re.fullmatch("[a-z]+", word) for word in words)
    for one, other in combinations(topics.values(), 2):
        assert not set(one) & set(other)


def test_news_words_are_of_no_topic(topics: dict[str, list[str]]) -> None:
    news = yaml.safe_load((TOY / "topics.yaml").read_text(encoding="utf-8"))["news"]
    of_topics = {word for words in topics.values() for word in words}
    assert not of_topics & {word.lower() for words in news.values() for word in words}


def test_every_topic_has_gerunds(topics: dict[str, list[str]]) -> None:
    assert all(sum(w.endswith("ing") for w in words) >= 4 for words in topics.values())


# ------------------------------------------------------------------ headlines
def test_headlines_have_humicroedits_columns_and_size(headlines: list[dict[str, str]]) -> None:
    assert list(headlines[0]) == ["id", "original", "edit", "grades", "meanGrade", "split"]
    assert len(headlines) >= 720
    assert len({row["id"] for row in headlines}) == len(headlines)


def test_headlines_have_one_marker_and_a_one_word_edit(headlines: list[dict[str, str]]) -> None:
    lengths = Counter()
    for row in headlines:
        (replaced,) = MARKER.findall(row["original"])
        lengths[len(replaced.split())] += 1
        assert re.fullmatch("[A-Za-z]+", row["edit"])
        assert row["edit"].lower() != replaced.lower()
    assert set(lengths) == {1, 2}


def test_grades_are_five_falling_digits_and_their_exact_mean(
    headlines: list[dict[str, str]],
) -> None:
    for row in headlines:
        assert re.fullmatch("[0-3]{5}", row["grades"])
        assert list(row["grades"]) == sorted(row["grades"], reverse=True)
        assert Fraction(row["meanGrade"]) == Fraction(sum(map(int, row["grades"])), 5)


def test_edits_are_balanced_over_the_topics(
    headlines: list[dict[str, str]], topics: dict[str, list[str]]
) -> None:
    counts, distinct = by_topic(headlines, topics)
    assert sum(counts.values()) >= 640
    assert min(counts[topic] for topic in topics) >= 80
    assert min(len(distinct[topic]) for topic in topics) >= 16


def test_half_the_edits_pass_the_studys_filter_in_every_topic(
    headlines: list[dict[str, str]], topics: dict[str, list[str]]
) -> None:
    kept = [row for row in headlines if float(row["meanGrade"]) >= 1.0]
    assert 0.4 <= len(kept) / len(headlines) <= 0.6
    counts, distinct = by_topic(kept, topics)
    assert min(counts[topic] for topic in topics) >= 40
    assert min(len(distinct[topic]) for topic in topics) >= 12


def test_an_original_stands_in_one_split_and_some_are_reused(
    headlines: list[dict[str, str]],
) -> None:
    splits: dict[str, set[str]] = defaultdict(set)
    for row in headlines:
        splits[MARKER.sub(r"\1", row["original"])].add(row["split"])
    assert all(len(of_original) == 1 for of_original in splits.values())
    uses = Counter(row["original"] for row in headlines)
    assert {2, 3} <= set(uses.values())
    shares = Counter(row["split"] for row in headlines)
    assert set(shares) == {"train", "dev", "test"}
    assert shares["train"] > 0.7 * len(headlines)


def test_no_edit_comes_twice_in_one_original(headlines: list[dict[str, str]]) -> None:
    pairs = [(row["original"], row["edit"]) for row in headlines]
    assert len(set(pairs)) == len(pairs)


def test_form_distractors_run_across_topics(
    headlines: list[dict[str, str]], topics: dict[str, list[str]]
) -> None:
    topic_of = {word: topic for topic, words in topics.items() for word in words}
    edits = [row["edit"] for row in headlines if row["edit"] in topic_of]
    gerunds = [word for word in edits if word.endswith("ing")]
    assert len(gerunds) >= 40 and len({topic_of[word] for word in gerunds}) == len(topics)
    for letter in "cs":
        same = [word for word in edits if word.startswith(letter)]
        assert len(same) >= 40 and len({topic_of[word] for word in same}) >= 6


# ------------------------------------------------------------------ tokenizer and model
def test_every_headline_survives_the_tokenizer(
    headlines: list[dict[str, str]], tokenizer: Tokenizer
) -> None:
    for row in headlines:
        for text in (MARKER.sub(r"\1", row["original"]), MARKER.sub(row["edit"], row["original"])):
            ids = tokenizer.encode(text, add_special_tokens=False).ids
            assert tokenizer.decode(ids) == text


def test_the_tokenizer_is_small_and_prepends_bos(tokenizer: Tokenizer) -> None:
    assert 1500 <= tokenizer.get_vocab_size() <= 2500
    for name in ("<|begin_of_text|>", "<|end_of_text|>", "<|pad|>"):
        assert tokenizer.token_to_id(name) is not None
    assert tokenizer.encode(" goat").tokens[0] == "<|begin_of_text|>"
    odd = "Ünïcode 🦙 “quoted” 12.5%"
    assert tokenizer.decode(tokenizer.encode(odd, add_special_tokens=False).ids) == odd


def test_most_topic_words_are_one_token(topics: dict[str, list[str]], tokenizer: Tokenizer) -> None:
    words = [word for group in topics.values() for word in group]
    pieces = [len(tokenizer.encode(" " + word, add_special_tokens=False).ids) for word in words]
    single = sum(n == 1 for n in pieces) / len(pieces)
    assert 0.8 <= single < 1.0


def test_the_model_is_a_llama_of_32_layers_in_half_precision() -> None:
    config = json.loads((TOY / "model" / "config.json").read_text(encoding="utf-8"))
    assert config["architectures"] == ["LlamaForCausalLM"]
    assert config["num_hidden_layers"] == 32
    assert 64 <= config["hidden_size"] <= 96
    with safe_open(TOY / "model" / "model.safetensors", "pt") as weights:
        dtypes = {weights.get_slice(name).get_dtype() for name in weights.keys()}  # noqa: SIM118
    assert dtypes <= {"F16", "BF16"}


def test_the_world_is_small_and_holds_no_pickle() -> None:
    files = [path for path in TOY.rglob("*") if path.is_file() and "__pycache__" not in path.parts]
    assert sum(path.stat().st_size for path in files) < 8_000_000
    assert {path.suffix for path in files} <= {
        ".yaml", ".csv", ".json", ".safetensors", ".py", ".md",
    }  # fmt: skip


# ------------------------------------------------------------------ generator
def test_the_generator_repeats_itself_and_follows_its_seed() -> None:
    grammar = TOY / "grammar.yaml"
    assert list(generated.texts(grammar, 50, 3)) == list(generated.texts(grammar, 50, 3))
    assert list(generated.texts(grammar, 50, 3)) == list(generated.texts(grammar, 80, 3))[:50]
    assert list(generated.texts(grammar, 50, 3)) != list(generated.texts(grammar, 50, 4))


def test_generated_text_has_no_open_symbol_and_every_topic_word(
    topics: dict[str, list[str]],
) -> None:
    sampled = list(generated.texts(TOY / "grammar.yaml", 6000, 1))
    assert not any("{" in text or "}" in text or "  " in text for text in sampled)
    seen = {word for text in sampled for word in text.split()}
    assert {word for words in topics.values() for word in words} <= seen


def small_grammar(folder: Path, **changes: object) -> Path:
    words = {
        "topics": {"food": ["pie", "cake"], "animals": ["cat", "cow"]},
        "news": {"more": ["cup", "can", "cot", "cap"]},
    }
    grammar = {
        "words": "words.yaml",
        "topic_words": {"tail": {"food": ["lunch"], "animals": ["farm"]}},
        "start": {"line": 1},
        "rules": {"line": ["{topic} {topic.tail} {topic.name} {letter.name} {letter} {more}"]},
    }
    (folder / "words.yaml").write_text(yaml.safe_dump(words), encoding="utf-8")
    path = folder / "grammar.yaml"
    path.write_text(yaml.safe_dump(grammar | changes), encoding="utf-8")
    return path


def test_a_text_keeps_its_topic_and_its_letter(tmp_path: Path) -> None:
    expected = {"food": ("lunch", {"pie", "cake"}), "animals": ("farm", {"cat", "cow"})}
    for text in generated.texts(small_grammar(tmp_path), 40, 0):
        word, tail, name, letter, alliterated, _ = text.split()
        assert tail == expected[name][0] and word in expected[name][1]
        assert alliterated.startswith(letter) and alliterated != word


@pytest.mark.parametrize(
    ("changes", "key"),
    [
        ({"rules": {"line": ["{nobody}"]}}, "rules.line"),
        ({"rules": {"line": "not a list"}}, "rules.line"),
        ({"rules": {"line": [True]}}, "rules.line"),
        ({"start": {"nowhere": 1}}, "start"),
        ({"start": None}, "start"),
        ({"topic_words": {"tail": {"food": ["lunch"]}}}, "topic_words.tail"),
    ],
)
def test_a_bad_grammar_names_its_file_and_key(
    tmp_path: Path, changes: dict[str, object], key: str
) -> None:
    path = small_grammar(tmp_path, **changes)
    with pytest.raises(generated.GrammarError, match=re.escape(f"{path}: {key}")):
        list(generated.texts(path, 1, 0))


def test_a_missing_grammar_names_its_file(tmp_path: Path) -> None:
    with pytest.raises(generated.GrammarError, match=r"absent\.yaml"):
        list(generated.texts(tmp_path / "absent.yaml", 1, 0))


# ------------------------------------------------------------------ words of classes
def test_the_words_of_classes_are_those_of_the_topics(topics: dict[str, list[str]]) -> None:
    """resources/gender/rebuild.py makes the file; the blank is how a text has the word."""
    with (TOY.parent / "gender/toy_words.csv").open(encoding="utf-8", newline="") as file:
        rows = [(row["Word"], row["Category"]) for row in csv.DictReader(file)]
    assert rows == [(f" {word}", topic) for topic, words in topics.items() for word in words]
