"""Lexicons: which concepts there are, which words belong to them, and files that cannot be used."""

import csv
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from saegrid.text.lexicons import LEXICONS
from saegrid.text.lexicons.lexicon import (
    Concept,
    Lexicon,
    LexiconError,
    lexicon_files,
    read_lexicon,
    read_lexicons,
)
from saegrid.text.lexicons.membership import (
    WordType,
    akin,
    end_of_compound,
    membership,
    usual_file,
    word_types,
)
from saegrid.text.lexicons.names import in_words
from saegrid.text.lexicons.wordnet import RULES, read_wordnet
from saegrid.text.wordlists import normal, read_lists

REPOSITORY = Path(__file__).parents[2]
TOY = "lists:resources/toy/topics.yaml"


def lists(**topics: list[str]) -> Lexicon:
    return Lexicon("own", "", tuple(Concept(n, n, tuple(words)) for n, words in topics.items()))


def concepts_of(lexicon: Lexicon, *words: str) -> set[str]:
    """The concepts of a type that has these words."""
    members, matrix = membership([lexicon], [WordType(read_wordnet().lemma(words[0]), words)])
    return {members[i].concept for i in np.flatnonzero(matrix[0])}


# --------------------------------------------------------------------------- word types


def test_word_types():
    types, numbers = word_types(["Cats", "dog", "cat’s", "big dog", "...", "", "dancing", "danced"])
    assert types == [
        WordType("cat", ("cat", "cats")),
        WordType("dance", ("danced", "dancing")),
        WordType("dog", ("dog",)),
    ]
    assert numbers.tolist() == [0, 2, 0, 2, -1, -1, 1, 1]
    assert word_types([])[0] == []


@given(st.lists(st.sampled_from(["Cats", "cat", "ran", "run", "hot dog", "dogs", "!", "has"])))
def test_types_do_not_depend_on_order(words):
    types, numbers = word_types(words)
    again, other = word_types(words[::-1])
    assert again == types and other.tolist() == numbers.tolist()[::-1]


# --------------------------------------------------------------------------- membership

FOOD = lists(
    food=["cake", "ham", "sausages", "pie"], animals=["horse", "cat", "mice", "roach", "mare"]
)


@pytest.mark.parametrize(
    ("words", "concepts"),
    [
        (["cake"], {"food"}),
        (["cakes", "caked"], {"food"}),
        (["sausage"], {"food"}),  # one lemma with a listed word
        (["mouse"], {"animals"}),
        (["pancakes"], {"food"}),
        (["cup-cake"], {"food"}),
        (["cat-cake"], {"food"}),  # WordNet does not know it
        (["seahorse"], {"animals"}),
        (["cockroach"], {"animals"}),
        (["hamster"], set()),
        (["magpie"], set()),  # 3 letters
        (["sawhorse"], set()),  # WordNet knows it: an artifact
        (["nightmare"], set()),
        (["xyzcake"], set()),  # xyz is no word
        (["wildcats"], set()),  # the lemma cat has 3 letters
        (["covfefe"], set()),
        (["hot", "hotter"], set()),
    ],
)
def test_members_of_lists(words, concepts):
    assert concepts_of(FOOD, *words) == concepts


def test_a_listed_word_is_no_compound():
    both = lists(food=["cake"], sports=["pancake"])
    assert concepts_of(both, "pancakes") == {"sports"}
    assert concepts_of(both, "cheesecake") == {"food"}


def test_inflections_go_by_the_part_of_speech():
    lexicon = lists(a=["dance"], b=["bowling", "stocking", "pants"], c=["sings"], d=["bees"])
    assert concepts_of(lexicon, "danced") == concepts_of(lexicon, "dancing") == {"a"}
    assert concepts_of(lexicon, "bowling", "bowl") == {"b"} and concepts_of(lexicon, "pants") == {
        "b"
    }
    for word in ("bowl", "stock", "panting", "is", "being"):
        assert concepts_of(lexicon, word) == set()
    assert concepts_of(lexicon, "sang") == {"c"} and concepts_of(lexicon, "bee") == {"d"}


ENDS = {
    "pancake": "cake", "cup-cake": "cake", "vice-president": "president", "timeshare": "share",
    "cockroach": "roach", "superheroes": "hero", "videogame": "game", "mother-and-child": None,
    "carpet": None, "season": None, "legend": None, "toad": None, "hamster": None, "island": None,
    "mushroom": "room", "nightmare": "mare", "beginning": None, "totally": None,
    "hoedown": None, "spamming": None, "airborne": None, "non-profit": None, "cake": None,
    "-cake": None, "cup-": None, "cup--cake": None, "": None, "guidance": "dance",
}  # fmt: skip


