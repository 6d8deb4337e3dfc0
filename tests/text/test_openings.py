"""The special tokens that open a row: the tokenizer decides, and says why."""

import json
from pathlib import Path

import pytest
from test_tokens import END, byte_tokenizer, save, table
from tokenizers import Tokenizer, models, pre_tokenizers, processors

from saegrid.text.tokenizer import WITHOUT, Special, load
from saegrid.text.tokens import tokens


def opening(folder: Path, config: dict, **settings: object) -> list[str]:
    """The tokens that open a row for these files of a folder; GPT-2's bytes, one special."""
    save(folder, byte_tokenizer(), **settings)
    (folder / "config.json").write_text(json.dumps(config))
    encoder = load(folder)
    assert encoder.opening["tokens"] == [special.text for special in encoder.prefix]
    assert encoder.opening["because"] and encoder.opening["because"] in encoder.describe()
    return encoder.opening["tokens"]


@pytest.mark.parametrize(
    ("config", "settings", "expected"),
    [
        # Qwen 2, 2.5 and 3: the model's config names an id, the tokenizer says that there is none.
        ({"bos_token_id": 256}, {"bos_token": None, "eos_token": END}, []),
        ({"bos_token_id": 256}, {"add_bos_token": False, "bos_token": None}, []),
        ({"bos_token_id": 256}, {"eos_token": END, "pad_token": END}, []),
        ({"bos_token_id": 256, "model_type": "qwen3"}, {}, []),
        ({"bos_token_id": 256}, {"tokenizer_class": "Qwen2Tokenizer"}, []),
        # A tokenizer that has one but says that texts get none.
        ({}, {"add_bos_token": False, "bos_token": END}, []),
        ({}, {"add_bos_token": True, "bos_token": END}, [END]),
        # Llama 3 without its post-processor, GPT-2 as it is saved.
        ({}, {"bos_token": {"content": END}}, [END]),
        # GPT-2 as it lies on the hub: only the model's config says it.
        ({"bos_token_id": 256, "model_type": "gpt2"}, {"model_max_length": 1024}, [END]),
        ({"bos_token_id": [256, 1]}, {}, [END]),
        ({}, {}, []),
    ],
)
def test_the_tokenizer_decides_whether_a_row_opens_with_bos(
    tmp_path: Path, config: dict, settings: dict, expected: list[str]
) -> None:
    assert opening(tmp_path, config, **settings) == expected
    if config.get("bos_token_id") or settings.get("bos_token"):
        assert load(tmp_path, bos=True).prefix == (Special(256, END),)


def test_a_post_processor_comes_first(tmp_path: Path) -> None:
    """Llama 3, Gemma and Mistral have one; transformers obeys it whatever add_bos_token says."""
    tokenizer = byte_tokenizer()
    tokenizer.post_processor = processors.TemplateProcessing(
        single=f"{END} $A", special_tokens=[(END, 256)]
    )
    for names in ({"bos_token": END}, {"bos_token": END, "add_bos_token": False}):
        encoder = load(save(tmp_path, tokenizer, **names))
        assert encoder.prefix == (Special(256, END),)
        assert encoder.because == "the tokenizer's post-processor puts it there"


def test_transformers_opens_rows_alike(shared_data: Path) -> None:
    from transformers import AutoTokenizer

    toy = Path(__file__).resolve().parents[2] / "resources/toy/model"
    for folder in (toy, shared_data / "stories3M-hf", shared_data / "stories260K-hf"):
        ids = AutoTokenizer.from_pretrained(folder, local_files_only=True)("A dog.").input_ids
        encoder = load(folder)
        found = encoder.encode(["A dog."]).ids.tolist()
        assert ids == [*(special.id for special in encoder.prefix), *found]
    # Its post-processor is lost; it names a BOS, which the model needs.
    assert load(shared_data / "llama3-tokenizer").opening["ids"] == [128000]


def test_ids_of_the_models_config_that_are_no_special_tokens(tmp_path: Path) -> None:
    """Pad 0 is "!", and -1 or an id beyond the vocabulary is no token."""
    folder = save(tmp_path, byte_tokenizer())
    for number in (0, -1, 257, 900, None, "0"):
        ids = {"pad_token_id": number, "eos_token_id": number, "bos_token_id": number}
        (folder / "config.json").write_text(json.dumps(ids))
        encoder = load(folder)
        assert (encoder.special_ids, encoder.prefix, encoder.pad) == ([], (), None)
    exclamations = tokens(
        table((None, "a!!"), (None, "!")), None, encoder, "headline", "difference"
    )
    assert not exclamations.tokens["special"].to_numpy().any()


