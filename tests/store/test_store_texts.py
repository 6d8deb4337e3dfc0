"""Streamed texts: the same ones in the same order whatever they lie in, in bounded memory."""

import csv
import json
import shutil
import tracemalloc
from itertools import islice
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from loopback import COMMIT, serve, use
from saegrid.store import texts as streams
from saegrid.store.texts import Offset, names, texts
from saegrid.text.corpora.rows import CorpusError
from stores import contents, make, make_model

HARD = ['one, "two"', "three\nfour", " five — ‘six’ ", "<|endoftext|>?", "seven", "e\u0301ight"]


def read(source, at=Offset(), met=lambda number, file: None):  # noqa: B008
    return list(texts(source, names(source), at, met))


def only_texts(source):
    return [found.text for found in read(source)]


def test_the_stories_are_those_between_the_separators(shared_data):
    path = shared_data / "corpus-tinystories-sample/tinystories_sample.txt"
    separator = "<|endoftext|>"
    source = {"kind": "text", "files": {"train": str(path)}, "separator": separator}
    found = read(source)
    assert [text.text for text in found] == path.read_text().split(separator)
    assert len(found) == 2317
    assert [text.index for text in found] == list(range(2317))
    assert found[0].text.startswith("One day, a little girl named Lily")
    # Entered late: the same texts under the same numbers.
    assert read(source, Offset(0, 2000)) == found[2000:]


def test_a_mark_at_the_beginning_is_no_text(shared_data):
    path = shared_data / "corpus-wikitext2-valtest/valid.txt"
    found = only_texts({"kind": "text", "files": {"all": str(path)}})
    assert found[0] == " = Homarus gammarus = "
    assert all(text.strip() for text in found)


def test_files_come_in_order_and_a_star_by_name(shared_data):
    books = shared_data / "corpus-gutenberg/books"
    source = {"kind": "text", "files": {"all": f"{books}/*.txt"}, "separator": "\n\n"}
    listed = names(source)
    assert [Path(path).name for path in listed] == sorted(p.name for p in books.iterdir())
    met = []
    found = read(source, met=lambda number, file: met.append((number, file.name)))
    assert met == [(n, Path(path).name) for n, path in enumerate(listed)]
    assert [text.file for text in found] == sorted(text.file for text in found)
    late = next(n for n, text in enumerate(found) if text.file == 3 and text.index == 5)
    assert read(source, Offset(3, 5)) == found[late:]


@pytest.mark.parametrize("separator", ["\n", "\n\n", "---", "\n---\n", "aa"])
@pytest.mark.parametrize("chunk", [1, 2, 3, 7, 1000])
def test_separators_at_the_ends_of_chunks(tmp_path, monkeypatch, separator, chunk):
    whole = "xaaay\n\n\n---\nz\n----\r\n\r\naa\r\n---\r\naaaa b—c\n\n"
    path = tmp_path / "t.txt"
    path.write_bytes(whole.encode())
    monkeypatch.setattr(streams, "CHUNK", chunk)
    expected = [text for text in whole.replace("\r\n", "\n").split(separator) if text.strip()]
    source = {"kind": "text", "files": {"all": str(path)}, "separator": separator}
    assert only_texts(source) == expected


def write_all(folder, listed):
    """The same texts in every kind of file, as sources."""
    (folder / "t.jsonl").write_text(
        "\n".join(json.dumps({"n": n, "story": text}) for n, text in enumerate(listed))
    )
    with (folder / "t.csv").open("w", newline="", encoding="utf-8") as file:
        csv.writer(file).writerows([["n", "story"], *enumerate(listed)])
    pq.write_table(pa.table({"n": range(len(listed)), "story": listed}), folder / "t.parquet")
    return {
        kind: {
            "kind": kind,
            "files": {"train": str(folder / f"t.{kind}")},
            "columns": {"text": "story"},
        }
        for kind in ("jsonl", "csv", "parquet")
    }


def test_every_kind_of_file_gives_the_same_texts(tmp_path):
    for kind, source in write_all(tmp_path, HARD).items():
        assert only_texts(source) == HARD, kind
        assert [text.text for text in read(source, Offset(0, 4))] == HARD[4:]


def test_what_cannot_be_used_keeps_its_place(tmp_path):
    sources = write_all(tmp_path, ["a", "", "b"])
    for kind, source in sources.items():
        found = [(text.index, text.text, text.problem) for text in read(source)]
        assert found == [(0, "a", None), (1, "", "no text"), (2, "b", None)], kind
    (tmp_path / "t.csv").write_bytes(b'n,story\n1,a\n2,"x"y\n3\n4,\xff\n5,b\n')
    problems = [text.problem for text in read(sources["csv"])]
    assert problems == [None, "stray quote", "number of cells", "not UTF-8", None]


def test_mistakes_name_file_and_column(tmp_path):
    sources = write_all(tmp_path, HARD)
    for source in sources.values():
        wrong = {**source, "columns": {"text": "stroy"}}
        with pytest.raises(CorpusError, match=r"no column 'stroy'.* Did you mean 'story'\?"):
            read(wrong)
    with pytest.raises(CorpusError, match="cannot be streamed; expected one of csv, hub"):
        names({"kind": "generated"})
    with pytest.raises(CorpusError, match=r"nowhere\.txt is not there"):
        names({"kind": "text", "files": {"all": "nowhere.txt"}})


