"""The sampling of text from a template grammar, for the corpus kind `generated`.

A grammar is one YAML file beside its word lists (`resources/toy/grammar.yaml` explains the
notation). The same grammar, count and seed give the same texts.
"""

from __future__ import annotations

import random
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import yaml

from saegrid.base.io import read_yaml

_SYMBOL = re.compile(r"\{([^{}]*)\}")
# What a text draws once and keeps, and the tables from which it draws.
_KEPT = {"topic": "topic", "other": "topic", "letter": "letter"}
_MIN_LETTER_WORDS = 6  # a rarer first letter makes no list


class GrammarError(ValueError):
    """An error of a grammar file that cannot be used; the message names the file and the key."""


@dataclass(frozen=True)
class Grammar:
    """A checked grammar: `rules` by name, `tables[name][row]` word lists, `start` weights."""

    rules: Mapping[str, list[str]]
    tables: Mapping[str, Mapping[str, list[str]]]
    start: Mapping[str, float]
    extra: Mapping[str, list[str]] = field(default_factory=dict)


def texts(grammar: Path, n: int, seed: int) -> Iterator[str]:
    """Yield `n` texts of a grammar file, the same ones for the same seed."""
    loaded = load(grammar)
    rng = random.Random(seed)
    names, weights = list(loaded.start), list(loaded.start.values())
    for _ in range(n):
        yield sample(loaded, rng.choices(names, weights)[0], rng)


def files(grammar: Path) -> list[Path]:
    """Return the files that a grammar consists of: its own and that of its words."""
    return [Path(grammar), Path(grammar).parent / str(_mapping(grammar, ("words",))["words"])]


def sample(grammar: Grammar, rule: str, rng: random.Random) -> str:
    """Return one expansion of `rule`; no word of a list comes twice while others are left."""
    topic, other = rng.sample(sorted(grammar.tables["topic"]), 2)
    kept = {"topic": topic, "other": other, "letter": rng.choice(sorted(grammar.tables["letter"]))}
    used: set[str] = set()

    def word(symbol: str) -> str:
        name, _, part = symbol.partition(".")
        if part == "name":
            return kept[name]
        if name in _KEPT:
            table = _KEPT[name] + ("." + part if part else "")
            choices = grammar.tables[table][kept[name]]
        else:
            choices = grammar.rules[symbol]
        chosen = rng.choice([c for c in choices if c not in used] or choices)
        if "{" in chosen:
            return expand(chosen)
        used.add(chosen)
        return chosen

    def expand(template: str) -> str:
        return _SYMBOL.sub(lambda match: word(match[1]), template)

    return expand(rng.choice(grammar.rules[rule]))


def load(path: Path) -> Grammar:
    """Return the grammar of a YAML file and its word file, or raise `GrammarError`."""
    raw = _mapping(path, ("words", "topic_words", "start", "rules"))
    words_path = Path(path).parent / str(raw["words"])
    words = _mapping(words_path, ("topics", "news"))
    topics = _lists(words["topics"], words_path, "topics")
    news = _lists(words["news"], words_path, "news")
    if len(topics) < 2:
        raise GrammarError(f"{words_path}: topics: expected at least two, found {len(topics)}")
    tables = _word_tables(topics, news)
    for part, rows in raw["topic_words"].items():
        tables[f"topic.{part}"] = _lists(rows, path, f"topic_words.{part}")
        if missing := sorted(set(topics) - set(tables[f"topic.{part}"])):
            raise GrammarError(f"{path}: topic_words.{part}: no words for {', '.join(missing)}")
    extra = _lists(raw.get("headlines", {}), path, "headlines")
    rules = {**news, "ing": _all_gerunds(topics, news), **_lists(raw["rules"], path, "rules")}
    grammar = Grammar(rules | extra, tables, raw["start"], extra)
    _check(grammar, path)
    return grammar


def _mapping(path: Path, keys: tuple[str, ...]) -> dict[str, Any]:
    try:
        raw = read_yaml(path)
    except (OSError, yaml.YAMLError) as error:
        raise GrammarError(f"{path}: cannot be read as YAML: {error}") from error
    for key in keys:
        if not isinstance(raw, dict) or not raw.get(key):
            raise GrammarError(f"{path}: {key}: expected an entry, found none")
    return raw


def _lists(raw: Any, path: Path, key: str) -> dict[str, list[str]]:
    if not isinstance(raw, dict):
        raise GrammarError(f"{path}: {key}: expected a mapping of lists, found {raw!r}")
    for name, entries in raw.items():
        if not (isinstance(entries, list) and entries and all(isinstance(e, str) for e in entries)):
            raise GrammarError(f"{path}: {key}.{name}: expected a list of strings (quote yes/no)")
    return raw


def _word_tables(
    topics: dict[str, list[str]], news: dict[str, list[str]]
) -> dict[str, dict[str, list[str]]]:
    letters: dict[str, list[str]] = {}
    for word in (w for group in (*topics.values(), *news.values()) for w in group):
        if word.islower():
            letters.setdefault(word[0], []).append(word)
    return {
        "topic": {t: [w for w in ws if not w.endswith("ing")] for t, ws in topics.items()},
        "topic.ing": {t: [w for w in ws if w.endswith("ing")] for t, ws in topics.items()},
        "letter": {k: ws for k, ws in letters.items() if len(ws) >= _MIN_LETTER_WORDS},
    }


def _all_gerunds(topics: dict[str, list[str]], news: dict[str, list[str]]) -> list[str]:
    lists = (*topics.values(), *news.values())
    return [word for words in lists for word in words if word.endswith("ing")]


def _check(grammar: Grammar, path: Path) -> None:
    known = set(grammar.rules) | {f"{kept}.name" for kept in _KEPT}
    for kept, table in _KEPT.items():
        known |= {kept + t.removeprefix(table) for t in grammar.tables if t.split(".")[0] == table}
    for rule, templates in grammar.rules.items():
        for symbol in (s for template in templates for s in _SYMBOL.findall(template)):
            if symbol not in known:
                raise GrammarError(f"{path}: rules.{rule}: unknown symbol {{{symbol}}}")
    if not isinstance(grammar.start, dict) or not set(grammar.start) <= set(grammar.rules):
        raise GrammarError(f"{path}: start: expected rules and weights, found {grammar.start!r}")
