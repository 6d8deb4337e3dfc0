"""Reading a tokenizer from its files: text -> ids and character ends, and the special tokens."""

import json
import os
import re
from collections import Counter
from collections.abc import Mapping, Sequence
from functools import lru_cache
from itertools import chain
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import tokenizers

from saegrid.base.errors import shown
from saegrid.text import older

ROLES = ("bos", "eos", "cls", "sep", "pad")
"""Special tokens that a tokenizer may name."""
TEMPLATE = "chat_template.jinja"
"""File of a tokenizer's chat template; others have it in tokenizer_config.json."""
NAMED = ("bos", "eos", "unk", "sep", "pad", "cls", "mask")
"""Special tokens whose names a chat template is told."""

BYTE = re.compile("<0x[0-9A-F]{2}>")
"""Spelling of a byte in a vocabulary of pieces."""
BATCH = 4096
"""Texts given to the tokenizer at once; bounds memory, decides nothing."""


class Special(NamedTuple):
    """A special token."""

    id: int
    text: str


class Lookalikes(NamedTuple):
    """Special tokens that are written in texts."""

    texts: int
    """Number of texts that hold one."""
    counts: dict[str, int]
    """Number of times by its spelling."""


class Encoded(NamedTuple):
    """Texts as token ids, flat."""

    ids: np.ndarray
    """(token,) int32."""
    ends: np.ndarray
    """(token,) int32: where the token ends, in characters of its text; never falls in a text."""
    indptr: np.ndarray
    """(text + 1,) int64: the first token of each text, and the number of tokens."""

    def cut(self, texts: Sequence[str]) -> list[str]:
        """The text of every token, flat; those of one text, joined, give the text back.

        A token's text reaches from the end of the token before it to its own end, the last one's
        to the end of the text; the later parts of a split character are empty.
        """
        bounds, ends = self.indptr.tolist(), self.ends.tolist()
        pieces: list[str] = []
        for number, text in enumerate(texts):
            stops = ends[bounds[number] : bounds[number + 1]]
            if stops:
                stops[-1] = len(text)
                starts = [0, *stops[:-1]]
                pieces += [text[start:stop] for start, stop in zip(starts, stops, strict=True)]
        return pieces