AKIN = {
    "pancake": True, "cockroach": True, "mushroom": False, "nightmare": False, "sawhorse": False,
    "egghead": False, "hotelroom": True,
}  # fmt: skip
"""True for words that share the concept of their end: a list of it alone, and of animals."""


@pytest.mark.parametrize(("word", "is_akin"), AKIN.items())
def test_akin(word, is_akin):
    end = end_of_compound(word, read_wordnet())
    usual = {"cake": "noun.food", "room": "noun.artifact", "head": "noun.body"}
    assert akin(word, end, usual.get(end, "noun.animal"), read_wordnet()) == is_akin


def test_usual_file():
    assert usual_file(["cake", "pizza", "pie", "ran"], read_wordnet()) == "noun.food"
    assert usual_file(["covfefe"], read_wordnet()) is None


@pytest.mark.parametrize(("word", "end"), ENDS.items())
def test_end_of_compound(word, end):
    assert end_of_compound(word, read_wordnet()) == end


@pytest.mark.parametrize(
    ("words", "concepts"),
    [
        (["cat"], {"noun.animal"}),
        (["kiss"], {"noun.act"}),
        (["kissed"], {"verb.contact"}),
        (["kiss", "kissed"], {"noun.act", "verb.contact"}),
        (["pants"], {"noun.artifact"}),  # by the word, not by the lemma pant
        (["cheesesteaks"], {"noun.food"}),  # WordNet does not know it
        (["carpet", "season", "toad"], {"noun.artifact", "noun.time", "noun.animal"}),
        (["he"], set()),
        (["beautiful"], set()),
    ],
)
def test_members_of_wordnet(words, concepts):
    assert concepts_of(read_lexicon("wordnet"), *words) == concepts


def test_a_type_without_words_goes_by_its_lemma():
    types = [WordType("cat", ())]
    assert membership([read_lexicon("wordnet"), FOOD], types)[1].sum() == 2


@pytest.mark.parametrize("rule", RULES)
def test_members_are_those_of_lexnames(rule):
    """For words that WordNet knows, each with itself as its type."""
    wordnet, lexicon = read_wordnet(), read_lexicon("wordnet", rule)
    words = ["dog", "ran", "Kisses", "tweeting", "toupees", "presidents", "news", "burger", "me"]
    types = [WordType(wordnet.lemma(normal(word)), (normal(word),)) for word in words]
    members, matrix = membership([lexicon], types)
    for row, word in zip(matrix, words, strict=True):
        names = {members[i].concept for i in np.flatnonzero(row)}
        assert names == set(wordnet.lexnames(word, rule))
    assert lexicon.senses == rule


def test_concepts_are_in_order_and_each_lexicon_is_by_itself():
    lexicons = read_lexicons(["lists", "wordnet", TOY])
    types, _ = word_types(["cat", "pizza", "danced", "cup-cakes", "covfefe", "he", "lingerie"])
    members, matrix = membership(lexicons, types)
    assert [(m.lexicon, m.concept) for m in members] == [
        (lexicon.name, concept.name) for lexicon in lexicons for concept in lexicon.concepts
    ]
    assert matrix.shape == (7, 10 + 41 + 8) and matrix.dtype == bool
    alone = [membership([lexicon], types)[1] for lexicon in lexicons]
    assert (np.concatenate(alone, axis=1) == matrix).all()
    turned = membership(lexicons, types[::-1])[1]
    assert (turned[::-1] == matrix).all()
    assert membership([], types)[1].shape == (7, 0)


# --------------------------------------------------------------------------- lexicons


def test_every_lexicon_has_source_and_licence():
    for name in LEXICONS:
        lexicon = read_lexicon(name)
        assert lexicon.notice.endswith(".") and "\n" not in lexicon.notice
        assert "licence" in lexicon.notice or "MIT" in lexicon.notice
        names = [concept.name for concept in lexicon.concepts]
        assert len(set(names)) == len(names) > 0
        assert all(concept.words and concept.title for concept in lexicon.concepts)