def test_a_file_without_text_stops_no_stream(tmp_path):
    """It is met hours after the start, and is set aside as a text would be."""
    for name, text in (("a", "one\ntwo\n"), ("b", "\n \n"), ("c", "three\n")):
        (tmp_path / f"{name}.txt").write_text(text)
    source = {"kind": "text", "files": {"all": str(tmp_path / "*.txt")}}
    found = list(texts(source, names(source)))
    assert [(text.file, text.index, text.text) for text in found] == [
        (0, 0, "one"),
        (0, 1, "two"),
        (1, 0, ""),
        (2, 0, "three"),
    ]
    assert [text.problem for text in found] == [None, None, "a file without text", None]
    for n, place in ((1, Offset(1, 0, 2)), (0, Offset(1, 1, 3))):
        later = list(texts(source, names(source), place))
        assert [text.text for text in later] == [""] * n + ["three"]


def test_a_text_without_end_is_refused(tmp_path, monkeypatch):
    monkeypatch.setattr(streams, "LONGEST", 100)
    monkeypatch.setattr(streams, "CHUNK", 10)
    (tmp_path / "t.txt").write_text("word " * 100)
    with pytest.raises(CorpusError, match="more than 100 characters without the separator"):
        read({"kind": "text", "files": {"all": str(tmp_path / "t.txt")}})


def test_memory_does_not_grow_with_the_files(tmp_path):
    listed = ["word " * 200] * 30_000  # 30 MB
    (tmp_path / "t.txt").write_text("\n".join(listed))
    sources = write_all(tmp_path, listed)
    text = {"kind": "text", "files": {"all": str(tmp_path / "t.txt")}}
    for kind, source in {**sources, "text": text}.items():
        tracemalloc.start()
        n = sum(1 for _ in texts(source, names(source)))
        peak = tracemalloc.get_traced_memory()[1]
        tracemalloc.stop()
        print(kind, peak)
        assert n == len(listed)
        assert peak < 9e6, kind


# --- the hub ------------------------------------------------------------------------------------


@pytest.fixture
def hub(tmp_path, monkeypatch):
    """A hub with a data set of three files and a script that must never be fetched."""
    folder = tmp_path / "hub/datasets/some/stories"
    folder.mkdir(parents=True)
    for number in range(3):
        listed = [f"text {number} {n}" for n in range(4)]
        pq.write_table(pa.table({"text": listed}), folder / f"part-{number}.parquet")
    (folder / "stories.py").write_text("raise SystemExit('remote code ran')")
    with serve(tmp_path / "hub") as running:
        use(running, monkeypatch, tmp_path / "cache")
        monkeypatch.setenv("HF_ENDPOINT", running.url)
        monkeypatch.setenv("HF_HUB_CACHE", str(tmp_path / "cache"))
        yield running


def hub_source(**changes):
    files = {"train": [f"part-{n}.parquet" for n in range(3)]}
    return {"kind": "hub", "repo": "some/stories", "revision": COMMIT, "files": files, **changes}


def test_texts_from_the_hub_come_file_by_file_one_ahead(hub):
    source = hub_source()
    assert not hub.gets
    stream = texts(source, names(source))
    first = list(islice(stream, 4))
    assert [text.text for text in first] == [f"text 0 {n}" for n in range(4)]
    # The second is fetched while the first is in use, the third is not yet.
    assert "datasets/some/stories/part-2.parquet" not in hub.fetched()
    rest = [text.text for text in stream]
    assert rest == [f"text {f} {n}" for f in (1, 2) for n in range(4)]
    fetched = {f"datasets/some/stories/part-{n}.parquet": 1 for n in range(3)}
    assert hub.fetched() == fetched
    # Again, and late: from the hub's own cache.
    assert [text.text for text in read(source, Offset(2, 1))] == rest[5:]
    assert hub.fetched() == fetched
    with pytest.raises(CorpusError, match="Loading scripts are never run"):
        names(hub_source(files={"train": "stories.py"}))


def test_a_store_of_texts_from_the_hub_grows_without_fetching_what_it_knows(hub, tmp_path):
    model, first = make_model(tmp_path / "model"), {"files": {"train": "part-0.parquet"}}
    make(tmp_path / "s", model, hub_source(**first), ["L0R"], shard_tokens=4)
    shutil.rmtree(tmp_path / "cache")
    found = make(tmp_path / "s", model, hub_source(), ["L0R"], shard_tokens=4)
    # The last shard was full; of the first file nothing but its place was needed to go on.
    names = [f"some/stories@{COMMIT}/part-{n}.parquet" for n in range(3)]
    assert [file["name"] for file in found.files] == names
    make(tmp_path / "once", model, hub_source(), ["L0R"], shard_tokens=4)
    assert contents(tmp_path / "s") == contents(tmp_path / "once")
    again = hub.fetched().copy()
    shutil.rmtree(tmp_path / "cache")
    make(tmp_path / "s", {"path": "nowhere"}, hub_source(), ["L0R"], shard_tokens=4)
    assert hub.fetched() == again


def test_a_folder_may_stand_in_for_the_hub(hub):
    folder = str(hub.root / "datasets/some/stories")
    source = hub_source(repo=folder, files={"train": "part-*.parquet"})
    assert names(source) == [f"part-{n}.parquet" for n in range(3)]
    assert only_texts(source) == only_texts(hub_source())
