"""The form of a file of text: its compression, its encoding, and for tables its delimiter.

What the source does not set is read off the head of the file: the plain reading (not compressed,
UTF-8, comma) where it fits, another one where it alone fits, and a refusal that names the setting
where the head cannot decide. The same file has the same form.
"""

from __future__ import annotations

import bz2
import codecs
import gzip
import io
import lzma
import zlib
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any, BinaryIO, NamedTuple, TextIO
from unicodedata import category

import pyarrow as pa

from saegrid.text.corpora.rows import CorpusError

HEAD = 1 << 20
"""Bytes of a file that are looked at, after unpacking."""
PACKED = {
    b"\x1f\x8b": "gzip",
    b"BZh": "bz2",
    b"\xfd7zXZ\x00": "xz",
    b"\x28\xb5\x2f\xfd": "zstd",
}
"""First bytes of compressed files."""
COMPRESSIONS = ("none", *PACKED.values())
OTHERS = {
    b"PAR1": "a parquet file: take kind parquet",
    b"ARROW1": "an Arrow file: write it as parquet",
    b"PK\x03\x04": "a zip archive or a spreadsheet: unpack it, or save it as CSV",
    b"7z\xbc\xaf\x27\x1c": "a 7z archive: unpack it",
    b"Rar!": "a rar archive: unpack it",
    b"SQLite format 3\x00": "a database: export its table as CSV",
    b"\x93NUMPY": "a numpy array: write its texts as CSV or JSON Lines",
    b"%PDF-": "a PDF: save its text",
    b"\xd0\xcf\x11\xe0": "an old spreadsheet or document: save it as CSV",
}
"""First bytes of files that hold no plain text, and what they are."""
TAR = b"ustar"
"""Letters at byte 257 of a tar archive."""
MARKS = {
    b"\xef\xbb\xbf": "utf-8",
    b"\xff\xfe\x00\x00": "utf-32",
    b"\x00\x00\xfe\xff": "utf-32",
    b"\xff\xfe": "utf-16",
    b"\xfe\xff": "utf-16",
}
"""Byte order marks, longer ones first where one begins another."""
WIDE = ("utf-16-le", "utf-16-be", "utf-32-le", "utf-32-be")
"""Encodings of more than one byte a character, which may come without a mark."""
CONTROL = bytes({*range(32)} - {0, 9, 10, 11, 12, 13, 27})
"""Control characters that stand in no text."""
LONE = "saegrid.lone"
"""The error handler that keeps bytes which are none of the encoding as lone surrogates."""


def _lone(problem: UnicodeError) -> tuple[str, int]:
    if not isinstance(problem, UnicodeDecodeError):
        raise problem
    wrong = problem.object[problem.start : problem.end]
    return "".join(chr(0xDC00 + byte) for byte in wrong), problem.end


codecs.register_error(LONE, _lone)


class Form(NamedTuple):
    """The form of a file, by which its bytes become text."""

    compression: str = "none"
    encoding: str = "utf-8"
    delimiter: str | None = None
    """Delimiter of a table in CSV; None for other kinds."""
    decimal: str | None = None
    """Decimal mark of the numbers of a table in CSV; None for other kinds."""
    shape: str | None = None
    """JSON: one object a line (lines), an array of them, or objects over several lines; None for
    other kinds."""
    quotes: bool | None = None
    """True if cells of a table in CSV may stand in quotes; None for other kinds."""

    def describe(self) -> str:
        """The form in a few words, what is plain left out; empty where all of it is."""
        words = []
        if self.delimiter not in (None, ","):
            words.append(f"delimiter {self.delimiter!r}")
        if self.decimal not in (None, "."):
            words.append(f"decimal {self.decimal!r}")
        words += ["no quotes"] if self.quotes is False else []
        if self.shape not in (None, "lines"):
            words.append(f"a JSON {self.shape}" if self.shape == "array" else "JSON objects")
        words += [self.encoding] if self.encoding != "utf-8" else []
        words += [self.compression] if self.compression != "none" else []
        return ", ".join(words)

    def facts(self) -> dict[str, str | bool]:
        """The form as JSON values."""
        return {name: value for name, value in self._asdict().items() if value is not None}

    @property
    def wrong(self) -> str:
        """The reason of a row whose bytes are none of the encoding."""
        return f"not {self.encoding.upper()}"


def bytes_form(file: Path, source: Mapping[str, Any]) -> Form:
    """The compression and the encoding of a file, as the source sets them or its head shows.

    Raises:
        CorpusError: the file is no text, or its encoding cannot be told.
    """
    with file.open("rb") as opened:
        first = opened.read(512)
    compression = source.get("compression") or _packed(first)
    head = head_of(file, compression)
    _check_plain(file, head)
    chosen = source.get("encoding")
    encoding = _set(chosen, head) if chosen else _sniffed(file, head)
    return Form(compression, encoding)


def head_of(file: Path, compression: str) -> bytes:
    """The first bytes of a file, unpacked."""
    with unpacked(file, compression) as opened:
        return opened.read(HEAD)


def head_text(file: Path, form: Form) -> str:
    """The head of a file as text; its last line may be cut."""
    with open_text(file, form, newline="") as opened:
        return opened.read(HEAD)


