"""Texts as turns of a chat, and special tokens that are written in texts, against transformers."""

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from test_tokens import byte_tokenizer, save, table
from tokenizers import Tokenizer, decoders, models, pre_tokenizers, processors
from tokenizers.trainers import BpeTrainer

from saegrid.stages.mistakes.model import _chat
from saegrid.text.chat import ChatError, encode
from saegrid.text.tokenizer import Encoder, load
from saegrid.text.tokens import Tokens, remarks, tokens

LLAMA = (
    "{%- for message in messages -%}{%- if loop.first -%}{{ bos_token }}{%- endif -%}"
    "<|start|>{{ message['role'] }}<|end|>\n\n{{ message['content'] | trim }}<|eot|>{%- endfor -%}"
    "{%- if add_generation_prompt -%}<|start|>assistant<|end|>\n\n{%- endif -%}"
)
"""Llama 3's ways: BOS by the template, blanks around a text trimmed."""
QWEN = (
    "{%- if messages[0].role != 'system' %}{{ '<|start|>system\nBe kind.<|eot|>\n' }}{% endif %}"
    "{%- for message in messages %}{{ '<|start|>' + message.role + '\n' + message.content }}"
    "{{- '<|eot|>' + '\n' }}{% endfor %}"
    "{%- if add_generation_prompt %}{{ '<|start|>assistant\n' }}"
    "{%- if thinking is defined and thinking is false %}{{ '<t></t>' }}{% endif %}{% endif %}"
)
"""Qwen's ways: no BOS, a system turn by itself."""
MISTRAL = "{{ bos_token }}{% for m in messages %}[INST] {{ m['content'] }} [/INST]{% endfor %}"
"""Mistral's ways: a blank before the text, which goes into its first token."""
GEMMA = (
    "{% generation %}{{ bos_token }}{% endgeneration %}"
    "{%- if messages[0]['role'] == 'system' %}{{ raise_exception('no system role') }}{% endif %}"
    "{% for m in messages %}<|start|>{{ m['role'] }}\n"
    "{{ m['content'] | trim }}<|eot|>\n{% endfor %}"
)
TEMPLATES = {"llama": LLAMA, "qwen": QWEN, "mistral": MISTRAL, "gemma": GEMMA}
SPECIALS = ["<bos>", "<|start|>", "<|end|>", "<|eot|>", "<pad>"]
TEXTS = [
    "A dog ran.",
    "the cat, the cat",
    "ünï 🎉",
    "user",
    "[INST] x",
    "  two  ",
    "12 dogs\n\nran",
]


def trained(kind: str) -> Tokenizer:
    """A byte-level tokenizer with merges, as Llama 3's, or one of words with a mark for blanks."""
    tokenizer = Tokenizer(models.BPE(byte_fallback=kind == "mark", unk_token=None))
    alphabet = []
    if kind == "bytes":
        tokenizer.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
        tokenizer.decoder = decoders.ByteLevel()
        alphabet = pre_tokenizers.ByteLevel.alphabet()
    else:
        tokenizer.pre_tokenizer = pre_tokenizers.Metaspace(prepend_scheme="first")
        alphabet = sorted(set("".join([*TEXTS, *TEMPLATES.values(), "▁"])))
    trainer = BpeTrainer(
        vocab_size=500, special_tokens=SPECIALS, initial_alphabet=alphabet, show_progress=False
    )
    tokenizer.train_from_iterator([*TEXTS, "the cat sat. A dog ran. user assistant" * 3], trainer)
    tokenizer.post_processor = processors.TemplateProcessing(
        single="<bos> $A", special_tokens=[("<bos>", 0)]
    )
    return tokenizer


@pytest.fixture(scope="module", params=["bytes", "mark"])
def tokenizer(request: pytest.FixtureRequest) -> Tokenizer:
    return trained(request.param)


def folder_of(tmp_path: Path, tokenizer: Tokenizer, template: str | list | None) -> Path:
    names = {"bos_token": "<bos>", "eos_token": "<|eot|>", "pad_token": "<pad>"}
    return save(tmp_path, tokenizer, **names, chat_template=template)