def test_wordnet_names():
    lexicon = read_lexicon("wordnet")
    titles = {concept.name: concept.title for concept in lexicon.concepts}
    assert len(titles) == 41 and list(titles)[:2] == ["noun.Tops", "noun.act"]
    assert titles["noun.food"] == "food (noun)" and titles["verb.motion"] == "motion (verb)"
    assert titles["noun.Tops"] == "most general things (noun)"
    assert {name: in_words(name) for name in titles} == titles and in_words("food") == "food"
    words = {concept.name: concept.words for concept in lexicon.concepts}
    assert "penguin" in words["noun.animal"] and "eat" in words["verb.consumption"]
    assert list(words["noun.food"]) == sorted(words["noun.food"])
    assert sum(map(len, words.values())) < sum(
        len(concept.words) for concept in read_lexicon("wordnet", "two").concepts
    )


def test_lists_are_those_of_their_files():
    for name, path in (("lists", "resources/topics/english.yaml"), (TOY, TOY[6:])):
        lexicon = read_lexicon(name)
        topics = {concept.name: list(concept.words) for concept in lexicon.concepts}
        assert topics == read_lists(REPOSITORY / path) and lexicon.senses == ""
    english = read_lexicon("lists")
    assert english.name == "english" and english.concepts[6].title == "music and dance"
    assert english.notice.endswith("licence: MIT, as the repository.")
    assert read_lexicon(TOY).name == "topics"


