"""Word spaces, in which near words are alike in meaning; a new one is one file and one line here.

Each is a function of word types that gives (type, dimension) float32 vectors of length one, and 0
of a type that it lacks.
"""

SPACES: dict[str, str] = {"wordnet": "saegrid.meaning.spaces.wordnet:vectors"}
"""Word spaces by name."""
NO_SPACE = "none"
"""The name under which no word space is asked."""
