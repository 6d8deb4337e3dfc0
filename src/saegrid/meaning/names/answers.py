"""Answers of models, kept as files by the content of the question.

Each is written under a temporary name and renamed, as soon as it has come: whatever stops a run
loses none.
"""

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from saegrid.base.digest import digest
from saegrid.base.io import canonical, write_json


class Answers:
    """A folder of answers of one model. settings: all that decides its answers beside the prompt,
    the model among it."""

    def __init__(self, folder: str | Path, settings: Mapping[str, Any]) -> None:
        self.folder, self.settings = Path(folder), dict(settings)

    def path(self, prompt: str) -> Path:
        """The file of a question."""
        name = digest(canonical({"settings": self.settings, "prompt": prompt}))
        return self.folder / name[:2] / f"{name}.json"

    def get(self, prompt: str) -> str | None:
        """The answer to a question; None where there is none, or its file is damaged or of
        another question."""
        try:
            kept = json.loads(self.path(prompt).read_text(encoding="utf-8"))
        except (OSError, ValueError):
            return None
        same = isinstance(kept, dict) and kept.get("prompt") == prompt
        text = kept.get("answer") if same and kept.get("settings") == self.settings else None
        return text if isinstance(text, str) else None

    def keep(self, prompt: str, answer: str) -> None:
        """Write an answer."""
        body = {"settings": self.settings, "prompt": prompt, "answer": answer}
        write_json(self.path(prompt), body)
