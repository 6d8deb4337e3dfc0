"""The environment in which tests run: the same whatever the caller has set."""

import os
import sys
import tempfile
from pathlib import Path

FOREIGN = (
    "DATASETS_", "GIT_", "GOMP_", "HF_", "HUGGINGFACE_", "HUGGING_FACE_", "KMP_", "LLAMA", "MKL_",
    "MPL", "NUMEXPR_", "OMP_", "OPENBLAS_", "PYTHONDONTWRITEBYTECODE", "PYTORCH_", "SAEGRID_",
    "SBATCH_", "SLURM_", "SNAKEMAKE_", "TOKENIZERS_", "TORCH_", "TRANSFORMERS_", "VECLIB_",
)  # fmt: skip
"""Beginnings of variables that libraries, Snakemake, SLURM or configs read. Which GPU is seen
(CUDA_VISIBLE_DEVICES) is the caller's."""
PROXIES = ("http_proxy", "https_proxy", "all_proxy", "no_proxy")
"""Hubs of tests are on the loopback."""
CACHE = Path(tempfile.gettempdir()) / f"saegrid-tests-{os.getuid() if hasattr(os, 'getuid') else 0}"
"""Folder of what one test run leaves for the next; all of it can be made again."""


def clear() -> dict[str, str]:
    """Clear the environment of all that tests must not depend on; the variables taken out.

    Called before any library is imported, as some read their variables then.
    """
    foreign = [
        name
        for name in os.environ
        if name.startswith(FOREIGN) or name.lower() in PROXIES or name == "COLUMNS"
    ]
    taken = {name: os.environ.pop(name) for name in foreign}
    # No token and no download of the caller's.
    os.environ["HF_HOME"] = str(CACHE / "huggingface")
    # Modules are compiled once, and not by each of hundreds of processes.
    sys.dont_write_bytecode = False
    # Two workers share two cores: threads that wait give theirs up.
    os.environ["OMP_WAIT_POLICY"] = "PASSIVE"
    return taken