def test_a_vocabulary_without_a(tmp_path: Path) -> None:
    """Four letters, and what the post-processor puts around them."""
    vocabulary = {name: number for number, name in enumerate(["<cls>", "<eos>", *"ACGT"])}
    tokenizer = Tokenizer(models.BPE(vocab=vocabulary, merges=[]))
    tokenizer.add_special_tokens(["<cls>", "<eos>"])
    tokenizer.post_processor = processors.TemplateProcessing(
        single="<cls> $A <eos>", special_tokens=[("<cls>", 0), ("<eos>", 1)]
    )
    encoder = load(save(tmp_path, tokenizer, cls_token="<cls>", eos_token="<eos>"))
    assert (encoder.prefix, encoder.suffix) == ((Special(0, "<cls>"),), (Special(1, "<eos>"),))
    found = tokens(table((None, "ACCA")), None, encoder, "headline", "difference").tokens
    assert found["text"].to_pylist() == ["<cls>", *"ACCA", "<eos>"]


FAILING = Path(__file__).resolve().parents[3] / "shared/failing/tokenizers"


@pytest.mark.parametrize(
    ("name", "prefix", "special"),
    [
        ("qwen2", [], [0]),
        ("pad0", [], []),
        ("padneg", [0], [0, 1]),
        ("dna", [0], [0, 1]),
        ("dbos", [0], [0]),
        ("gpt2old", None, None),
    ],
)
def test_tokenizers_that_were_read_wrong(name: str, prefix: list, special: list) -> None:
    if not FAILING.is_dir():
        pytest.skip("needs the tokenizers that failed: no ../shared/failing beside the repository")
    if prefix is None:
        with pytest.raises(ValueError, match=r"vocab\.json and merges\.txt .* which class"):
            load(FAILING / name)
        return
    encoder = load(FAILING / name)
    assert (encoder.opening["ids"], encoder.special_ids) == (prefix, special)


@pytest.mark.parametrize("named", ["qwen2", "pad0", "padneg", "dna", "dbos"])
def test_rows_are_those_of_transformers_or_the_reason_says_not(named: str) -> None:
    from transformers import AutoTokenizer

    folder = FAILING / named
    if not folder.is_dir():
        pytest.skip("needs the tokenizers that failed: no ../shared/failing beside the repository")
    encoder = load(folder)
    expected = AutoTokenizer.from_pretrained(folder, local_files_only=True)("ACGT dog.").input_ids
    found = encoder.encode(["ACGT dog."]).ids.tolist()
    found += [special.id for special in encoder.suffix]
    opening = [special.id for special in encoder.prefix]
    if encoder.because.endswith(WITHOUT):
        assert expected == found and opening
    else:
        assert expected == opening + found


@pytest.mark.parametrize("names", [{}, {"add_bos_token": False}, {"add_eos_token": True}])
@pytest.mark.parametrize("single", ["$A", f"{END} $A", f"$A {END}", f"{END} $A {END}"])
def test_post_processors_decide_as_in_transformers(
    tmp_path: Path, single: str, names: dict[str, bool]
) -> None:
    from transformers import AutoTokenizer

    tokenizer = byte_tokenizer()
    tokenizer.post_processor = processors.TemplateProcessing(
        single=single, special_tokens=[(END, 256)]
    )
    folder = save(tmp_path, tokenizer, bos_token=END, eos_token=END, **names)
    encoder = load(folder)
    expected = AutoTokenizer.from_pretrained(folder, local_files_only=True)("A").input_ids
    opening = [] if encoder.because.endswith(WITHOUT) else [s.id for s in encoder.prefix]
    assert expected == [*opening, 32, *(s.id for s in encoder.suffix)]
    assert encoder.closing["ids"] == [s.id for s in encoder.suffix]


def test_padding_is_recorded(tmp_path: Path) -> None:
    encoder = load(save(tmp_path, byte_tokenizer(), pad_token=END))
    assert encoder.padding == {
        "tokens": [END],
        "ids": [256],
        "because": "the tokenizer names it as pad_token",
    }


def older_files(folder: Path, **names: object) -> Path:
    """GPT-2's files of old: bytes, two merges, an end of text."""
    alphabet = sorted(pre_tokenizers.ByteLevel.alphabet())
    vocabulary = {token: n for n, token in enumerate([*alphabet, "he", "Ġhe", END])}
    (folder / "vocab.json").write_text(json.dumps(vocabulary), encoding="utf-8")
    (folder / "merges.txt").write_text("#version: 0.2\nh e\nĠ he\n", encoding="utf-8")
    (folder / "tokenizer_config.json").write_text(json.dumps(names))
    return folder


