"""Loading a language model: config settings -> `Loaded`, with its sites by name.

Only safetensors are read and no code of a checkpoint is run. This module and `check` are the only
ones that know transformers.
"""

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
import transformers
from safetensors import SafetensorError

from saegrid.base.errors import CheckpointError
from saegrid.base.words import POSITIONS, Site
from saegrid.models import Family, Sizes, family_of, hub, read_config
from saegrid.models.files import CONFIG, check_config, model_files
from saegrid.models.memory import needed

DTYPES = {
    "float32": torch.float32,
    "bfloat16": torch.bfloat16,
    "float16": torch.float16,
}
HUB_NAME = re.compile(r"\w[\w.-]*(/\w[\w.-]*)?")
UNUSED = re.compile(r"(^|\.)pooler\.")
"""Tensors that no site depends on; a checkpoint may lack them."""


class ModelError(CheckpointError):
    """A model that cannot be loaded or does not fit; the message says how to mend it."""


@dataclass(frozen=True)
class Loaded:
    """A language model, ready to be read."""

    model: torch.nn.Module
    """The model with its head, where it has one: its output has `logits`."""
    family: Family
    sizes: Sizes
    source: str
    """Folder or hub name, for messages."""

    @property
    def body(self) -> torch.nn.Module:
        """The model without its head."""
        return self.model.base_model

    @property
    def blocks(self) -> Sequence[torch.nn.Module]:
        """The blocks, by layer."""
        return self.body.get_submodule(self.family.blocks)

    @property
    def dtype(self) -> torch.dtype:
        """The dtype of the forward pass and of the activations."""
        return next(self.model.parameters()).dtype

    @property
    def device(self) -> torch.device:
        """The device that the model runs on."""
        return next(self.model.parameters()).device

    def check_site(self, site: Site) -> None:
        """ModelError where the model lacks a site."""
        n_layers = len(self.blocks)
        if not 0 <= site.layer < n_layers or site.position not in POSITIONS:
            raise ModelError(
                f"{self.source} has no site {site}: layers are 0 to {n_layers - 1}, positions "
                f"{', '.join(POSITIONS)}. Mend the layers of the grid."
            )

    def module(self, site: Site) -> torch.nn.Module:
        """The module whose output the site is, or whose input for N; ModelError where none."""
        self.check_site(site)
        block = self.blocks[site.layer]
        if site.position == "R":
            return block
        part = self.family.attention if site.position == "A" else self.family.mlp
        return block.get_submodule(part)

    def width(self, site: Site) -> int:
        """Number of channels at a site."""
        self.check_site(site)
        return self.sizes.d_mlp if site.position == "N" else self.sizes.d_model

    def hidden(self, ids: torch.Tensor, seen: torch.Tensor | None = None) -> torch.Tensor:
        """The last hidden state, after the final norm (row, position, d_model).

        ids: (row, position) int64. seen: (row, position) bool, False on padding.
        """
        mask = None
        if seen is not None:
            # Given whole: a mask of ones would be dropped, and another kernel taken.
            mask = seen[:, None, None, :].expand(-1, 1, ids.shape[1], -1)
        return self.body(input_ids=ids, attention_mask=mask, use_cache=False)[0]

    def output(self, ids: torch.Tensor) -> torch.Tensor:
        """Logits (row, position, d_vocab), or the last hidden state of a model without a head."""
        return self.model(input_ids=ids, use_cache=False)[0]


def _first_line(error: BaseException) -> str:
    return (str(error).strip().splitlines() or [type(error).__name__])[0]


def _unusable(model: Mapping[str, Any], problem: str) -> ModelError:
    path = model["path"]
    return ModelError(
        f"model.path: {path} must be a folder with config.json and *.safetensors, or a model's "
        f"name on the hub; got: {problem} Mend: give the folder of a whole checkpoint; for a gated "
        "model on the hub, accept its licence there and log in with `hf auth login`."
    )


