"""Texts as turns of a chat: rendered by the tokenizer's own template, and encoded with it.

The template runs in jinja's sandbox, with the filters and functions that transformers gives to one.
It decides about BOS and all else around a text; the tokens that it writes are never encoded,
counted or shown, whether they are special or plain, as are the letters of "user".
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from functools import lru_cache
from typing import Any, NamedTuple

import numpy as np

from saegrid.text.tokenizer import Encoded, Encoder, Special
from saegrid.text.wrapped import Around, Wrapped

PROBES = ("xq7vj", "Zk9wf")
"""Texts by which the place of a text in a template shows."""


NO_TEMPLATE = (
    "the tokenizer has no chat template, in chat_template.jinja or under chat_template of "
    "tokenizer_config.json. Leave chat out, or take the tokenizer of the model that was trained on "
    "turns."
)


class ChatError(ValueError):
    """An error of a chat template, or of the settings that it is given."""


class Turn(NamedTuple):
    """A text in its template."""

    whole: str
    start: int
    stop: int
    """The text's own characters in `whole`."""
    skipped: int
    """Blanks at the begin of the text that the template leaves out."""


def encode(
    encoder: Encoder, texts: Sequence[str], chat: Mapping[str, Any], bos: bool | str = "auto"
) -> tuple[Encoded, Wrapped]:
    """The texts as ids without those of the template, and the tokens that it puts around each.

    The ids of text and template together are those that transformers gives to the rendered turn. In
    a text that holds what looks like a special token, which is plain text, the text and the two
    parts of the template are tokenised each for itself.

    Args:
        encoder: the tokenizer.
        texts: the texts.
        chat: role, system, prompt and variables, see the config.
        bos: True: a turn opens with BOS, False: it does not; auto: the template decides.

    Raises:
        ChatError: the tokenizer has no template, or it does not take the turns, or changes a text.
    """
    turns = _Template(encoder, chat).turns(texts)
    ids: list[int] = []
    ends: list[int] = []
    lengths, before, after = [], [], []
    for turn in turns:
        every = _tokens(encoder, turn)
        own = [n for n, (_, a, b) in enumerate(every) if b > turn.start and a < turn.stop]
        first, last = (own[0], own[-1] + 1) if own else (len(every), len(every))
        ids += [number for number, _, _ in every[first:last]]
        shift = turn.skipped - turn.start
        stops = [min(max(b, turn.start), turn.stop) + shift for _, _, b in every[first:last]]
        ends += np.maximum.accumulate([0, *stops])[1:].tolist()
        lengths.append(last - first)
        opening = _opened(encoder, _named(encoder, turn, every[:first], 0), bos)
        before.append(opening)
        after.append(_named(encoder, turn, every[last:], turn.stop))
    indptr = np.cumsum([0, *lengths], dtype=np.int64)
    encoded = Encoded(np.array(ids, np.int32), np.array(ends, np.int32), indptr)
    tokens = list(dict.fromkeys(token for side in (*before, *after) for token in side))
    number = {token: -1 - place for place, token in enumerate(tokens)}
    return encoded, Wrapped(tokens, Around.of(before, number), Around.of(after, number))


def _tokens(encoder: Encoder, turn: Turn) -> list[tuple[int, int, int]]:
    """Id, begin and end of each token of a turn, special ones of the template as such."""
    tokenizer, (whole, start, stop, _) = encoder.tokenizer, turn
    plain = encoder.lookalikes([whole[start:stop]]).texts and not encoder.parses
    parts = [(0, start, True), (start, stop, False), (stop, len(whole), True)]
    tokens = []
    for a, b, parses in parts if plain else [(0, len(whole), True)]:
        tokenizer.encode_special_tokens = not parses
        encoding = tokenizer.encode(whole[a:b], add_special_tokens=False)
        tokens += [
            (n, a + i, a + j) for n, (i, j) in zip(encoding.ids, encoding.offsets, strict=True)
        ]
    tokenizer.encode_special_tokens = not encoder.parses
    return tokens


def _named(
    encoder: Encoder, turn: Turn, tokens: Sequence[tuple[int, int, int]], at: int
) -> tuple[Special, ...]:
    """The tokens of a part of the template, each with its characters; at: where the part begins."""
    named = []
    for number, _, end in tokens:
        named.append(Special(number, turn.whole[at : max(at, end)]))
        at = max(at, end)
    return tuple(named)


