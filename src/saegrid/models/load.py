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

from saegrid.base.errors import CheckpointError
from saegrid.base.words import POSITIONS, Site
from saegrid.models import FAMILIES, Family, Sizes, Unembedding, family_of, hub, read_config
from saegrid.models.files import CONFIG, check_config, check_stored, model_files
from saegrid.models.memory import needed
from saegrid.models.structure import worked_out

DTYPES = {
    "float32": torch.float32,
    "bfloat16": torch.bfloat16,
    "float16": torch.float16,
}
DEVICES = ("cpu", "cuda", "mps", "auto")
HUB_NAME = re.compile(r"\w[\w.-]*(/\w[\w.-]*)?")
BUFFER = re.compile(
    r"(rotary_emb\.\w+|(attn|attention)\.(bias|masked_bias|embed_positions)|inv_freq)$"
)
"""Tables in blocks that older versions of the library stored, and make anew now."""
UNUSED = re.compile(r"(^|\.)pooler\.")
"""Tensors that no site depends on; a checkpoint may lack them."""


PARTS = {
    r"^(model\.)?language_model\.(model\.)?(?!lm_head)": "model.",
    r"^language_model\.lm_head": "lm_head",
}
"""Patterns of the names of a language model within a larger one, and what they are by itself."""


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

    @property
    def positions(self) -> list[str]:
        """The positions that the model has."""
        return self.family.positions

    def check_site(self, site: Site) -> None:
        """ModelError where the model lacks a site."""
        n_layers = len(self.blocks)
        if not 0 <= site.layer < n_layers or site.position not in POSITIONS:
            raise ModelError(
                f"{self.source} has no site {site}: layers are 0 to {n_layers - 1}, positions "
                f"{', '.join(self.positions)}. Mend the layers of the grid."
            )
        reason = self.family.lacks(site.position)
        if reason:
            raise ModelError(
                f"{self.source} has no site {site}: in a {self.family.name} model {reason}."
            )

    def part(self, layer: int, name: str) -> torch.nn.Module:
        """The module of that name in a block, the block itself for an empty one; ModelError where
        the block has none."""
        try:
            return self.blocks[layer].get_submodule(name)
        except AttributeError:
            raise ModelError(
                f"{self.source}: block {layer} has no part {name}. The family "
                f"{self.family.name!r} does not describe this model: set model.family."
            ) from None

    def width(self, site: Site) -> int:
        """Number of channels at a site."""
        self.check_site(site)
        return self.sizes.width(site.position)

    @property
    def unembedding(self) -> Unembedding | None:
        """Names and numbers that turn the last residual stream into logits."""
        return self.family.unembedding(self.model.config.to_dict())

    def tensor(self, name: str) -> torch.Tensor:
        """The tensor of that name in the headed model; ModelError where it has none."""
        try:
            return self.model.get_parameter(name)
        except AttributeError:
            raise ModelError(
                f"{self.source}: the model has no tensor {name}. The family {self.family.name!r} "
                "does not describe this model: set model.family."
            ) from None

    def logits(self, hidden: torch.Tensor) -> torch.Tensor:
        """The logits (..., d_vocab) of a causal model, of its last hidden states (..., channel)."""
        logits, names = self.model.get_output_embeddings()(hidden), self.unembedding
        if names is None:
            return logits
        logits = logits * names.scale if names.scale != 1 else logits
        return names.softcap * torch.tanh(logits / names.softcap) if names.softcap else logits

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
        check_stored(folder)
    return folder


def device_of(name: str) -> torch.device:
    """The device of that name; auto: a GPU where there is one. ModelError where there is none."""
    if name == "auto":
        name = "cuda" if torch.cuda.is_available() else "cpu"
    kind, colon, number = name.partition(":")
    count = {"cuda": torch.cuda.device_count, "mps": torch.mps.device_count}.get(kind)
    if kind not in DEVICES or (colon and not (kind == "cuda" and number.isdecimal())):
        raise ModelError(
            f"model.device: {name!r} is unknown. Take one of {', '.join(DEVICES)}, or one GPU of "
            "several as cuda:1."
        )
    if count is not None and not count():
        raise ModelError(
            f"model.device: {name} was asked for, but torch finds no GPU here. "
            f"Set model.device to cpu or auto, or install torch with {kind.upper()}."
        )
    if count is not None and colon and int(number) >= count():
        raise ModelError(
            f"model.device: {name} was asked for, but torch finds {count()} GPUs here, which are "
            "counted from 0."
        )
    return torch.device(name)


