"""The JSON schema of a config file, from which editors complete."""

import json
import sys

from saegrid.base.io import write_text
from saegrid.config.models import Study


def schema_text() -> str:
    """The schema as JSON text."""
    return json.dumps(Study.model_json_schema(), indent=1, ensure_ascii=False) + "\n"


if __name__ == "__main__":
    write_text(sys.argv[1], schema_text())