class Encoder(NamedTuple):
    """A tokenizer and the special tokens around a text."""

    tokenizer: tokenizers.Tokenizer
    prefix: tuple[Special, ...]
    """Special tokens that open a row: BOS, [CLS] or none."""
    suffix: tuple[Special, ...]
    """Special tokens that close a row of one text: [SEP] or none."""
    named: Mapping[str, Special]
    """The special tokens by role; a role that the tokenizer lacks is absent."""
    because: str = ""
    """Why a row opens with `prefix`."""
    parses: bool = False
    """True if special tokens that are written in a text are special, and not plain text."""
    template: str | None = None
    """The chat template; None where the tokenizer has none."""
    names: Mapping[str, str] = {}
    """Names of special tokens by role, `bos_token` and others, for a chat template."""
    absent: Mapping[str, str] = {}
    """Names of special tokens, by key, that the vocabulary does not have, so that their role has
    none."""

    @property
    def opening(self) -> dict[str, Any]:
        """The special tokens that open a row, and the reason, as JSON values."""
        return described(self.prefix, self.because)

    @property
    def closing(self) -> dict[str, Any]:
        """The special tokens that close a row of one text, and the reason, as JSON values."""
        puts = "the tokenizer's post-processor puts it there"
        return described(self.suffix, puts if self.suffix else "its post-processor puts none")

    @property
    def padding(self) -> dict[str, Any]:
        """The padding token, and the reason, as JSON values."""
        if "pad" in self.named:
            return described([self.named["pad"]], "the tokenizer names it as pad_token")
        return described([], "the tokenizer names none; rows are not padded")

    def describe(self) -> str:
        """One line: what opens a row, what closes it, and why."""
        closing = f"; they close with {spelled(self.suffix)}" if self.suffix else ""
        missing = "".join(f"; {words}" for words in lacking(self.absent))
        return f"rows open with {spelled(self.prefix)}: {self.because}{closing}{missing}"

    @property
    def eos(self) -> Special | None:
        """The special token that ends a text in a stream."""
        return self.named.get("eos")

    @property
    def pad(self) -> Special | None:
        """The padding token of a batch; EOS if the tokenizer names no padding."""
        return self.named.get("pad", self.eos)

    @property
    def special_ids(self) -> list[int]:
        """The ids that are never encoded, counted or shown (design, semantics 2), ascending."""
        ids = {s.id for s in (*self.prefix, *self.suffix, *self.named.values())}
        return sorted(ids | (set(self.written) if self.parses else set()))

    @property
    def written(self) -> dict[int, str]:
        """The spelling of every special token of the vocabulary, by id."""
        added = self.tokenizer.get_added_tokens_decoder()
        return {number: token.content for number, token in added.items() if token.special}

    @property
    def unknown_ids(self) -> list[int]:
        """The ids that stand for what the vocabulary does not have: the unknown token, and bytes of
        a vocabulary that has these beside its pieces."""
        names = self.tokenizer.get_vocab()
        unknown = {names[name] for name in [self.names.get("unk_token")] if name in names}
        return sorted(unknown | {n for name, n in names.items() if BYTE.fullmatch(name)})

    def lookalikes(self, texts: Sequence[str]) -> Lookalikes:
        """The special tokens that are written in texts, whether they are parsed or plain."""
        pattern = _written(tuple(sorted(self.written.values(), key=len, reverse=True)))
        matches = [pattern.findall(text) for text in texts] if pattern.pattern else []
        counts = Counter(name for names in matches for name in names)
        return Lookalikes(sum(map(bool, matches)), dict(sorted(counts.items())))

    def opened(self, text: str) -> list[int]:
        """The ids of a text with the special tokens that open its row, as a model goes on with
        it."""
        return [*(special.id for special in self.prefix), *self.encode([text]).ids.tolist()]

    def decode(self, ids: Sequence[int]) -> str:
        """The text of some ids."""
        return self.tokenizer.decode(list(ids), skip_special_tokens=False)

    def encode(self, texts: Sequence[str]) -> Encoded:
        """The texts as ids, without special tokens.

        What looks like a special token in a text is plain text, if it is not parsed. Character
        ends are made to ascend, so that consecutive ends cut a text into pieces.
        """
        ids: list[int] = []
        ends: list[int] = []
        lengths = []
        for start in range(0, len(texts), BATCH):
            batch = list(texts[start : start + BATCH])
            for encoding in self.tokenizer.encode_batch(batch, add_special_tokens=False):
                lengths.append(len(encoding))
                ids += encoding.ids
                ends += [end for _, end in encoding.offsets]
        stops = np.array(ends, dtype=np.int64)
        apart = np.repeat(np.arange(len(lengths)) * (stops.max(initial=0) + 1), lengths)
        return Encoded(
            np.array(ids, dtype=np.int32),
            (np.maximum.accumulate(stops + apart) - apart).astype(np.int32),
            np.cumsum([0, *lengths], dtype=np.int64),
        )


def described(tokens: Sequence[Special], because: str) -> dict[str, Any]:
    """Special tokens and the reason for them, as JSON values."""
    names, ids = [token.text for token in tokens], [token.id for token in tokens]
    return {"tokens": names, "ids": ids, "because": because}


def lacking(absent: Mapping[str, str]) -> list[str]:
    """A sentence for each name of a special token that the vocabulary does not have, by key."""
    return [
        f"the tokenizer's files name {shown(name)} as {key}, which its vocabulary does not have; "
        "there is no such token here"
        for key, name in absent.items()
    ]


