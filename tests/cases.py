"""Cases that are written by hand, one for each entry of a registry."""

from collections.abc import Mapping
from typing import TypeVar

Case = TypeVar("Case")


class Cases(dict[str, Case]):
    """Cases by name; one that is not there says where it is wanted."""

    def __init__(self, what: str, file: str, cases: Mapping[str, Case]) -> None:
        super().__init__(cases)
        self.what, self.file = what, file

    def __missing__(self, name: str) -> Case:
        raise AssertionError(f"The {self.what} {name!r} has no case yet: add one in {self.file}.")

    def check(self, names) -> None:
        """AssertionError where one of these has no case, or a case is of none of them."""
        for name in names:
            self[name]
        assert set(self) == set(names), f"{self.file}: a case is of no {self.what}"
