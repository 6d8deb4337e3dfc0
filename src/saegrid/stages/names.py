"""Names of features, how well each tells where its feature fires, and labels that people gave."""

from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Annotated, Any

from pydantic import Field

from saegrid.base.digest import file_digest
from saegrid.base.errors import CheckpointError, ConfigError
from saegrid.base.paths import expand
from saegrid.base.registry import entry
from saegrid.base.section import Number, Positive, Seed, Strict
from saegrid.meaning.names import NAMERS, labels
from saegrid.meaning.names.local import content
from saegrid.meaning.names.run import most
from saegrid.stages.places import cells, layout
from saegrid.stages.stage import (
    CELL,
    At,
    Column,
    Needs,
    One,
    Panel,
    Plan,
    Source,
    Stage,
    Weight,
)

Amount = Annotated[Number, Field(ge=0)]


class Settings(Strict):
    """Names of features, and how well each tells where its feature fires."""

    namer: str = "lexical"
    """Namer: lexical (concept, form or commonest words, no model), openai (any server with that
    interface), local (a causal model of Hugging Face in a folder)."""
    features: Annotated[int, Field(ge=1, le=100_000)] | list[Annotated[int, Field(ge=0)]] = 100
    """Number of features of a cell: first those that the tests find within the cell, where the
    study has tests, then a sample over all densities; or their ids."""
    n_shown: Annotated[int, Field(ge=1, le=200)] = 20
    """Contexts that are shown for a name."""
    n_scored: Annotated[int, Field(ge=3, le=1000)] = 24
    """Contexts on which a feature fires by which its name is scored, and as many on which it is
    silent: a third each random, near in meaning, and spelled alike."""
    min_texts: Positive = 20
    """Edits, or words of plain text, on which a feature must fire to be drawn."""
    window: Annotated[int, Field(ge=0, le=2000)] = 32
    """Tokens of a text before and after what is marked in it."""
    seed: Seed = 0
    """Seed of the two halves of the texts and of all draws."""
    labels: list[str] = []
    """Files of labels that the pages of features export."""
    model: str | None = None
    """Name of the model on the server, or the folder of a local one."""
    base_url: str | None = None
    """Address of the server, below which /chat/completions lies: http://localhost:8000/v1."""
    key: str | None = None
    """Name of the environment variable that holds the key of the server; null: it wants none."""
    timeout: Annotated[Number, Field(gt=0, le=3600)] = 60.0
    """Seconds for an answer."""
    retries: Annotated[int, Field(ge=0, le=20)] = 3
    """Further tries of a question, each after twice the wait, where the server is late or wrong."""
    at_once: Annotated[int, Field(ge=1, le=256)] = 4
    """Questions at a time, of a cell."""
    batch: Annotated[int, Field(ge=1, le=100)] = 8
    """Contexts that a server judges in one question; a local model judges one."""
    options: dict[str, Number | bool | str] = {}
    """Further keys of what a server is asked, such as temperature (0 unless it stands here)."""
    most_calls: Annotated[int, Field(ge=0)] | None = 3000
    """Calls to a model that a run of all cells may make at most; null: any number."""
    price: Annotated[list[Amount], Field(min_length=2, max_length=2)] | None = None
    """Price of a million tokens of questions, and of answers, for the estimate of the cost."""


def section(plan: Plan, cell: str) -> dict[str, Any]:
    """The settings of a cell."""
    return plan.settings(cell, "names")


def settings(plan: Plan, at: At) -> dict[str, Any]:
    """Layout and answers, and the content of all files that the section names."""
    named, folder = section(plan, at.cell), f"results/{plan.study.study}/answers"
    check(named)
    files: dict[str, Any] = {}
    if named["namer"] == "local":
        files["model_content"] = model_content(named["model"])
    own = [path for path, cell in label_files(plan, named["labels"]) if cell == at.cell]
    check_calls(plan)
    return {
        **layout(plan, at),
        **files,
        "study": plan.study.study,
        "answers": folder,
        "label_files": [[path, file_digest(expand(path))] for path in own],
    }


def check(named: dict[str, Any]) -> None:
    """ConfigError where the settings of a namer do not go together."""
    key = "analyses.names"
    try:
        entry(NAMERS, named["namer"], f"{key}.namer:")
    except ValueError as problem:
        raise ConfigError(str(problem)) from None
    needs = {"openai": ("model", "base_url"), "local": ("model",)}.get(named["namer"], ())
    for name in needs:
        if not named[name]:
            raise ConfigError(f"{key}.{name}: the namer {named['namer']} needs it. Name it.")
    url = named["base_url"]
    if url is not None and not _is_plain(url):
        raise ConfigError(
            f"{key}.base_url: expected an address like https://server.org/v1, with no "
            "name, password or key in it, since it stands in the headers of results. Mend it; "
            "`key` names the environment variable of a key."
        )
    variable = named["key"]
    if variable is not None and not (variable.isidentifier() and len(variable) <= 60):
        raise ConfigError(
            f"{key}.key: expected the name of an environment variable, such as OPENAI_API_KEY, and "
            "never the key itself. Set the variable and name it."
        )
    double = [path for path in named["labels"] if named["labels"].count(path) > 1]
    if double:
        raise ConfigError(f"{key}.labels: {double[0]} stands there twice. Leave one out.")