def folder_of(model: Mapping[str, Any]) -> Path:
    """The folder of a study's model; from the hub, the files that are read are fetched.

    Raises ModelError where there is nothing, CheckpointError for a kind that is not read.
    """
    path = str(model["path"])
    if not Path(path).is_dir() and not HUB_NAME.fullmatch(path):
        raise _unusable(model, "no such folder.")
    if Path(path).is_dir() and not (Path(path) / CONFIG).is_file():
        raise _unusable(model, "a folder without config.json.")
    untrained = model.get("weights", "pretrained") == "random"
    try:
        folder = hub.folder(path, model.get("revision"), (CONFIG,) if untrained else hub.WEIGHTS)
        facts = read_config(folder)
    except FileNotFoundError as error:
        raise _unusable(model, _first_line(error)) from error
    check_config(folder, facts)
    if not untrained:
        model_files(folder)
    return folder


def device_of(name: str) -> torch.device:
    """The device of that name; auto: a GPU where there is one. ModelError where there is none."""
    if name == "auto":
        name = "cuda" if torch.cuda.is_available() else "cpu"
    if name == "cuda" and not torch.cuda.is_available():
        raise ModelError(
            "model.device: cuda was asked for, but torch finds no GPU here. "
            "Set model.device to cpu or auto, or install torch with CUDA."
        )
    return torch.device(name)


def _read(kind: Any, model: Mapping[str, Any], folder: Path, config: Any) -> torch.nn.Module:
    """The model with the checkpoint's weights; ModelError where one is missing or misshapen."""
    try:
        read, info = kind.from_pretrained(
            folder,
            local_files_only=True,
            config=config,
            dtype=DTYPES[model["dtype"]],
            attn_implementation="sdpa",
            use_safetensors=True,
            trust_remote_code=False,
            output_loading_info=True,
        )
    except (OSError, ValueError, RuntimeError, SafetensorError) as error:
        raise _unusable(model, _first_line(error)) from error
    missing = sorted(name for name in info["missing_keys"] if not UNUSED.search(name))
    misshapen = sorted(str(entry[0]) for entry in info["mismatched_keys"])
    for names, what in ((missing, "without"), (misshapen, "that has in another shape")):
        if names:
            raise _unusable(model, f"a checkpoint {what} {len(names)} tensor(s), {names[0]} first.")
    return read


def _initialise(kind: Any, model: Mapping[str, Any], config: Any) -> torch.nn.Module:
    """The architecture with random weights; drawn in float32, so that the dtype only rounds."""
    with torch.random.fork_rng():
        torch.manual_seed(model.get("seed", 0))
        network = kind.from_config(config, dtype=torch.float32, attn_implementation="sdpa")
    return network.to(DTYPES[model["dtype"]])


def fits(model: Mapping[str, Any], memory_mb: int) -> bool:
    """Return True if `memory_mb` suffices to load the whole model and run it.

    On a GPU its free memory counts instead. Random weights are always drawn whole. A model on the
    hub is downloaded for this.
    """
    if model.get("weights", "pretrained") == "random":
        return True
    device = device_of(model.get("device", "cpu"))
    memory = memory_mb * 1_000_000
    if device.type == "cuda":
        memory = torch.cuda.mem_get_info(device)[0]
    weights = sum(path.stat().st_size for path in model_files(folder_of(model)))
    return needed(weights) <= memory


def load(model: Mapping[str, Any]) -> Loaded:
    """The model of a study, in evaluation mode, without gradients.

    Args:
        model: `path` (folder, or name on the hub), `revision`, `dtype` (float32, bfloat16,
            float16), `weights` (pretrained, or random: the architecture with weights drawn from
            `seed`, the untrained control), `family` (auto: as config.json says), `device` (cpu,
            cuda, auto). Keys beside these do not count.

    Raises:
        ModelError: names the path and says what to mend.
        ValueError: the family is unknown.
    """
    model = {"dtype": "float32", "weights": "pretrained", "device": "cpu", **model}
    folder, device = folder_of(model), device_of(model["device"])
    transformers.logging.set_verbosity_error()
    transformers.logging.disable_progress_bar()
    family = family_of(read_config(folder), model.get("family", "auto"))
    try:
        config = transformers.AutoConfig.from_pretrained(
            folder, local_files_only=True, trust_remote_code=False
        )
    except (OSError, ValueError) as error:
        raise _unusable(model, _first_line(error)) from error
    kind = transformers.AutoModelForCausalLM if family.causal else transformers.AutoModel
    random = model["weights"] == "random"
    network = _initialise(kind, model, config) if random else _read(kind, model, folder, config)
    network = network.eval().requires_grad_(False).to(device)
    return Loaded(network, family, family.sizes(config.to_dict()), str(model["path"]))
