"""Names of features: who gives them, how well they tell where a feature fires, and what people say.

A namer is shown contexts of a feature and names it; it then judges other contexts by a name alone.
What is judged right is counted on texts that no name has seen, beside names that belong to other
features.
"""

from saegrid.base.registry import pick

NAMERS = {
    "lexical": "saegrid.meaning.names.lexical:Lexical",
    "openai": "saegrid.meaning.names.openai:OpenAI",
    "local": "saegrid.meaning.names.local:Local",
}
"""Namers by name, each a class of `namer.Namer`."""


def namer_class(name: str) -> type:
    """The class of a namer; ValueError names the nearest spelling."""
    return pick(NAMERS, name, "analyses.names.namer:")
