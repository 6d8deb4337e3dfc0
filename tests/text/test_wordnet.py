"""WordNet's table: hard words, senses, what is above them, and its recipe."""

import csv
import gzip
import re
import subprocess
import sys
import time
import zlib
from pathlib import Path

import pytest

from saegrid.text.lexicons.lexicon import LexiconError
from saegrid.text.lexicons.wordnet import (
    FUNCTION_WORDS,
    NOUN,
    TABLE,
    VERB,
    WordNet,
    _read,
    read_wordnet,
)
from saegrid.text.wordlists import normal

REPOSITORY = Path(__file__).parents[2]
RECIPE = REPOSITORY / "resources/lexicons/rebuild.py"


@pytest.fixture(scope="module")
def wordnet() -> WordNet:
    return read_wordnet()


LEMMAS = {
    "men": "man", "women": "woman", "mice": "mouse", "ladies": "lady", "buses": "bus",
    "boxes": "box", "geese": "goose", "children": "child", "feet": "foot", "churches": "church",
    "dishes": "dish", "cupsful": "cupful", "thieves": "thief",
    "dancing": "dance", "ran": "run", "tweeted": "tweet", "tried": "try",
    "news": "news",  # no plural
    "glasses": "glass", "pants": "pant",  # nouns of their own, and forms of a shorter verb
    "his": "his", "does": "does",  # words of grammar
    "this": "this", "us": "us", "boss": "boss", "happiness": "happiness",
    "bees": "bee", "runes": "rune",  # plurals, and forms of shorter verbs
    "tigers": "tiger", "canaries": "canary", "ate": "eat",  # names too
    "better": "better", "saw": "saw", "lives": "life",
    "Men's": "man", "‘CATS’": "cat", "dog’s": "dog", "hot dogs": "dog", "covfefe": "covfefe",
    "...": "", "": "",
}  # fmt: skip


@pytest.mark.parametrize(("word", "lemma"), LEMMAS.items())
def test_lemma(wordnet, word, lemma):
    assert wordnet.lemma(word) == lemma


def test_a_lemma_is_its_own(wordnet):
    """But for those that are irregular forms of another word too, such as axes and ax."""
    words = [word for word in wordnet.lemmas(NOUN) if normal(word) == word][::7]
    moved = [word for word in words if wordnet.lemma(wordnet.lemma(word)) != wordnet.lemma(word)]
    assert len(moved) < 0.001 * len(words)


def test_bases(wordnet):
    assert (wordnet.base("dancing", NOUN), wordnet.base("dancing", VERB)) == ("dancing", "dance")
    assert (wordnet.base("glasses", NOUN), wordnet.base("his", NOUN)) == ("glasses", None)
    assert wordnet.known("toupees") and not wordnet.known("covfefe") and not wordnet.known("")


FILES = {
    "cat": ("noun.animal", "noun.person", "noun.artifact", "noun.act"),
    "penguins": ("noun.animal",),
    "run": (
        "noun.act", "noun.event", "noun.group", "noun.time", "noun.state", "noun.quantity",
        "noun.object", "noun.attribute",
    ),
    "dog": ("noun.animal", "noun.person", "noun.food", "noun.artifact"),
    "president": ("noun.person", "noun.act"),
    "toupee": ("noun.artifact",),
    "tweet": ("noun.event",),  # of 2006: the sound of a bird
    "pants": ("noun.artifact",),
    "ate": ("verb.consumption", "verb.emotion", "verb.change"),
    "burger": ("noun.food", "noun.person"),  # before Warren Burger
    "bikinis": ("noun.artifact", "noun.location"),
    "beautiful": (),
    "his": (),
    "does": (),
}  # fmt: skip
TWO = {"run": 1, "president": 1, "ate": 1}
"""Number of different files of the first two senses, where it is not as many as there are."""


@pytest.mark.parametrize(("word", "files"), FILES.items())
def test_lexnames(wordnet, word, files):
    assert wordnet.lexnames(word, "all") == files
    assert wordnet.lexnames(word, "two") == files[: TWO.get(word, 2)]
    assert wordnet.lexnames(word, "first") == files[:1]


def test_a_noun_that_names_a_file_belongs_to_it(wordnet):
    for name in wordnet.names:
        pos, _, title = name.partition(".")
        if pos == NOUN and title not in ("Tops", "motive"):
            assert name in wordnet.lexnames(title, "all")
    assert wordnet.lexnames("food", "first") == ("noun.food",)
    assert wordnet.lexnames("entity", "first") == ("noun.Tops",)


def test_names(wordnet):
    assert len(wordnet.names) == len(set(wordnet.names)) == 41
    assert sum(name.startswith("noun.") for name in wordnet.names) == 26
    assert (len(wordnet._senses[NOUN]), len(wordnet._senses[VERB])) == (57_506, 8_700)
    assert not {"in", "he", "does"} & wordnet.lemmas(NOUN).keys()


def test_ancestors(wordnet):
    cat, entity = wordnet.senses("cat", NOUN)[0], wordnet.senses("entity", NOUN)[0]
    above = wordnet.ancestors(cat)
    steps = [wordnet.senses(word, NOUN)[0] for word in ("feline", "carnivore", "animal", "entity")]
    assert [above.index(step) for step in steps] == sorted(above.index(step) for step in steps)
    assert above[0] == steps[0] and above[-1] == entity and cat not in above
    assert len(set(above)) == len(above)
    assert wordnet.ancestors(entity) == ()
    assert wordnet.senses("city", NOUN)[0] in wordnet.ancestors(wordnet.senses("paris", NOUN)[0])
    run, move = wordnet.senses("run", VERB)[0], wordnet.senses("travel", VERB)[0]
    assert move in wordnet.ancestors(run)