def settings(**changes: Any) -> dict[str, Any]:
    return {"role": "user", "system": None, "prompt": False, "variables": {}, **changes}


def spelled(encoder: Encoder, ids: list[int]) -> str:
    return "".join(map(encoder.tokenizer.id_to_token, ids))


def whole_ids(encoder: Encoder, texts: list[str], chat: dict, bos: Any = "auto") -> list[list[int]]:
    encoded, wrapped = encode(encoder, texts, chat, bos)
    ids = np.array([token.id for token in wrapped.tokens])
    rows = []
    for n in range(len(texts)):
        sides = [
            ids[-1 - side.flat[side.indptr[n] : side.indptr[n + 1]]].tolist()
            for side in (wrapped.before, wrapped.after)
        ]
        own = encoded.ids[encoded.indptr[n] : encoded.indptr[n + 1]].tolist()
        rows.append([*sides[0], *own, *sides[1]])
    return rows


@pytest.mark.parametrize("name", TEMPLATES)
@pytest.mark.parametrize("changes", [{}, {"prompt": True}, {"system": "Be brief."}])
def test_turns_are_those_of_transformers(
    tmp_path: Path, tokenizer: Tokenizer, name: str, changes: dict[str, Any]
) -> None:
    from transformers import AutoTokenizer

    folder = folder_of(tmp_path, tokenizer, TEMPLATES[name])
    encoder, chat = load(folder), settings(**changes)
    if name == "gemma" and "system" in changes:
        with pytest.raises(ChatError, match="refuses these turns: no system role"):
            encode(encoder, TEXTS, chat)
        return
    reference = AutoTokenizer.from_pretrained(folder, local_files_only=True)
    expected = []
    for text in TEXTS:
        turns = [{"role": "system", "content": "Be brief."}] if "system" in changes else []
        turns.append({"role": "user", "content": text})
        prompt = changes.get("prompt", False)
        made = reference.apply_chat_template(turns, add_generation_prompt=prompt)
        expected.append(list(made["input_ids"] if hasattr(made, "keys") else made))
    assert whole_ids(encoder, TEXTS, chat) == expected
    # No second BOS: the template alone decides.
    assert all(ids.count(0) == (name != "qwen") for ids in expected)


@pytest.mark.parametrize("name", TEMPLATES)
def test_the_tokens_of_a_text_are_those_with_its_characters(
    tmp_path: Path, tokenizer: Tokenizer, name: str
) -> None:
    encoder = load(folder_of(tmp_path, tokenizer, TEMPLATES[name]))
    texts = [(None, text) for text in TEXTS]
    found = tokens(
        table(*texts), None, encoder, "headline", "difference", chat=settings(prompt=True)
    )
    rows = found.tokens.to_pandas()
    for number, text in enumerate(TEXTS):
        row = rows[rows["row"] == number]
        own = row[~row["special"]]
        assert "".join(own["text"]) == text
        span = found.spans.filter(np.array(found.spans["item"]) == number).to_pylist()[0]
        assert own["position"].tolist() == list(range(span["start"], span["stop"]))
        assert row["position"].tolist() == list(range(len(row)))
    template = rows[rows["special"]]
    assert {"user", "assistant"} & {text.strip() for text in template["text"]} or name == "mistral"
    assert found.facts["opening"]["because"].startswith("the tokenizer's chat template")
    assert found.facts["specials"] == len(template)


def known(tmp_path: Path, **changes: Any) -> Tokens:
    """A pair of one byte a token, in a template of known length."""
    tokenizer = byte_tokenizer()
    tokenizer.add_special_tokens(["<|s|>", "<|e|>"])
    template = "{{ bos_token }}<|s|>u:{{ messages[0]['content'] }}<|e|>!"
    names = {"bos_token": "<|endoftext|>", "eos_token": "<|e|>", "chat_template": template}
    encoder = load(save(tmp_path, tokenizer, **names), changes.get("bos", "auto"))
    pair = ("a cat", "a dog")
    return tokens(table(pair), None, encoder, "headline", "difference", chat=settings(), **changes)


