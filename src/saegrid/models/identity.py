"""Identity of a model: a short digest of all that decides its outputs."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from saegrid.base.digest import content_digest
from saegrid.models.files import files_read


def model_identity(model: Mapping[str, Any], folder: Path | None) -> dict[str, Any]:
    """The content of a local checkpoint, or name and commit of one on the hub, and how it is run.

    Content is that of the files that are read, over all of their bytes; neither where they lie nor
    what lies beside them counts.

    Args:
        model: path, revision, dtype, weights and seed, as in the config.
        folder: where it lies on this machine; None for a model on the hub.
    """
    chosen = {key: model[key] for key in ("dtype", "weights")}
    if model["weights"] == "random":
        chosen["seed"] = model["seed"]
    if folder is None:
        return {**chosen, "hub": model["path"], "revision": model["revision"]}
    names = files_read(folder, weights=model["weights"] == "pretrained")
    return {**chosen, "content": content_digest(folder, names)}
