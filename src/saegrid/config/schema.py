"""The JSON schema of a config file, from which editors complete."""

import json

from saegrid.config.models import Study


def schema_text() -> str:
    """The schema as JSON text."""
    return json.dumps(Study.model_json_schema(), indent=1, ensure_ascii=False) + "\n"