def test_a_known_pair_in_a_template(tmp_path: Path) -> None:
    """BOS, <|s|>, u, : come before the text; <|e|> and ! after it; the edit is dog for cat."""
    found = known(tmp_path)
    rows = found.tokens.to_pandas()
    edited = rows[rows["row"] == 0]
    expected = ["<|endoftext|>", "<|s|>", "u", ":", *"a dog", "<|e|>", "!"]
    assert edited["text"].tolist() == expected
    assert edited["special"].tolist() == [True] * 4 + [False] * 5 + [True] * 2
    assert edited[edited["in_edit"]]["text"].tolist() == list("dog")
    assert found.spans.to_pylist() == [
        {
            **{"item": 0, "side": "edited", "row": 0, "start": 4, "stop": 9},
            **{"edit_start": 6, "edit_stop": 9},
        },
        {
            **{"item": 0, "side": "original", "row": 1, "start": 4, "stop": 9},
            **{"edit_start": 6, "edit_stop": 9},
        },
    ]
    assert found.facts["all"]["tokens_mean"] == 5
    assert found.facts["opening"]["tokens"] == expected[:4]
    assert found.facts["closing"]["tokens"] == expected[-2:]


def test_bos_overrides_a_template(tmp_path: Path) -> None:
    for bos, first in (("auto", 256), (True, 256), (False, 257)):
        ids = known(tmp_path, bos=bos).tokens["token_id"].to_pylist()
        assert ids[0] == first and ids.count(256) == 2 * (bos is not False)


def test_what_looks_special_in_a_turn_is_text(tmp_path: Path, tokenizer: Tokenizer) -> None:
    folder = folder_of(tmp_path, tokenizer, LLAMA)
    text = "a <|eot|> dog"
    plain, parsed = (
        tokens(
            table((None, text)),
            None,
            load(folder, parses=parses),
            "headline",
            "difference",
            chat=settings(),
        )
        for parses in (False, True)
    )
    own = [row for row in plain.tokens.to_pylist() if not row["special"]]
    assert "".join(row["text"] for row in own) == text
    assert plain.tokens["token_id"].to_pylist().count(3) == 1
    assert parsed.tokens["token_id"].to_pylist().count(3) == 2
    own = [row for row in parsed.tokens.to_pylist() if not row["special"]]
    assert "<|eot|>" not in "".join(row["text"] for row in own)


@pytest.mark.parametrize(
    ("template", "changes", "what"),
    [
        (None, {}, "has no chat template"),
        ("{{ messages[0].content }}{{ messages[0].content }}", {}, "once and as it is"),
        ("{{ bos_token }}", {}, "once and as it is"),
        ("{% for", {}, "template is none"),
        ("{{ strftime_now('%d') }}{{ messages[0].content }}", {}, "writes the date of the day"),
        ("{{ messages[0].content + nothing }}", {}, "does not take these turns"),
        ("{{ ''.__class__.__mro__ }}{{ messages[0].content }}", {}, "does not take these turns"),
        ("{{ messages[0].content | replace('dog', 'cat') }}", {}, "changes the text 'A dog ran.'"),
        ("{{ raise_exception('no') }}", {}, "refuses these turns: no"),
    ],
)
def test_templates_that_cannot_be_used(
    tmp_path: Path, template: str | None, changes: dict[str, Any], what: str
) -> None:
    encoder = load(folder_of(tmp_path, byte_tokenizer(), template))
    with pytest.raises(ChatError, match=what) as raised:
        encode(encoder, TEXTS, settings(**changes))
    assert str(raised.value).startswith("chat: ")


