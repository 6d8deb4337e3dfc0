"""Judging features by word lists and by form."""

import itertools
from collections import Counter
from pathlib import Path

import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st

from saegrid.features.topics import SCHEMA, SUMMARY, judge, judge_with, shuffled, summary
from saegrid.text.wordlists import TopicsError, normal, read_lists

ENGLISH = Path(__file__).parents[2] / "resources" / "topics" / "english.yaml"
TOY = ENGLISH.parents[1] / "toy" / "topics.yaml"
FOOD = ["cheese", "ham", "soup", "pie", "cake", "bread", "taco", "apple"]
LISTS = {"food": FOOD, "animals": ["hamster", "cow", "dog", "cat", "hen", "owl"]}


def shown(*features: list[str], ids: list[int] | None = None) -> pa.Table:
    """Top tokens with these words, a list a feature; every token has its own item."""
    ids = list(range(len(features))) if ids is None else ids
    rows = [
        {"feature": feature, "example_rank": rank, "item": rank, "word": word, "activation": 1.0}
        for feature, words in zip(ids, features, strict=True)
        for rank, word in enumerate(words)
    ]
    schema = [("feature", pa.int32()), ("example_rank", pa.int32()), ("item", pa.int32())]
    schema += [("word", pa.string()), ("activation", pa.float32())]
    return pa.Table.from_pylist(rows, pa.schema(schema))


def first(*words: str, **how: int) -> dict[str, object]:
    return judge(shown(list(words)), LISTS, **how).to_pylist()[0]


def cycle(words: list[str], n: int) -> list[str]:
    return list(itertools.islice(itertools.cycle(words), n))


def test_sixteen_of_twenty_and_six_words_find_a_topic():
    row = first(*cycle(FOOD[:6], 16), "tax", "wall", "vote", "law")
    assert row == {
        "feature": 0,
        "n_shown": 20,
        "topic": "food",
        "n_topic": 16,
        "n_words": 6,
        "found": True,
        "letter": "c",  # cheese 3 times, cake twice
        "n_letter": 5,
        "suffix": "eese",
        "n_suffix": 3,
        "n_distinct": 10,
        "n_headlines": 20,
        "form": None,
        "label": "food",
    }


@pytest.mark.parametrize(("on", "words"), [(15, 6), (16, 5)])
def test_one_less_finds_none(on, words):
    row = first(*cycle(FOOD[:words], on), *["tax", "wall", "vote", "law", "oil"][: 20 - on])
    assert (row["topic"], row["n_topic"], row["n_words"]) == ("food", on, words)
    assert not row["found"] and row["label"] is None


def test_whole_words_count_and_not_the_token():
    # A feature on the token "ham" of hamster is about animals.
    row = first(*["hamster"] * 7)
    assert (row["topic"], row["n_topic"], row["n_words"]) == ("animals", 7, 1)
    assert first("hammer", "Scheese")["topic"] is None


@pytest.mark.parametrize(
    ("word", "expected"),
    [
        ("Ham", "ham"),
        (" ham ", "ham"),
        ("ham's", "ham"),
        ("ham’s", "ham"),
        ("cows'", "cows"),
        ('"Ham!"', "ham"),
        ("STRASSE", "strasse"),
        ("Straße", "strasse"),
        ("hip-hop", "hip-hop"),
        ("...", ""),
        ("", ""),
        ("'s", "s"),
    ],
)
def test_normal(word, expected):
    assert normal(word) == expected
    assert normal(expected) == expected


def test_ties_go_by_words_then_by_list():
    assert first("cow", "cow", "ham", "pie")["topic"] == "food"
    assert first("ham", "ham", "cow", "dog")["topic"] == "animals"
    assert first("ham", "cow")["topic"] == "food"


def test_a_word_in_two_lists_counts_for_both():
    lists = {"food": ["chicken", "ham"], "animals": ["chicken", "cow", "dog"]}
    table = shown(["chicken", "cow", "dog"], ["chicken", "ham"])
    rows = judge(table, lists, need_on_topic=2, need_words=2).to_pylist()
    assert [(r["topic"], r["n_topic"]) for r in rows] == [("animals", 3), ("food", 2)]


def test_only_the_first_active_tokens_count_in_the_order_of_their_rank():
    table = shown(["cow", "cow", "ham"])
    backwards = table.take([2, 1, 0])
    assert judge(backwards, LISTS, n_top=2).to_pylist()[0]["n_topic"] == 2
    silent = table.set_column(4, "activation", pa.array([1.0, 0.0, 0.0], pa.float32()))
    row = judge(silent, LISTS).to_pylist()[0]
    assert (row["n_shown"], row["n_topic"], row["n_headlines"]) == (1, 1, 1)
    assert judge(table.drop_columns("activation"), LISTS).to_pylist()[0]["n_shown"] == 3


def test_the_order_of_features_stays():
    table = shown(["cow"], ["ham"], ["dog"], ids=[7, 2, 5])
    assert judge(table, LISTS)["feature"].to_pylist() == [7, 2, 5]