def _opened(encoder: Encoder, before: tuple[Special, ...], bos: bool | str) -> tuple[Special, ...]:
    """The tokens before a text, with or without BOS as the config says."""
    start = encoder.named.get("bos", encoder.named.get("cls"))
    has = bool(before) and start is not None and before[0].id == start.id
    if bos == "auto" or start is None or has == bool(bos):
        return before
    return (start, *before) if bos else before[1:]


class _Template:
    """The chat template of a tokenizer with the settings of a corpus."""

    def __init__(self, encoder: Encoder, chat: Mapping[str, Any]) -> None:
        if encoder.template is None:
            raise ChatError(f"chat: {NO_TEMPLATE}")
        self.chat = chat
        self.variables = {**encoder.names, **(chat.get("variables") or {})}
        self.compiled = compiled(encoder.template)
        first, second = PROBES
        self.before, _, self.after = self.render(first).partition(first)
        if self.render(second) != self.before + second + self.after:
            raise ChatError(
                f"chat: the template does not write a text of the role {chat['role']!r} once and "
                "as it is. Take another role."
            )

    def render(self, text: str) -> str:
        """The turn of a text, as the template writes it."""
        turns = [{"role": self.chat["role"], "content": text}]
        if self.chat.get("system") is not None:
            turns.insert(0, {"role": "system", "content": self.chat["system"]})
        prompt = bool(self.chat.get("prompt"))
        usual = {"tools": None, "documents": None, "add_generation_prompt": prompt}
        try:
            return self.compiled.render(messages=turns, **{**usual, **self.variables})
        except ChatError:
            raise
        except Exception as problem:  # a template may raise anything
            raise ChatError(
                f"chat: the tokenizer's template does not take these turns: {problem}. Check role, "
                "system and variables."
            ) from problem

    def turns(self, texts: Sequence[str]) -> list[Turn]:
        """The turn of each text; ChatError where the template changes one."""
        return [self._turn(text) for text in texts]

    def _turn(self, text: str) -> Turn:
        whole = self.render(text)
        start, stop = len(self.before), len(whole) - len(self.after)
        own = whole[start:stop]
        for kept, skipped in ((text, 0), (text.strip(), len(text) - len(text.lstrip()))):
            if whole == self.before + kept + self.after:
                return Turn(whole, start, stop, skipped)
        raise ChatError(
            f"chat: the template changes the text {text[:60]!r} to {own[:60]!r}. Mend the text, or "
            "leave it out."
        )


@lru_cache(maxsize=8)
def compiled(template: str) -> Any:
    """A compiled chat template, in a sandbox; ChatError where it is none."""
    from jinja2 import TemplateError, nodes
    from jinja2.ext import Extension, loopcontrols
    from jinja2.sandbox import ImmutableSandboxedEnvironment

    class Generation(Extension):
        """The block {% generation %}, which marks what a model writes and changes nothing."""

        tags = {"generation"}  # noqa: RUF012

        def parse(self, parser: Any) -> Any:
            """The body of the block."""
            line = next(parser.stream).lineno
            body = parser.parse_statements(["name:endgeneration"], drop_needle=True)
            return nodes.Scope(body, lineno=line)

    def tojson(value: Any, **settings: Any) -> str:
        return json.dumps(value, **{"ensure_ascii": False, **settings})

    def raise_exception(message: str) -> None:
        raise ChatError(f"chat: the tokenizer's template refuses these turns: {message}")

    def strftime_now(form: str) -> str:
        raise ChatError(
            "chat: the template writes the date of the day, with which results could not be "
            "repeated. Set it, as in chat: {variables: {date_string: 26 Jul 2024}}."
        )

    environment = ImmutableSandboxedEnvironment(
        trim_blocks=True, lstrip_blocks=True, extensions=[Generation, loopcontrols]
    )
    environment.filters["tojson"] = tojson
    environment.globals |= {"raise_exception": raise_exception, "strftime_now": strftime_now}
    try:
        return environment.from_string(template)
    except TemplateError as problem:
        raise ChatError(f"chat: the tokenizer's template is none: {problem}.") from problem


def check(encoder: Encoder, chat: Mapping[str, Any]) -> None:
    """ChatError where the tokenizer's template does not take the settings."""
    _Template(encoder, chat)