def spelled(tokens: Sequence[Special]) -> str:
    """Special tokens in words; in quotes where a blank or a line end is one or stands in one."""

    def shown(text: str) -> str:
        return text if text.isprintable() and text and " " not in text else repr(text)

    return " ".join(f"{shown(token.text)} ({token.id})" for token in tokens) or "no special token"


@lru_cache(maxsize=8)
def _written(spellings: tuple[str, ...]) -> re.Pattern[str]:
    return re.compile("|".join(map(re.escape, spellings)))


class SideFiles(NamedTuple):
    """Settings in the files beside a tokenizer.json."""

    own: dict[str, Any]
    """The tokenizer's own settings: special_tokens_map.json, and tokenizer_config.json over it."""
    model: dict[str, Any]
    """config.json, the model's."""
    template: str | None = None
    """The chat template."""

    @classmethod
    def read(cls, folder: Path) -> "SideFiles":
        """The side files of a folder; a missing one counts as empty."""

        def content(name: str) -> dict[str, Any]:
            path = folder / name
            return _object(path) if path.is_file() else {}

        own = content("special_tokens_map.json") | content("tokenizer_config.json")
        return cls(own, content("config.json"), _template(folder / TEMPLATE, own))

    @property
    def names(self) -> dict[str, str]:
        """Names of special tokens, for a chat template."""
        named = {f"{role}_token": self.token(role) for role in NAMED}
        return {key: name for key, name in named.items() if name is not None}

    def token(self, role: str) -> str | None:
        """The special token of a role by its name in the tokenizer's own files; None without one.

        ValueError where it is no text.
        """
        key = f"{role}_token"
        name = self.own.get(key)
        name = name.get("content") if isinstance(name, Mapping) else name
        if name is not None and not isinstance(name, str):
            raise ValueError(
                f"tokenizer: {key} in tokenizer_config.json or special_tokens_map.json must be a "
                f"text; got {shown(name)}."
            )
        return name or None

    @property
    def speaks(self) -> bool:
        """True if the tokenizer's own files name the token of any role, or say that it has none."""
        return any(f"{role}_token" in self.own for role in ROLES)

    @property
    def denies_bos(self) -> bool:
        """True if the tokenizer's own files say that a text gets no BOS."""
        null = "bos_token" in self.own and self.own["bos_token"] in (None, "")
        return null or self.own.get("add_bos_token") is False

    @property
    def knows_no_bos(self) -> bool:
        """True if the tokenizer has no BOS, whatever id the model's config.json gives: the id in
        Qwen's is that of another token."""
        kinds = (self.own.get("tokenizer_class"), self.model.get("model_type"))
        return self.speaks or any(str(kind).lower().startswith("qwen") for kind in kinds)


def _template(file: Path, own: Mapping[str, Any]) -> str | None:
    """The chat template: its own file comes before the settings, of several the default one."""
    if file.is_file():
        return file.read_text(encoding="utf-8")
    template = own.get("chat_template")
    if isinstance(template, list):
        named = {one.get("name"): one.get("template") for one in template if isinstance(one, dict)}
        template = named.get("default")
    return template if isinstance(template, str) else None


def _special(tokenizer: tokenizers.Tokenizer, number: int, where: str) -> Special:
    text = tokenizer.id_to_token(number)
    if text is None:
        raise ValueError(
            f"{where} must be a token id of the tokenizer, which has "
            f"{tokenizer.get_vocab_size()} tokens; got {number}."
        )
    return Special(number, text)


