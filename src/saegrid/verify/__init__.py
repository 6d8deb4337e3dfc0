"""Are these the real weights, read as their authors read them? Known numbers, measured again.

The package itself is light: what needs a model is imported where it is run.
"""

from typing import Any, NamedTuple


class VerifyError(ValueError):
    """Weights, hooks or a reading that are refused; the message has a line for each number."""


class Fact(NamedTuple):
    """One number that was measured, beside the one that was expected."""

    name: str
    """What was measured where, as in `L15R-8x: L0`."""
    value: Any
    expected: Any
    tolerance: Any
    n: int
    """How many tokens, or entries, stand behind the value."""
    definition: str
    source: str
    """Where the expected number was published."""
    problem: str = ""
    """What is wrong, what was expected and the likely cause; empty where nothing is."""

    def as_json(self) -> dict[str, Any]:
        """The fact as it stands in verified.json."""
        told = self._asdict()
        passed = not told.pop("problem")
        return {**told, "passed": passed}