C_WORDS = ["cheese", "cow", "clown", "Congress", "Cuba", "crayon", "Canada"]
ING_WORDS = ["sing", "running", "Bribing", "waking", "eating", "dozing", "gaming"]


def test_form_by_letter():
    row = first(*cycle(C_WORDS, 18), "tax", "law")
    assert (row["letter"], row["n_letter"]) == ("c", 18)
    assert row["form"] == row["label"] == 'starts with "c"'
    assert first(*cycle(C_WORDS, 17), "tax", "law", "oil")["form"] is None


def test_a_form_that_explains_more_takes_the_place_of_a_topic():
    # Six words of one ending that happen to be in one list, and more of that ending beside them.
    lists = {"food": ING_WORDS[1:]}
    by_chance = [*cycle(ING_WORDS[1:], 16), "voting", "leaking", "denying", "suing"]
    row = judge(shown(by_chance), lists).to_pylist()[0]
    assert (row["n_topic"], row["n_words"], row["n_suffix"]) == (16, 6, 20)
    assert not row["found"] and row["label"] == 'ends with "ing"'
    # Where the list holds as many, it is a topic whose words share an ending.
    row = judge(shown(cycle(ING_WORDS[1:], 20)), lists).to_pylist()[0]
    assert row["found"] and (row["label"], row["form"]) == ("food", 'ends with "ing"')


def test_form_by_ending():
    row = first(*cycle(ING_WORDS[1:], 20))
    assert (row["suffix"], row["n_suffix"]) == ("ing", 20)
    assert row["form"] == 'ends with "ing"'


def test_an_ending_needs_a_stem_of_two_letters():
    row = first(*["sing", "king", "ring", "bing", "ping", "ding", "ting"] * 2, *["wing"] * 6)
    assert (row["suffix"], row["n_suffix"]) == ("ng", 20)


def test_the_longest_pure_ending_is_named_though_a_shorter_one_is_commoner():
    words = [*cycle(ING_WORDS[1:], 19), "belong"]
    row = first(*words)
    assert (row["suffix"], row["n_suffix"]) == ("ing", 19)


def test_forms_of_one_word_are_no_form():
    dance = ["dance", "dancer", "dancing", "dances", "danced", "dancers", "danceable"]
    row = first(*cycle(dance, 20))
    assert (row["letter"], row["n_letter"], row["form"]) == ("d", 20, None)
    assert first(*cycle(C_WORDS[:5], 20))["form"] is None


def test_the_purer_form_is_named():
    both = ["calling", "counting", "cycling", "cooking", "crying", "cutting"]
    assert first(*cycle(both, 20))["form"] == 'ends with "ing"'
    assert first(*cycle(both, 19), "cheese")["form"] == 'starts with "c"'


def test_a_topic_that_is_found_gives_the_label_and_the_form_stays():
    lists = {"verbs": [word.lower() for word in ING_WORDS]}
    row = judge(shown(cycle(ING_WORDS[1:], 20)), lists).to_pylist()[0]
    assert (row["label"], row["form"]) == ("verbs", 'ends with "ing"')


def test_need_of_a_form_follows_n_top():
    words = cycle(C_WORDS, 9)
    assert first(*words, "tax", n_top=10)["form"] == 'starts with "c"'
    assert first(*words[:8], "tax", "law", n_top=10)["form"] is None


def test_words_without_letters_are_shown_and_count_nowhere():
    row = first("!!", "", "7up", "ham")
    assert (row["n_shown"], row["n_distinct"], row["letter"], row["n_letter"]) == (4, 2, "h", 1)


def test_no_feature_and_no_list():
    empty = judge(shown(), LISTS)
    assert (empty.num_rows, empty.schema) == (0, SCHEMA)
    row = judge(shown(["ham"]), {}).to_pylist()[0]
    assert (row["topic"], row["n_topic"], row["found"]) == (None, 0, False)
    nothing = judge(shown(["!!"]), LISTS).to_pylist()[0]
    assert (nothing["topic"], nothing["letter"], nothing["suffix"]) == (None, None, None)


WORDS = st.lists(
    st.sampled_from([*FOOD, *LISTS["animals"], *ING_WORDS, "Tax", "??", "cows'"]), max_size=12
)


@given(st.lists(WORDS.filter(bool), min_size=1, max_size=5))
def test_counts_are_those_of_a_plain_loop(features):
    for words, row in zip(features, judge(shown(*features), LISTS).to_pylist(), strict=True):
        plain = [normal(word) for word in words]
        on = {topic: [w for w in plain if w in listed] for topic, listed in LISTS.items()}
        best = max(LISTS, key=lambda t: (len(on[t]), len(set(on[t]))))
        assert (row["n_topic"], row["n_words"]) == (len(on[best]), len(set(on[best])))
        assert row["topic"] == (best if on[best] else None)
        letters = Counter(w[0] for w in plain if w[:1].isalpha())
        assert row["n_letter"] == max(letters.values(), default=0)
        endings = Counter(w[-n:] for w in plain for n in (2, 3, 4) if len(w) >= n + 2)
        assert row["n_suffix"] == max(endings.values(), default=0)
        assert endings[row["suffix"]] == row["n_suffix"]
        assert row["n_distinct"] == len(set(plain) - {""})