def _named(
    tokenizer: tokenizers.Tokenizer, side: SideFiles, ids: Mapping[str, int]
) -> dict[str, Special]:
    """Special tokens by role: as `ids` says, else by name, else by the id in config.json.

    An id in config.json counts where the tokenizer holds a special token under it: the model's
    config also gives ids of plain tokens, and ids such as -1, where there is none.
    """
    if unknown := sorted(set(ids) - set(ROLES)):
        raise ValueError(f"ids: a special token is one of {', '.join(ROLES)}; got {unknown[0]!r}.")
    added = tokenizer.get_added_tokens_decoder()
    specials = {number: token.content for number, token in added.items() if token.special}
    named = {}
    for role in ROLES:
        name, number = side.token(role), side.model.get(f"{role}_token_id")
        if isinstance(number, list):  # several tokens may end a text: the first special one does
            number = next((one for one in number if isinstance(one, int) and one in specials), None)
        if role in ids:
            named[role] = _special(tokenizer, ids[role], f"ids: {role}")
        elif name and tokenizer.token_to_id(name) is not None:
            named[role] = Special(tokenizer.token_to_id(name), name)
        elif not name and isinstance(number, int) and number in specials:
            named[role] = Special(number, specials[number])
    return named


def _probe(tokenizer: tokenizers.Tokenizer) -> str:
    """A text that has a token: a letter, or else the first of the vocabulary that is one."""
    vocabulary = sorted(tokenizer.get_vocab(with_added_tokens=False).items(), key=lambda it: it[1])
    spelled = (tokenizer.decode([number]) for _, number in vocabulary)
    for text in chain(["a"], spelled, (token for token, _ in vocabulary)):
        if len(tokenizer.encode(text, add_special_tokens=False)):
            return text
    raise ValueError("tokenizer: no text has a token in this vocabulary. Take another tokenizer.")


def _around(tokenizer: tokenizers.Tokenizer) -> tuple[tuple[Special, ...], tuple[Special, ...]]:
    """The special tokens that the tokenizer's post-processor puts before and after a text."""
    full = tokenizer.encode(_probe(tokenizer), add_special_tokens=True)
    of_text = [place for place, put in enumerate(full.special_tokens_mask) if not put]
    if not of_text or of_text != list(range(of_text[0], of_text[-1] + 1)):
        raise ValueError(
            "tokenizer: its post_processor must put special tokens before and after a text; it "
            f"gives {' '.join(full.tokens)}. Take another tokenizer."
        )
    before, after = full.ids[: of_text[0]], full.ids[of_text[-1] + 1 :]
    return tuple(
        tuple(_special(tokenizer, number, "post_processor") for number in side)
        for side in (before, after)
    )


def _asked(bos: bool, named: Mapping[str, Special], folder: Path) -> tuple[Special, ...]:
    """The special tokens that open a row if the config decides about BOS."""
    start = named.get("bos", named.get("cls"))
    if bos and start is None:
        raise ValueError(
            f"bos: true needs a BOS token, which {folder} does not name: set bos_token in "
            "tokenizer_config.json, or take `bos: auto`."
        )
    return (start,) if bos and start is not None else ()


def _opening(
    before: tuple[Special, ...], named: Mapping[str, Special], side: SideFiles
) -> tuple[tuple[Special, ...], str]:
    """The special tokens that open a row if the tokenizer decides, and the reason.

    before: the tokens that its post-processor puts before a text, as transformers does.
    """
    bos = named.get("bos")
    if before:
        return before, "the tokenizer's post-processor puts it there"
    if bos and side.own.get("add_bos_token") is True:
        return (bos,), "the tokenizer's files say add_bos_token: true" + WITHOUT
    if bos and side.denies_bos:
        return (), "the tokenizer's files say add_bos_token: false, or name no bos_token"
    if bos and side.token("bos") is not None:
        return (bos,), "the tokenizer's files name it as bos_token" + WITHOUT
    if bos and not side.knows_no_bos:
        because = "the tokenizer's files name no special token, config.json has bos_token_id"
        return (bos,), because + WITHOUT
    if "cls" in named:
        return (named["cls"],), "the tokenizer names it as cls_token, and no BOS" + WITHOUT
    return (), "the tokenizer has no BOS"


WITHOUT = "; transformers by itself puts none there"
"""The end of a reason, where a row opens with more than transformers gives."""


