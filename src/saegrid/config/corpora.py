"""Sections of a config that say what a corpus is. The text under a field is its help."""

from typing import Annotated, Any, Literal

from pydantic import BeforeValidator, Field, model_validator

from saegrid.base.section import (
    Commit,
    Many,
    Number,
    Seed,
    Share,
    Strict,
)
from saegrid.config.registered import helped

Files = dict[str, str | list[str]] | str | list[str]
DELIMITER = r"^[^\"\r\n]$"


def _by_split(files: Any) -> Any:
    """Files as a mapping by split; a file, or a list of them, alone is the split `all`."""
    return {"all": files} if isinstance(files, str | list) else files


def _tab(delimiter: Any) -> Any:
    """A delimiter, a tab also by its name."""
    return "\t" if delimiter in ("tab", "\\t") else delimiter


Splits = Annotated[
    dict[str, str | list[str]], BeforeValidator(_by_split, json_schema_input_type=Files)
]
Comparator = Literal["ge", "gt", "le", "lt", "eq", "ne"]


class Columns(Strict):
    """The columns of a source, by what they hold."""

    id: str | None = "auto"
    """Identifier of a row; null: its number in its split; auto: the column `id` where the files
    have one, else the number."""
    original: str | None = None
    """Original text, with one <word/> marker where `edit` is a column, else the plain text."""
    edit: str | None = None
    """The replacement for the marked words."""
    edited: str | None = None
    """The edited text, where texts come whole instead of with a marker."""
    text: str | None = None
    """The text of unpaired data."""


class Source(Strict):
    """The origin of a corpus: files, a grammar, or a repository on the hub."""

    kind: Annotated[str, helped("saegrid.text.corpora:CORPORA")]
    of: Literal["csv", "jsonl", "parquet"] | None = None
    """random_edits: kind of the real edits, whose settings stand beside. Each edit is replaced by a
    random word of its form that was taken out of another original: a control for what any odd word
    would do. Labels are not carried. continued: kind of the prompts, which the model of the study
    continues with tokens that it draws; these are what is captured and described. carried: kind of
    the words, each of which stands in every one of the templates."""
    templates: list[str] = []
    """carried: sentences that hold {word} once. Items get the labels word and template."""
    new_tokens: Many | None = None
    """continued: tokens that are drawn after each prompt."""
    stop: bool = True
    """continued: a text ends early where the model draws a special token, which is no part of it;
    false: it goes on behind it, with another text."""
    samples: Many = 1
    """continued: texts of each prompt."""
    temperature: Annotated[Number, Field(gt=0, le=100)] = 1.0
    """continued: temperature of the draws."""
    files: Annotated[
        dict[str, str | list[str]], BeforeValidator(_by_split, json_schema_input_type=Files)
    ] = {}
    """Files of each split: {train: a.csv, test: [b.csv, c.csv]}; a file, or a list of files, alone
    is the split `all`."""
    columns: Columns = Columns()
    """Columns that hold the texts."""
    labels: dict[str, Literal["text", "number"]] = {}
    """Label columns to keep and how to read them."""
    split_column: str | None = None
    """Column that names the split, where the files do not."""
    repo: str | None = None
    """hub: name of the data set."""
    revision: Commit | None = None
    """hub: commit."""
    delimiter: Annotated[str, Field(pattern=DELIMITER), BeforeValidator(_tab)] | None = None
    """csv: character between two columns; null: a comma where that gives the columns named here,
    else the one of tab, ; and | that does."""
    quotes: bool | None = None
    """csv: cells may stand in quotes; null: true, but for a table with tabs in which quotes stand
    around no cell."""
    decimal: Literal[".", ","] | None = None
    """csv: decimal mark of labels that are numbers; null: a comma where no number has a point."""
    encoding: Annotated[str, Field(min_length=1, max_length=40)] | None = None
    """csv, jsonl, text: encoding, such as cp1252; null: UTF-8, and UTF-16 or UTF-32 where the file
    shows it. Others cannot be told apart."""
    compression: Literal["none", "gzip", "bz2", "xz", "zstd"] | None = None
    """csv, jsonl, text: compression; null: as the first bytes show."""
    separator: str = "\n"
    """text: what stands between two texts."""
    max_characters: Many | None = None
    """text, and streamed texts of any kind: longer ones are cut here."""
    grammar: str | None = None
    """generated: the grammar file."""
    n: Many | None = None
    """generated, text, and streamed texts of any kind: number of texts."""
    seed: Seed = 0
    """generated, random_edits, continued: seed."""


class Filter(Strict):
    """The condition on items that the densities count; the others are kept in the files."""

    column: str
    """A number label."""
    comparator: Comparator
    """`ge 2.0` keeps the published study's 630 headlines, `gt 2.0` only 322."""
    value: Number
    """The number that the label is compared with."""
    splits: Annotated[list[str], Field(min_length=1)] | None = None
    """Count these splits only; null: all."""


class Grades(Strict):
    """Check of grades: each item has several, a digit each, and their mean."""

    digits: str
    """Label, read as text, of the grades one after another: 0132."""
    mean: str
    """Label, read as number, of their mean."""
    low: Annotated[int, Field(ge=0, le=9)] = 0
    """Lowest grade."""
    high: Annotated[int, Field(ge=0, le=9)] = 3
    """Highest grade."""

    @model_validator(mode="after")
    def _low_is_below_high(self) -> "Grades":
        if self.low >= self.high:
            raise ValueError(f"must have low below high; got low {self.low}, high {self.high}")
        return self