def test_older_files_make_a_tokenizer(tmp_path: Path) -> None:
    from transformers import GPT2Tokenizer

    folder = older_files(tmp_path, tokenizer_class="GPT2Tokenizer", bos_token=END)
    encoder = load(folder)
    text = "he said hehe"
    ids = encoder.encode([text]).ids.tolist()
    assert ids[:2] == [256, 220] and 257 in ids
    assert ids == GPT2Tokenizer.from_pretrained(folder)(text).input_ids
    assert encoder.prefix == (Special(258, END),)
    (folder / "tokenizer_config.json").write_text(json.dumps({"bos_token": END}))
    (folder / "config.json").write_text(json.dumps({"model_type": "gpt2"}))
    assert load(folder).encode([text]).ids.tolist() == ids


@pytest.mark.parametrize(
    ("names", "drop", "what"),
    [
        ({}, [], "nothing says of which class they are. Name it as tokenizer_class"),
        ({"tokenizer_class": "GPT2Tokenizer"}, ["merges.txt"], "merges.txt is missing beside"),
        ({"tokenizer_class": "GPT2Tokenizer"}, ["vocab.json"], "vocab.json is missing beside"),
    ],
)
def test_older_files_that_do_not_suffice(
    tmp_path: Path, names: dict[str, str], drop: list[str], what: str
) -> None:
    folder = older_files(tmp_path, **names)
    for name in drop:
        (folder / name).unlink()
    with pytest.raises(ValueError, match=what):
        load(folder)


def test_a_model_of_sentencepiece_needs_its_packages(tmp_path: Path) -> None:
    (tmp_path / "tokenizer.model").write_bytes(b"\n\x01\x02no model")
    (tmp_path / "tokenizer_config.json").write_text('{"tokenizer_class": "LlamaTokenizer"}')
    with pytest.raises(ValueError, match=r"holds tokenizer\.model.*sentencepiece"):
        load(tmp_path)


def test_what_surrounds_a_text_is_told_from_a_text_of_the_same_token(tmp_path: Path) -> None:
    """A vocabulary in which the first text is the unknown token, which is BOS too."""
    tokenizer = Tokenizer(models.WordLevel({"<|e|>": 0, "A": 1, "C": 2}, unk_token="<|e|>"))
    tokenizer.pre_tokenizer = pre_tokenizers.Whitespace()
    tokenizer.add_special_tokens(["<|e|>"])
    tokenizer.post_processor = processors.TemplateProcessing(
        single="<|e|> $A", special_tokens=[("<|e|>", 0)]
    )
    encoder = load(save(tmp_path, tokenizer, bos_token="<|e|>"))
    assert encoder.prefix == (Special(0, "<|e|>"),) and encoder.suffix == ()


def test_a_post_processor_that_splits_a_text_is_refused(tmp_path: Path) -> None:
    tokenizer = byte_tokenizer()
    tokenizer.post_processor = processors.TemplateProcessing(
        single=f"$A {END} $A", special_tokens=[(END, 256)]
    )
    with pytest.raises(ValueError, match="its post_processor must put special tokens before"):
        load(save(tmp_path, tokenizer))


def test_of_several_ends_the_first_special_one_counts(tmp_path: Path) -> None:
    save(tmp_path, byte_tokenizer())
    (tmp_path / "config.json").write_text('{"eos_token_id": [5, 256]}')
    assert load(tmp_path).eos == Special(256, END)


@pytest.mark.parametrize(
    ("name", "content", "message"),
    [
        ("tokenizer_config.json", '{"bos_token": 5}', "bos_token in tokenizer_config.json"),
        ("tokenizer_config.json", "[]", "a JSON object was expected, got list"),
        ("special_tokens_map.json", "[" * 100_000, "this is no JSON"),
        ("tokenizer.json", "version https://git-lfs", "it may be cut short, or a pointer"),
    ],
)
def test_damaged_files_are_named(tmp_path: Path, name: str, content: str, message: str) -> None:
    save(tmp_path, byte_tokenizer())
    (tmp_path / name).write_text(content)
    with pytest.raises(ValueError, match=message):
        load(tmp_path)


def test_a_byte_order_mark_before_settings_is_passed_over(tmp_path: Path) -> None:
    save(tmp_path, byte_tokenizer())
    text = json.dumps({"bos_token": END})
    (tmp_path / "tokenizer_config.json").write_text(text, encoding="utf-8-sig")
    assert load(tmp_path).prefix == (Special(256, END),)


def test_a_named_token_within_a_text_is_plain_text_however_it_was_added(tmp_path: Path) -> None:
    tokenizer = byte_tokenizer()
    tokenizer.add_tokens(["</s>"])
    encoder = load(save(tmp_path, tokenizer, eos_token="</s>"))
    assert encoder.eos is not None
    assert encoder.eos.id not in encoder.encode(["x</s>y"]).ids.tolist()