def test_own_lists_wherever_one_stands(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    Path("mine.yaml").write_text(
        "meta: {name: mine, source: 'By hand. Long story.', licence: CC0}\n"
        "topics: {fruit_and_nuts: [plum, nut]}\n"
    )
    assert read_lexicon("lists:mine.yaml") == Lexicon(
        "mine",
        "Lists mine (mine.yaml): By hand; licence: CC0.",
        (Concept("fruit_and_nuts", "fruit and nuts", ("plum", "nut")),),
    )
    assert len(read_lexicon("categories").concepts) == 30  # from the repository
    names = ["lists:mine.yaml", "wordnet", "categories", "lists:mine.yaml"]
    table = str(REPOSITORY / "resources/lexicons/wordnet.tsv.gz")
    assert lexicon_files(names) == [table, "mine.yaml", str(REPOSITORY / "config/categories.yaml")]


POLES = [
    ("good", "bad"), ("life", "death"), ("obscene", "non-obscene"), ("money", "no-money"),
    ("high stature", "low stature"),
]  # fmt: skip


def test_categories():
    lexicon = read_lexicon("categories")
    concepts = {concept.name: concept for concept in lexicon.concepts}
    poles = [name for pair in POLES for name in pair]
    assert list(concepts)[:10] == poles and len(concepts) == 30
    assert concepts["good"].title == "good (against bad)"
    assert concepts["animals"].words == ("dog", "monkey", "puppy", "cats", "duck")
    for pole in poles:
        words = concepts[pole].words
        assert 30 <= len(words) <= 60 and list(words) == sorted(words)
    for pole, other in POLES:
        types = [WordType(read_wordnet().lemma(word), (word,)) for word in concepts[pole].words]
        members, matrix = membership([lexicon], types)
        columns = [member.concept for member in members]
        assert matrix[:, columns.index(pole)].all()
        assert not matrix[:, columns.index(other)].any()  # inflections and compounds too


# --------------------------------------------------------------------------- mistakes


@pytest.mark.parametrize(
    ("name", "message"),
    [
        (
            "wordnett",
            "lexicon 'wordnett' is unknown. Did you mean 'wordnet'? "
            "Known: categories, lists, wordnet.",
        ),
        (
            "wordnet:mine.yaml",
            "lexicon 'wordnet:mine.yaml': a file is named as in lists:my/topics.yaml; "
            "wordnet alone reads resources/lexicons/wordnet.tsv.gz.",
        ),
        (
            "lists:",
            "lexicon 'lists:': a file is named as in lists:my/topics.yaml; "
            "lists alone reads resources/topics/english.yaml.",
        ),
        (
            "lists:nowhere.yaml",
            "nowhere.yaml: this list of words is not there. Mend the path, from the "
            "folder of the repository, or write the file as in resources/topics/english.yaml.",
        ),
    ],
)
def test_names_that_lead_nowhere(name, message):
    with pytest.raises(LexiconError) as error:
        read_lexicon(name)
    assert str(error.value) == message


def test_a_rule_that_is_none():
    with pytest.raises(LexiconError, match="must be one of first, two, all; got 'best'"):
        read_lexicon("wordnet", "best")


def test_one_name_twice():
    with pytest.raises(LexiconError) as error:
        read_lexicons(["lists", "lists:resources/topics/english.yaml"])
    assert str(error.value) == (
        "lexicon 'lists:resources/topics/english.yaml': there is another one named 'english'. "
        "Name each once, or give its file another meta.name."
    )


@pytest.mark.parametrize(
    ("body", "message"),
    [
        (
            "topic: {a: [ham]}",
            "the key 'topic' is unknown. Did you mean 'topics'? Known: topics, meta, news.",
        ),
        (
            "topics: {a: [ham]}\nowner: me",
            "the key 'owner' is unknown. Known: topics, meta, news.",
        ),
        ("topics: {a: []}", "topics.a must be a list of words; got []."),
        ("topics: {}", "topics must be a mapping of topics to word lists."),
        ("topics: {1: [ham]}", "the topic 1 must be a text; quote it."),
        ("", "a lexicon is a mapping, as in `topics: {food: [ham, pie]}`; got None."),
        (
            "topics: {a: [ham]}\nmeta: x",
            "meta must be a mapping, as in `meta: {name: mine, source: by hand}`; got 'x'.",
        ),
        ("topics: {a: [no]}", None),
        ("topics: [", None),
        (b"\xff\xfe", None),
    ],
)
def test_lists_that_cannot_be_used(tmp_path, body, message):
    path = tmp_path / "mine.yaml"
    path.write_bytes(body if isinstance(body, bytes) else body.encode())
    with pytest.raises(LexiconError) as error:
        read_lexicon(f"lists:{path}")
    text = str(error.value)
    assert text.startswith(f"{path}: ") and "\n" not in text and text.endswith(".")
    assert message is None or text == f"{path}: {message}"


def test_a_folder_is_no_list(tmp_path):
    with pytest.raises(LexiconError, match=r"this list of words cannot be read: Is a directory\.$"):
        read_lexicon(f"lists:{tmp_path}")


@pytest.mark.parametrize(
    ("body", "message"),
    [
        ("cluster: []", "the key 'cluster' is unknown. Did you mean 'clusters'? "),
        ("clusters: {a: b}", "clusters must be a list of mappings"),
        ("clusters: [{words: [a]}]", "label must be a text in each entry; got None."),
        ("clusters: [{label: a, words: []}]", "a must have a list of words; got []."),
        ("clusters: [{label: a, words: [A]}]", "a: a word must be one lower-case word; got 'A'."),
        ("clusters: [{label: a, words: [b, b]}]", "a: 'b' stands there twice."),
        (
            "clusters: [{label: a, words: [b]}, {label: a, words: [c]}]",
            "two concepts are named 'a'. Rename one.",
        ),
        ("categories: [a]", "there is no concept with words, as in "),
        (
            "oppositions: [{name: good, opposed: bad, words: [kind]}]",
            "bad must have a list of words; got None.",
        ),
    ],
)
def test_categories_that_cannot_be_used(tmp_path, body, message):
    from saegrid.text.lexicons.categories import read

    path = tmp_path / "categories.yaml"
    path.write_text(body)
    with pytest.raises(LexiconError) as error:
        read(path, "first")
    assert str(error.value).startswith(f"{path}: {message}")


# --------------------------------------------------------------------------- with real edits


def test_edits_of_headlines(shared_data):
    """WordNet has a concept for 94.5 % of 3,682 types, for 33 of these by compounds alone."""
    with (shared_data / "humicroedit/train.csv").open(newline="", encoding="utf-8") as file:
        types, numbers = word_types([row["edit"] for row in csv.DictReader(file)])
    assert len(types) == 3_682 and numbers.min() == 0
    shares = {"first": (0.9451, 0.998), "two": (0.9451, 1.392), "all": (0.9451, 1.968)}
    for rule, (share, mean) in shares.items():
        matrix = membership([read_lexicon("wordnet", rule)], types)[1]
        assert round(matrix.any(axis=1).mean(), 4) == share
        assert round(matrix.sum(axis=1).mean(), 3) == mean
    wordnet = read_wordnet()
    unknown = [i for i, own in enumerate(types) if not any(map(wordnet.known, own.words))]
    assert int(matrix[unknown].any(axis=1).sum()) == 33
    english = membership([read_lexicon("lists")], types)[1].any(axis=1)
    assert round(english.mean(), 4) == 0.1841
    assert round(english[numbers].mean(), 4) == 0.3392