def config_of(model: Mapping[str, Any], folder: Path, family: Family) -> Any:
    """The library's settings of a checkpoint's language model; ModelError where there are none."""
    try:
        config = transformers.AutoConfig.from_pretrained(
            folder, local_files_only=True, trust_remote_code=False
        )
    except Exception as error:  # whatever stands in the file, the library may not foresee it
        raise _unusable(model, _first_line(error)) from error
    return getattr(config, family.part) if family.part else config


def _read(
    kind: Any, model: Mapping[str, Any], folder: Path, config: Any, family: Family
) -> torch.nn.Module:
    """The model with the checkpoint's weights; ModelError where one is missing or misshapen."""
    # Names of the language model within a larger one.
    renaming = {"key_mapping": dict(PARTS)} if family.part else {}
    try:
        read, info = kind.from_pretrained(
            folder,
            local_files_only=True,
            config=config,
            dtype=DTYPES[model["dtype"]],
            attn_implementation=family.kernel,
            use_safetensors=True,
            trust_remote_code=False,
            output_loading_info=True,
            **renaming,
        )
    except Exception as error:  # as above
        raise _unusable(model, _first_line(error)) from error
    missing = sorted(name for name in info["missing_keys"] if not UNUSED.search(name))
    misshapen = sorted(str(entry[0]) for entry in info["mismatched_keys"])
    unread = sorted(name for name in info["unexpected_keys"] if _counts(name, family))
    for names, what in (
        (missing, "without"),
        (misshapen, "that has in another shape"),
        (unread, "of another architecture or number of layers, which has beside others"),
    ):
        if names:
            raise _unusable(model, f"a checkpoint {what} {len(names)} tensor(s), {names[0]} first.")
    return read


def _counts(name: str, family: Family) -> bool:
    """Return True if a tensor that the model has no place for could change what a block does."""
    blocks = family.spellings(f"{family.prefix}{family.blocks}.")
    return "lora_" in name or (name.startswith(tuple(blocks)) and not BUFFER.search(name))


def _initialise(
    kind: Any, model: Mapping[str, Any], config: Any, kernel: str | None
) -> torch.nn.Module:
    """The architecture with random weights; drawn in float32, so that the dtype only rounds."""
    with torch.random.fork_rng():
        torch.manual_seed(model.get("seed", 0))
        network = kind.from_config(config, dtype=torch.float32, attn_implementation=kernel)
    # Tables of positions stay as exact as they are in a checkpoint's model.
    for parameter in network.parameters():
        parameter.data = parameter.data.to(DTYPES[model["dtype"]])
    return network


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
    config = config_of(model, folder, family)
    kind = transformers.AutoModelForCausalLM if family.causal else transformers.AutoModel
    if type(config) not in kind._model_mapping:
        raise ModelError(
            f"model.path: {model['path']}: a {family.name} model does not predict the next token, "
            f"and has no row in the table of families. Known: {', '.join(sorted(FAMILIES))}."
        )
    if model["weights"] == "random":
        network = _initialise(kind, model, config, family.kernel)
    else:
        network = _read(kind, model, folder, config, family)
    network = network.eval().requires_grad_(False).to(device)
    sizes = family.sizes(config.to_dict())
    if family.outlined:
        family = _worked_out(model, family, network.base_model, sizes)
    return Loaded(network, family, sizes, str(model["path"]))


def _worked_out(
    model: Mapping[str, Any], family: Family, body: torch.nn.Module, sizes: Sizes
) -> Family:
    """The family of a model by its structure, told in a line; ModelError where it is not found."""
    whole = worked_out(family, body, sizes.n_layers, sizes.d_model)
    if whole is None:
        raise ModelError(
            f"model.path: {model['path']}: the architecture {family.name} has no row in the table "
            f"of families, and no list of {sizes.n_layers} blocks with an attention and an MLP was "
            f"found in it. Known: {', '.join(sorted(FAMILIES))}."
        )
    print(
        f"family: worked out from the structure of a {family.name} model: blocks {whole.blocks}, "
        f"attention {whole.attention}, MLP {whole.mlp}",
        flush=True,
    )
    return whole