def _object(path: Path) -> dict[str, Any]:
    """The JSON object in a file beside a tokenizer; ValueError names the file."""
    try:
        content = json.loads(path.read_text(encoding="utf-8-sig"))
    except (ValueError, RecursionError) as problem:
        raise ValueError(f"{path}: this is no JSON ({problem}). Fetch it again.") from None
    if not isinstance(content, dict):
        raise ValueError(
            f"{path}: a JSON object was expected, got {type(content).__name__}. Fetch it again."
        )
    return content


def _from_file(path: Path) -> tokenizers.Tokenizer:
    """The tokenizer in a tokenizer.json; ValueError names the file and the mend."""
    try:
        return tokenizers.Tokenizer.from_file(str(path))
    except Exception as problem:  # the library raises bare exceptions
        raise ValueError(
            f"{path}: this is no tokenizer of the tokenizers library ({problem}). Fetch it again: "
            "it may be cut short, or a pointer of git-lfs in its place."
        ) from None


def load(
    source: str | os.PathLike[str],
    bos: bool | str = "auto",
    ids: Mapping[str, int] | None = None,
    parses: bool = False,
) -> Encoder:
    """The tokenizer in a folder, or in a `tokenizer.json` with its side files beside it; without
    that file it is made from older ones, see `text.older`.

    bos: what opens a row. `auto`: what the tokenizer's post-processor puts there; where it puts
    nothing, the BOS token if the tokenizer's own files have one and do not deny it. True: BOS, or
    [CLS]. False: nothing. ids: ids of special tokens by role (`ROLES`) where the side files name
    none or wrong ones. parses: special tokens that are written in a text are special, and not plain
    text. Truncation and padding that the file asks for are switched off.

    Raises FileNotFoundError where there is no tokenizer, ValueError for settings that do not
    fit it.
    """
    path = Path(source)
    path = path / "tokenizer.json" if path.is_dir() else path
    if not path.is_file() and not older.present(path.parent):
        raise FileNotFoundError(
            f"tokenizer: {path} is missing. A tokenizer is a folder that holds tokenizer.json, or "
            "that file."
        )
    if bos not in ("auto", True, False):
        raise ValueError(f"bos: must be auto, true or false; got {bos!r}.")
    tokenizer = _from_file(path) if path.is_file() else older.load(path.parent)
    tokenizer.no_truncation()
    tokenizer.no_padding()
    side = SideFiles.read(path.parent)
    named = _named(tokenizer, side, ids or {})
    names = {role: side.token(role) for role in ROLES if role not in named}
    absent = {f"{role}_token": name for role, name in names.items() if name}
    # However it was added: what has a role is special, so that texts can spell it plainly.
    added = tokenizer.get_added_tokens_decoder()
    plain = [s.text for s in named.values() if s.id in added and not added[s.id].special]
    tokenizer.add_special_tokens(plain)
    before, after = _around(tokenizer)
    tokenizer.encode_special_tokens = not parses
    if bos != "auto":
        before, because = _asked(bool(bos), named, path.parent), f"bos: {str(bos).lower()}"
    elif "bos" in (ids or {}):
        before, because = (named["bos"],), "ids: bos"
    else:
        before, because = _opening(before, named, side)
    return Encoder(
        tokenizer, before, after, named, because, parses, side.template, side.names, absent
    )


def strings(encoder: Encoder) -> list[str]:
    """The text of every token id, as a page shows it alone: with its blank, `##ing` as it is.

    A token that is no whole character is shown as the vocabulary spells it.
    """
    tokenizer = encoder.tokenizer
    count = tokenizer.get_vocab_size()
    alone = tokenizer.decode_batch([[i] for i in range(count)], skip_special_tokens=False)
    spelled = [tokenizer.id_to_token(i) or f"#{i}" for i in range(count)]
    return [
        spelling.replace("▁", " ") if "▁" in spelling or "�" in text or not text else text
        for spelling, text in zip(spelled, alone, strict=True)
    ]