@given(st.lists(WORDS.filter(bool), min_size=2, max_size=5))
def test_a_feature_is_judged_by_itself(features):
    together = judge(shown(*features), LISTS).to_pylist()
    alone = [judge(shown(words, ids=[i]), LISTS).to_pylist()[0] for i, words in enumerate(features)]
    assert together == alone


def test_summary_takes_the_best_feature_of_each_topic():
    table = shown(["cow"] * 20, cycle(FOOD, 16), cycle(FOOD[:6], 18), ["tax"], ids=[4, 9, 3, 1])
    found = summary(judge(table, LISTS), [*LISTS, "jobs"])
    assert found.schema == SUMMARY
    rows = [tuple(row.values()) for row in found.to_pylist()]
    assert rows == [
        ("food", 3, 18, 18, 6, True, 2),
        ("animals", 4, 20, 20, 1, False, 0),
        ("jobs", None, 0, 0, 0, False, 0),
    ]


def test_shuffled_lists_keep_words_sizes_and_overlaps():
    lists = read_lists(ENGLISH)
    mixed = shuffled(lists, 1)
    assert {t: len(words) for t, words in mixed.items()} == {t: len(w) for t, w in lists.items()}

    def repeats(some):
        return sorted(Counter(itertools.chain(*some.values())).values())

    assert set(itertools.chain(*mixed.values())) == set(itertools.chain(*lists.values()))
    assert repeats(mixed) == repeats(lists)
    shared = [len(set(mixed[topic]) & set(lists[topic])) for topic in lists]
    assert max(shared) < 60  # about 10 % of each stay by chance
    assert shuffled(lists, 1) == mixed != shuffled(lists, 2)


def test_the_english_lists():
    lists = read_lists(ENGLISH)
    assert list(lists) == [
        "food",
        "animals",
        "clothing",
        "body",
        "sex",
        "fantasy",
        "music_and_dance",
        "religion",
        "jobs",
        "kids",
    ]
    assert all(120 <= len(words) <= 250 for words in lists.values())
    assert all(words == sorted(words) for words in lists.values())
    assert max(Counter(itertools.chain(*lists.values())).values()) == 2


def test_the_toy_lists_can_be_read():
    assert len(read_lists(TOY)) == 8


def test_judge_with_a_config(tmp_path):
    path = tmp_path / "lists.yaml"
    path.write_text("topics: {food: [ham, pie]}\n")
    settings = {"lists": str(path), "need_on_topic": 2, "need_words": 2}
    table = shown(["ham", "pie"])
    items = table["item"].to_pylist()
    # Two edits of one original, and a row that belongs to no item.
    tokens = pa.table({"item": [*items, -1], "group": [0] * len(items) + [7]})
    judged = judge_with(table, settings, 20, tokens)
    assert judged["label"].to_pylist() == ["food"]
    assert judged["n_headlines"].to_pylist() == [1]
    assert judge_with(table, settings, 1, tokens)["label"].to_pylist() == [None]
    without = judge_with(table, settings | {"lists": None}, 20, tokens)
    assert without["topic"].to_pylist() == [None]


@pytest.mark.parametrize(
    ("body", "message"),
    [
        ("[]", "topics must be a mapping of topics to word lists."),
        ("topics: {}", "topics must be a mapping of topics to word lists."),
        ("topics: {a: ham}", "topics.a must be a list of words; got 'ham'."),
        (
            "topics: {a: [no]}",
            "topics.a: a word must be one lower-case word; got False. "
            "Quote words that YAML reads as truth values, like 'no'.",
        ),
        (
            "topics: {a: [Ham]}",
            "topics.a: a word must be one lower-case word; got 'Ham'. "
            "Quote words that YAML reads as truth values, like 'no'.",
        ),
        ("topics: {a: [ham, ham]}", "topics.a: 'ham' stands there twice."),
    ],
)
def test_lists_that_cannot_be_used(tmp_path, body, message):
    path = tmp_path / "lists.yaml"
    path.write_text(body)
    with pytest.raises(TopicsError) as error:
        read_lists(path)
    assert str(error.value) == f"{path}: {message}"


def test_published_findings_of_form(shared_data):
    """S0.26: three of the ten named features are named by their form, and no other one is."""
    import json

    path = shared_data / "published-dashboards" / "named_features_top20.json"
    named = json.loads(path.read_text(encoding="utf-8"))
    features = {f["feature"]: f["top20_edit_words"] for f in named if f["top20_edit_words"]}
    rows = judge(shown(*features.values()), read_lists(ENGLISH)).to_pylist()
    forms = {name: row["form"] for name, row in zip(features, rows, strict=True) if row["form"]}
    assert forms == {
        "L23R-32x:6528": 'starts with "c"',
        "L15R-32x:13952": 'starts with "s"',
        "L15R-32x:6272": 'ends with "ing"',
    }
