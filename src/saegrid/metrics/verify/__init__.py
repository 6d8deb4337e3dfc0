"""The verification of weights: published numbers, measured again on the study's checkpoints.

The package itself is light: modules that need a model are imported when they run.
"""

from typing import Any, NamedTuple


class VerifyError(ValueError):
    """An error of weights, hooks or readings that are refused; its message has a line a number."""


class Fact(NamedTuple):
    """A measured number beside the expected one."""

    name: str
    """Name of the number and of its place, such as `L15R-8x: L0`."""
    value: Any
    expected: Any
    tolerance: Any
    n: int
    """Number of tokens, or entries, behind the value."""
    definition: str
    source: str
    """Publication of the expected number."""
    problem: str = ""
    """Description of the difference and its likely cause; empty where there is none."""

    def as_json(self) -> dict[str, Any]:
        """The fact in the form of verified.json."""
        fields = self._asdict()
        passed = not fields.pop("problem")
        return {**fields, "passed": passed}
