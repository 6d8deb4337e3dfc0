"""Word types of a corpus, the concepts that they belong to, and their places in a word space."""

from pkgutil import resolve_name

from saegrid.base.digest import file_digest
from saegrid.meaning.spaces import SPACES
from saegrid.stages.places import dumped, layout
from saegrid.stages.stage import CORPUS, At, Needs, Plan, Settings, Sizes, Stage, Weight, local_file
from saegrid.text.lexicons import LEXICONS
from saegrid.text.lexicons.lexicon import lexicon_files


def settings(plan: Plan, at: At) -> Settings:
    """The lexicons and the word space with the content of their files, and the rule of senses."""
    section = plan.study.concepts
    lexicons = plan.study.lexicons
    files = lexicon_files(lexicons)
    of_space = resolve_name(SPACES[section.space]).files if section.space in SPACES else ()
    vectors = [file_digest(local_file("concepts.space", path)) for path in of_space]
    return {
        **({"vectors": vectors} if vectors else {}),
        "lexicons": lexicons,
        **dumped(section, "senses", "space", "min_types"),
        **layout(plan, at),
        "content": [file_digest(local_file("concepts.lexicons", path)) for path in files],
    }


def code(plan: Plan, at: At) -> list[str]:
    """The modules of the lexicons and of the word space."""
    section = plan.study.concepts
    kinds = {name.partition(":")[0] for name in plan.study.lexicons}
    spaces = [SPACES[section.space]] if section.space in SPACES else []
    return sorted({*(LEXICONS[kind] for kind in kinds if kind in LEXICONS), *spaces})


def weighs(sizes: Sizes, at: At) -> Weight:
    """A number for each token, and vectors and concepts of word types, of which longer texts have
    more."""
    text = sizes.text(at.corpus)
    return Weight(write=20_000 + 100 * text.items + 8 * text.positions)


VOCABULARY = Stage(
    "vocabulary",
    reads={
        "texts": "items.table",
        "tokens": "tokens.tokens",
        "selection": "selection.selection",
    },
    writes={
        "occurrences": CORPUS + "occurrences.parquet",
        "types": CORPUS + "vocabulary.parquet",
        "tensors": CORPUS + "vocabulary.safetensors",
        "facts": CORPUS + "vocabulary.json",
    },
    settings=settings,
    code=code,
    needs=Needs(memory=2000, minutes=20, priority=1, group="corpus"),
    weighs=weighs,
)
