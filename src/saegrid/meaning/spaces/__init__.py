"""Word spaces, in which near words are alike in meaning; a new one is one file and one line here.

Each is a `space.Space`: a function of word types and the files that it reads.
"""

SPACES: dict[str, str] = {
    "joined": "saegrid.meaning.spaces.joined:SPACE",
    "glove": "saegrid.meaning.spaces.glove:SPACE",
    "wordnet": "saegrid.meaning.spaces.wordnet:SPACE",
}
"""Word spaces by name."""
NO_SPACE = "none"
"""The name under which no word space is asked."""