def test_every_noun_is_an_entity(wordnet):
    """WordNet has one most general noun, so that no parent is lost."""
    entity = wordnet.senses("entity", NOUN)[0]
    for synsets in list(wordnet.lemmas(NOUN).values())[::97]:
        for synset in synsets:
            assert synset == entity or entity in wordnet.ancestors(synset)


def test_a_rule_that_is_none(wordnet):
    with pytest.raises(LexiconError) as error:
        wordnet.lexnames("cat", "second")
    assert str(error.value) == "The rule of senses must be one of first, two, all; got 'second'."


CASES = {"none": None, "no gzip": b"x", "no words": gzip.compress(b"s\tx\t0\n")}


@pytest.mark.parametrize("content", CASES.values(), ids=CASES)
def test_a_table_that_cannot_be_used(tmp_path, content):
    path = tmp_path / "wordnet.tsv.gz"
    if content is not None:
        path.write_bytes(content)
    with pytest.raises(LexiconError, match=r"WordNet's table, but it .*rebuild\.py\.$") as error:
        read_wordnet(path)
    assert str(error.value).startswith(str(path.resolve()))


def test_it_is_small_and_quickly_read():
    path = REPOSITORY / TABLE
    assert path.stat().st_size < 10**6
    assert path.read_bytes()[3:8] == bytes(5)  # neither a name nor a date
    start = time.process_time()
    _read.__wrapped__(path)
    assert time.process_time() - start < 0.5
    assert read_wordnet() is read_wordnet(path)


def test_the_notice_goes_with_the_table():
    notice = (REPOSITORY / "resources/lexicons/WORDNET-LICENSE").read_text().split()
    lines = gzip.decompress((REPOSITORY / TABLE).read_bytes()).decode().splitlines()
    head = [line.removeprefix("#") for line in lines if line.startswith("#")]
    assert " ".join(notice) in " ".join(" ".join(head).split())


# --------------------------------------------------------------------------- with WordNet's files


def test_the_recipe_makes_the_same_bytes(wordnet_files, tmp_path):
    out = tmp_path / "made.gz"
    subprocess.run([sys.executable, RECIPE, wordnet_files, "--out", out], check=True)
    made, committed = out.read_bytes(), (REPOSITORY / TABLE).read_bytes()
    assert gzip.decompress(made) == gzip.decompress(committed)
    if "ng" not in zlib.ZLIB_RUNTIME_VERSION:  # which packs otherwise
        assert made == committed


def test_a_folder_without_wordnet(tmp_path):
    ended = subprocess.run([sys.executable, RECIPE, tmp_path], capture_output=True, text=True)
    assert ended.returncode == 1 and ended.stderr.count("\n") == 1
    assert ended.stderr.startswith(f"{tmp_path} lacks index.noun, data.noun, index.verb")
    assert "apt-get install wordnet-base" in ended.stderr


def test_senses_and_files_are_wordnets(wordnet, wordnet_files):
    """Read from WordNet's lines by patterns, for every word; the parents of every sense too."""
    for pos in (NOUN, VERB):
        file_of, parents_of = {}, {}
        for line in (wordnet_files / f"data.{pos}").read_text("latin-1").splitlines():
            if not line.startswith(" "):
                file_of[line[:8]] = int(line[9:11])
                parents_of[line[:8]] = re.findall(
                    rf"@i? (\d{{8}}) {pos[0]} 0000", line.split("|")[0]
                )
        number_of, words = {}, set()
        for line in (wordnet_files / f"index.{pos}").read_text("latin-1").splitlines():
            word, *fields = line.split()
            if not line.startswith(" ") and "_" not in word:
                offsets = [field for field in fields if len(field) == 8 and field.isdigit()]
                numbers = [int(x.strip("*")) for x in wordnet._senses[pos][word].split()]
                assert len(numbers) == len(offsets)
                number_of.update(zip(offsets, numbers, strict=True))
                words.add(word)
        assert words == set(wordnet._senses[pos])
        first = {NOUN: 3, VERB: 29 - 26}[pos]
        for offset, number in number_of.items():
            file = int(wordnet._synsets[number][0])
            assert file + first == file_of[offset]
            for parent, above in zip(parents_of[offset], wordnet.parents(number), strict=True):
                assert number_of.get(parent, above) == above


# --------------------------------------------------------------------------- with real edits


def test_edits_of_headlines(wordnet, shared_data):
    """4,665 case-folded edits are 3,682 types, and 86.1 % of these lemmas are nouns.

    The prototype counted 3,688 types and 86.5 %. Twelve words differ: names (`tigers`, `canaries`,
    `laws`, `primates`, `skivvies`, `ate`, `born`), words of grammar (`his` was hi, `has` ha and
    `being` be), `bees` (was be) and `comics` (was comic_strip, which is no word here). The 30 words
    of grammar among the edits are no nouns here: `he` was helium and `me` Maine.
    By its own words 85.6 % of the types are nouns: `ran` is a verb though `run` is a noun.
    """
    with (shared_data / "humicroedit/train.csv").open(newline="", encoding="utf-8") as file:
        edits = [row["edit"] for row in csv.DictReader(file)]
    own = {}
    for edit in edits:
        own.setdefault(wordnet.lemma(edit), set()).add(edit.casefold())
    words = set().union(*own.values())
    assert (len(edits), len(words), len(own)) == (9_652, 4_665, 3_682)
    nouns = sum(wordnet.part(lemma) == NOUN for lemma in own)
    assert round(nouns / len(own), 4) == 0.8615
    by_words = sum(any(wordnet.part(word) == NOUN for word in words) for words in own.values())
    assert round(by_words / len(own), 4) == 0.8555
    assert len(words & FUNCTION_WORDS) == 30