def _is_plain(url: str) -> bool:
    scheme, _, rest = url.partition("://")
    return scheme in ("http", "https") and bool(rest) and not set(rest) & set("@?#\\ \n\r\t")


def check_calls(plan: Plan) -> None:
    """ConfigError where the cells may take more calls than `most_calls` allows."""
    named = plan.study.analyses.names
    asked = [section(plan, str(cell)) for cell in plan.cells]
    total = sum(calls(one) for one in asked)
    if named.most_calls is not None and total > named.most_calls:
        raise ConfigError(
            f"analyses.names.most_calls: {len(asked)} cells may take {total:,} calls to a model, "
            f"and at most {named.most_calls:,} may be made. Raise it, or lower features, n_scored "
            "or the number of cells."
        )


def calls(named: dict[str, Any]) -> int:
    """Calls to a model that a cell may take at most."""
    if named["namer"] == "lexical":
        return 0
    wanted = named["features"]
    n = wanted if isinstance(wanted, int) else len(wanted)
    return most(n, named["n_scored"], named["batch"] if named["namer"] == "openai" else 1)


def lines(plan: Plan, several: Iterable[At]) -> list[str]:
    """A line on what jobs of this stage may ask of models, before they start; none without any."""
    asked = [section(plan, at.cell) for at in several]
    asking = [one for one in asked if calls(one)]
    if not asking:
        return []
    whom = sorted({f"{one['model']} ({one['namer']})" for one in asking})
    total = sum(map(calls, asking))
    return [
        f"names: {len(asking)} cells may take {total:,} calls to {', '.join(whom)} at most; what "
        "was answered before is not asked again, and each cell says what it still asks and costs."
    ]


def model_content(path: str) -> str:
    """The content of the folder of a local model."""
    folder = Path(expand(path))
    if not (folder / "config.json").is_file():
        raise ConfigError(
            f"analyses.names.model: {path} must be a folder with config.json and *.safetensors of "
            "a causal model; there is none. Mend the path."
        )
    try:
        return content(str(folder))
    except CheckpointError as problem:
        raise ConfigError(f"analyses.names.model: {problem}") from None


def label_files(plan: Plan, paths: Sequence[str]) -> list[tuple[str, str]]:
    """Files of labels with the cell of each."""
    names = [str(cell) for cell in plan.cells]
    read = (labels.read(expand(p), p, plan.study.study, [plan.main], names) for p in paths)
    return [(file.path, file.cell) for file in read]


def tests(plan: Plan, at: At) -> Source | None:
    """The tests within the cell, where the study names them. Those over all cells come after the
    jobs of cells, of which this is one, and the page that shows it."""
    return Source("contrasts.table", at) if plan.study.analyses.tests else None


NAMES = Stage(
    "names",
    reads={
        "features": "encode.features",
        "tokens": "tokens.tokens",
        "selection": "selection.selection",
        "texts": "items.table",
        "tests": One(tests),
        "concepts": "concepts.table",
        "types": "vocabulary.types",
    },
    writes={
        "names": CELL + "names.parquet",
        "contexts": CELL + "names_contexts.parquet",
        "labels": CELL + "labels.parquet",
        "agreement": CELL + "labels_agreement.parquet",
    },
    config=Settings,
    ends=cells,
    settings=settings,
    code=lambda plan, at: [NAMERS[section(plan, at.cell)["namer"]]],
    needs=Needs(memory=4000, minutes=240, group="pages"),
    weighs=lambda sizes, at: Weight(write=2_000_000),
    shows=(
        Column(
            "detection",
            "detection",
            "{:.2f}",
            "median over the named features of the balanced accuracy with which a name alone tells "
            "on which held-out words its feature fires",
            "saegrid.meaning.names.run:detection",
            "names.names",
        ),
        Column(
            "null_detection",
            "detection, name of another",
            "{:.2f}",
            "the same with the name of another feature of the cell",
            "saegrid.meaning.names.run:null_detection",
            "names.names",
        ),
        Column(
            "label_kappa",
            "κ of labels",
            "{:.2f}",
            "Cohen's kappa of the first two files of labels, on features that both labelled",
            "saegrid.meaning.names.labels:kappa",
            "names.agreement",
        ),
        Panel(
            "names",
            "Name",
            "Detection and fuzzing are balanced accuracies of judging held-out texts by the name "
            "alone, 0.5 by chance, with exact 95 % intervals: on which marked words the feature "
            "fires, and whether the right word of a text is marked. Beside them those by the name "
            "of another feature of the cell.",
            "saegrid.meaning.names.run:rows_of_features",
            "names.names",
        ),
        Panel(
            "labels",
            "Labels",
            "Given by people on this page and brought back into the results.",
            "saegrid.meaning.names.labels:rows_of_features",
            "names.labels",
        ),
    ),
)