@contextmanager
def unpacked(file: Path, compression: str) -> Iterator[BinaryIO]:
    """The bytes of a file, unpacked; CorpusError where they cannot be."""
    opening = {"gzip": gzip.open, "bz2": bz2.open, "xz": lzma.open, "zstd": _zstd}
    try:
        with opening.get(compression, _raw)(file, "rb") as opened:
            yield opened
    except (EOFError, zlib.error, lzma.LZMAError, OSError, pa.ArrowException) as problem:
        if compression == "none":
            raise
        raise CorpusError(
            f"{file} cannot be unpacked as {compression}: {problem}. Fetch the file again, or set "
            "source.compression if it is packed otherwise or not at all."
        ) from problem


def _raw(file: Path, mode: str) -> BinaryIO:
    return file.open(mode)


def _zstd(file: Path, mode: str) -> BinaryIO:
    return io.BufferedReader(pa.CompressedInputStream(pa.OSFile(str(file), mode), "zstd"))


@contextmanager
def open_text(file: Path, form: Form, newline: str | None = None) -> Iterator[TextIO]:
    """The text of a file; bytes that are none of its encoding become lone surrogates."""
    codec = {"utf-8": "utf-8-sig"}.get(form.encoding, form.encoding)
    with (
        unpacked(file, form.compression) as opened,
        io.TextIOWrapper(opened, encoding=codec, errors=LONE, newline=newline) as text,
    ):
        yield text


def check_encoding(name: str) -> None:
    """CorpusError where a name is none of an encoding of text."""
    try:
        known = codecs.lookup(name)
        is_text = known._is_text_encoding and known.name not in ("undefined", "idna", "punycode")
    except (LookupError, ValueError):
        is_text = False
    if not is_text:
        raise CorpusError(
            f"encoding: {name!r} is no encoding that Python knows; such are utf-8, utf-16, cp1252, "
            "latin-1, shift_jis, gb18030."
        )


def is_packed(file: Path) -> bool:
    """Return True if a file is compressed, by its first bytes."""
    with file.open("rb") as opened:
        return _packed(opened.read(8)) != "none"


def _packed(first: bytes) -> str:
    return next((name for mark, name in PACKED.items() if first.startswith(mark)), "none")


def _check_plain(file: Path, head: bytes) -> None:
    """CorpusError where a head is that of another kind of file, or of no text."""
    for mark, what in OTHERS.items():
        if head.startswith(mark):
            raise CorpusError(f"{file} is {what}.")
    if head[257:262] == TAR:
        raise CorpusError(f"{file} is a tar archive: unpack it and name the files in it.")
    if (nested := _packed(head)) != "none":
        raise CorpusError(f"{file} is compressed twice, inside with {nested}: unpack it once.")


def _marked(head: bytes) -> str | None:
    """The encoding that a byte order mark tells."""
    return next((name for mark, name in MARKS.items() if head.startswith(mark)), None)


def _set(chosen: str, head: bytes) -> str:
    """The codec of an encoding that is set; one with a mark reads the mark."""
    check_encoding(chosen)
    name = codecs.lookup(chosen).name
    marked = _marked(head)
    if marked and name.startswith(marked):
        return marked
    return "utf-8" if name == "utf-8-sig" else name


def _sniffed(file: Path, head: bytes) -> str:
    """The encoding of a head; CorpusError where it is none of text, or cannot be told."""
    if marked := _marked(head):
        return marked
    if 0 in head:
        fits = [name for name in WIDE if _is_wide(head, name)]
        if len(fits) == 1:
            return fits[0]
        if head.count(0) > len(head) // 10:
            raise CorpusError(
                f"{file} holds zero bytes: it is no text in UTF-8. Check the name of the file, or "
                "set source.encoding (utf-16-le, utf-16-be)."
            )
    return _narrow(file, head)


def _is_wide(head: bytes, name: str) -> bool:
    """Return True if a head without a mark is text in an encoding of more than one byte."""
    unit = 4 if "32" in name else 2
    decoder = codecs.getincrementaldecoder(name)("replace")
    text = decoder.decode(head[: len(head) // unit * unit][: 1 << 16])
    wrong = ("Cc", "Cn", "Co")
    odd = sum(c == "\ufffd" or (category(c) in wrong and c not in "\t\n\r") for c in text)
    latin = sum(c < "\x80" for c in text)
    return bool(text) and odd <= 1 + len(text) // 100 and ("\n" in text or latin > len(text) // 2)


def _narrow(file: Path, head: bytes) -> str:
    """`utf-8`; CorpusError where the head is in another encoding of a byte a character.

    One row that is not UTF-8 is damaged, and is set aside. Where several are not, and more than
    there are rows with characters beyond ASCII that are, the file is in another encoding, and which
    one cannot be seen.
    """
    whole = len(head) < HEAD
    try:
        codecs.getincrementaldecoder("utf-8")().decode(head, whole)
        return "utf-8"
    except UnicodeDecodeError:
        pass
    if sum(map(head.count, (bytes([byte]) for byte in CONTROL))) > len(head) // 50:
        raise CorpusError(
            f"{file} holds control characters in place of text. Check the name of the file."
        )
    lines = head.splitlines()
    good, bad = 0, []
    for number, line in enumerate(lines if whole else lines[:-1], start=1):
        if line.isascii():
            continue
        try:
            line.decode()
            good += 1
        except UnicodeDecodeError as problem:
            bad.append((number, line[problem.start]))
    if len(bad) > max(1, good):
        number, byte = bad[0]
        raise CorpusError(
            f"{file}, line {number}: the byte 0x{byte:02x} is not UTF-8, nor are {len(bad):,} of "
            f"the {len(bad) + good:,} first lines with more than ASCII. Set source.encoding to "
            "that of the file, such as cp1252, latin-1 or shift_jis; utf-8 sets such rows aside."
        )
    return "utf-8"