def test_variables_reach_a_template(tmp_path: Path) -> None:
    dated = (
        "{%- if not date is defined %}{% set date = strftime_now('%Y') %}{% endif -%}"
        "{{ date }} {{ messages[0].content }}"
    )
    encoder = load(folder_of(tmp_path, byte_tokenizer(), dated))
    chat = settings(variables={"date": "1999"})
    (ids,) = whole_ids(encoder, ["x"], chat)
    assert spelled(encoder, ids) == "1999Ġx"
    thinking = load(folder_of(tmp_path, byte_tokenizer(), QWEN))
    off = settings(prompt=True, variables={"thinking": False})
    (ids,) = whole_ids(thinking, ["x"], off)
    assert spelled(thinking, ids).endswith("<t></t>")


def test_the_file_of_a_template_comes_first(tmp_path: Path) -> None:
    several = [{"name": "tool_use", "template": "t"}, {"name": "default", "template": "d"}]
    folder = folder_of(tmp_path, byte_tokenizer(), several)
    assert load(folder).template == "d"
    (folder / "chat_template.jinja").write_text("j")
    assert load(folder).template == "j"
    from transformers import AutoTokenizer

    reference = AutoTokenizer.from_pretrained(folder, local_files_only=True)
    assert reference.get_chat_template() == "j"


def test_special_tokens_in_texts_are_counted_and_parsed_as_asked(tmp_path: Path) -> None:
    tokenizer = byte_tokenizer()
    tokenizer.add_special_tokens(["<|a|>", "<|ab|>"])
    folder = save(tmp_path, tokenizer, bos_token="<|endoftext|>", add_bos_token=True)
    texts = table((None, "x<|ab|>y<|a|><|a|>"), (None, "plain"), (None, "<|endoftext|>z"))
    plain = tokens(texts, None, load(folder), "headline", "difference")
    parsed = tokens(texts, None, load(folder, parses=True), "headline", "difference")
    counts = {"<|a|>": 2, "<|ab|>": 1, "<|endoftext|>": 1}
    for found, how in ((plain, "plain"), (parsed, "special")):
        assert found.facts["special_in_texts"] == {"are": how, "texts": 2, "counts": counts}
        assert "hold what looks like a special token: 2 (" in list(remarks(found.facts))[1]
    assert plain.facts["specials"] == 3
    rows = parsed.tokens.to_pylist()
    assert [row["token_id"] for row in rows if row["row"] == 0] == [
        *(256, ord("x") - 33, 258, ord("y") - 33, 257, 257)
    ]
    assert [row["special"] for row in rows if row["row"] == 0] == [
        *(True, False, True, False, True, True)
    ]
    # A text that brings its BOS has no second one.
    assert [row["text"] for row in rows if row["row"] == 2] == ["<|endoftext|>", "z"]
    assert parsed.facts["specials"] == 1 + 3 + 1 + 1


def test_mistakes_of_chats_are_told_before_a_run(tmp_path: Path) -> None:
    from saegrid.config.corpora import Corpus

    encoder = load(folder_of(tmp_path, byte_tokenizer(), LLAMA))
    source = {"kind": "text", "files": "a.txt"}

    def told(**changes: Any) -> list[str]:
        corpus = {"role": "train", "source": source, "chat": "user", **changes}
        return list(_chat(Corpus.model_validate(corpus), encoder))

    assert told() == []
    assert told(chat={"role": "assistant", "prompt": True}) == []
    assert told(layout="packed")[0].startswith("chat: a turn has a row of its own")
    assert told(store={})[0].startswith("chat: a streamed corpus has no turns")
    corpus = Corpus.model_validate({"role": "train", "source": source, "chat": "user"})
    # Of a large tokenizer no more is known than whether it has a template.
    for has_template, n in ((True, 0), (None, 0), (False, 1)):
        assert len(list(_chat(corpus, None, has_template))) == n
    (folder := tmp_path / "none").mkdir()
    encoder = load(folder_of(folder, byte_tokenizer(), None))
    assert told()[0].startswith("chat: the tokenizer has no chat template")
    assert json.dumps(Corpus.model_validate({"role": "main", "source": source}).model_dump())