class Chat(Strict):
    """Texts as turns of a chat, by the template of the model's tokenizer. Its tokens are never
    encoded, counted or shown; bos: auto leaves BOS to it."""

    role: Literal["user", "assistant"] = "user"
    """Whose turn a text is."""
    system: str | None = None
    """Text of a system turn before it; null: none but what the template writes by itself."""
    prompt: bool = False
    """After it comes what asks the model for an answer, as the template writes it."""
    variables: dict[str, str | int | float | bool | None] = {}
    """Values that the template asks for, such as date_string or enable_thinking."""


def _role(chat: Any) -> Any:
    """A chat as a section; a role alone is one with defaults."""
    return {"role": chat} if isinstance(chat, str) else chat


Turns = Annotated[
    Chat, BeforeValidator(_role, json_schema_input_type=Chat | Literal["user", "assistant"])
]


class TokenChoice(Strict):
    """The choice of the token rows that are captured."""

    edited: bool = True
    """The tokens of the edits."""
    original: bool = True
    """The tokens they replaced."""
    context: Annotated[int, Field(ge=0, le=10**12)] | Literal["all"] = 20_000
    """A seeded sample of the other tokens, or all of them."""
    seed: Seed = 0
    """Seed of the sample."""


class Store(Strict):
    """A streamed corpus: text that never stands in tables, captured into shards."""

    choice: Literal["all", "last", "random", "mean"] = "all"
    """Tokens of a row (see cut) that are kept: all, the last, a random one, or their mean; special
    tokens never."""
    norm: Literal["none", "layer", "final"] = "none"
    """Normalisation of the activations: none, layer (a norm without scale and shift) or final (the
    model's own last norm)."""
    cut: Literal["rows", "truncate"] | None = None
    """Treatment of the rest of a text that is longer than a row, or than max_characters: `rows`
    continues it in further rows, `truncate` drops it. null: rows where all tokens are kept, else
    truncate, so that a text has one last, random or mean token, and not one per row."""
    seed: Seed = 0
    """Seed of the random tokens."""
    shard_tokens: Annotated[int, Field(ge=1, le=10**9)] = 65_536
    """Close a shard after the text with which it reaches this many entries."""
    max_tokens: Annotated[int, Field(ge=1, le=10**15)] | None = None
    """Stop after this many tokens; a text in progress is finished. You can raise it later: filling
    continues where it stopped."""
    beside: bool = False
    """Fill it beside the trainings, which begin with its first shards, instead of before them. A
    training then takes the CPUs, the memory and the GPU of the capture as well. To change it trains
    SAEs again, to the same bytes: their inputs are others."""


class Corpus(Strict):
    """A corpus and its role."""

    role: Literal["main", "train", "reference", "holdout", "control"]
    """main: the study's text, with pages and figures; holdout, reference: other text, captured once
    and described by the same tables beside it; control: text that is captured and encoded only
    where an analysis asks for it, with no tables and pages; train: text that SAEs learn from and
    nothing else. SAEs may learn from the main and from reference corpora too, never from a holdout
    or a control."""
    source: Source
    """Origin of its texts."""
    licence: str | None = None
    """Licence of its texts, for the data sheet of `saegrid tables`. A change reruns nothing: the
    next `snakemake` writes it into config.json of the results."""
    strip: Literal["both", "left", "none"] = "both"
    """Blanks around a text that are removed."""
    keep_space: list[str] = []
    """Ids whose leading blank stays whatever `strip` says."""
    set_aside: Share | None = None
    """Largest share of its rows that may be set aside as unusable: with more, the run stops and
    tells the reasons. null: 0.05, and one row of however few."""
    grades: Grades | None = None
    """Labels that are grades and their mean: rows that disagree are kept and told."""
    filter: Filter | None = None
    """Condition on the items that are counted; null: all."""
    chat: Turns | None = None
    """Each text is a turn of a chat: user, or the section of its settings; null: plain text."""
    special_tokens: Literal["plain", "parse"] = "plain"
    """Special tokens that are written in texts: plain reads their letters, parse makes them special
    tokens, which are never encoded. How many texts hold some is said, and stands in tokens.json."""
    layout: str = "headline"
    """headline: each text its own row; packed: the published study's rows of 128."""
    row_length: Annotated[int, Field(ge=2, le=10**6)] = 128
    """packed: positions of a row."""
    mask: str = "difference"
    """difference: two-pointer rule on token ids; marker: the edit's character span."""
    max_length: Annotated[int, Field(ge=1, le=10**7)] | None = None
    """Longest row in tokens; longer texts are refused. null: the model's context, which it may not
    exceed."""
    tokens: TokenChoice = TokenChoice()
    """Choice of the tokens that are captured."""
    shards: Annotated[int, Field(ge=1, le=10_000)] = 1
    """Into so many parts of whole rows the corpus is cut, each captured and encoded by jobs of its
    own. For corpora larger than one job should take; results do not depend on it."""
    store: Store | None = None
    """Stream the texts (kind text, csv, jsonl, parquet or hub; `*` may stand in names of files) and
    capture them into a store. For a corpus of role train, of any size."""
