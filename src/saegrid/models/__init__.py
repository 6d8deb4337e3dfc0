"""Model families: where a kind of checkpoint keeps its blocks, its sites and its unembedding.

Importable without torch. A new family is one file, or one line where it names its parts like a
known one; `models.check` tests by behaviour that the names mean what they should.
"""

import json
import re
from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any, NamedTuple

from saegrid.base.registry import pick
from saegrid.base.words import POSITIONS

FAMILIES = {
    "bert": "saegrid.models.families.bert:BERT",
    "cohere": "saegrid.models.families.llama:COHERE",
    "cohere2": "saegrid.models.families.llama:COHERE",
    "distilbert": "saegrid.models.families.bert:DISTILBERT",
    "gemma": "saegrid.models.families.gemma:GEMMA",
    "gemma2": "saegrid.models.families.gemma:GEMMA2",
    "gemma3": "saegrid.models.families.gemma:GEMMA3",
    "gemma3_text": "saegrid.models.families.gemma:GEMMA3_TEXT",
    "gpt2": "saegrid.models.families.gpt2:GPT2",
    "gpt_neo": "saegrid.models.families.gpt2:GPT_NEO",
    "gpt_neox": "saegrid.models.families.gpt_neox:GPT_NEOX",
    "gptj": "saegrid.models.families.gpt2:GPTJ",
    "granite": "saegrid.models.families.llama:GRANITE",
    "llama": "saegrid.models.families.llama:LLAMA",
    "mistral": "saegrid.models.families.llama:LLAMA",
    "mixtral": "saegrid.models.families.experts:MIXTRAL",
    "olmo": "saegrid.models.families.llama:OLMO",
    "olmo2": "saegrid.models.families.llama:OLMO2",
    "olmo3": "saegrid.models.families.llama:OLMO2",
    "opt": "saegrid.models.families.opt:OPT",
    "phi": "saegrid.models.families.phi:PHI",
    "phi3": "saegrid.models.families.llama:LLAMA",
    "qwen2": "saegrid.models.families.llama:LLAMA",
    "qwen3": "saegrid.models.families.llama:QWEN3",
    "qwen3_moe": "saegrid.models.families.experts:QWEN3_MOE",
    "roberta": "saegrid.models.families.bert:ROBERTA",
    "smollm3": "saegrid.models.families.llama:SMOLLM3",
    "stablelm": "saegrid.models.families.llama:STABLELM",
}
"""Families by the `model_type` of config.json."""

PARALLEL = (
    "attention and MLP of a block read the same stream, and there is none between them; take b or r"
)
"""Reason why a model lacks position H."""
EXPERTS = (
    "each token has hidden neurons of other experts, and there is no one MLP with a down-projection"
)
"""Reason why a model lacks position N."""

OUTLINED = "the stream before the MLP is not known, since the architecture has no row in the table"
"""Reason why a model whose parts are worked out from its structure lacks position H."""


class Unembedding(NamedTuple):
    """Names of the tensors, and numbers, that turn the last residual stream into logits.

    logits = cap(scale * (unembed @ project @ norm(x) + bias)), cap(y) = softcap tanh(y / softcap)
    """

    norm_weight: str | None
    """Scale of the final norm (d_model,); None where it has none."""
    norm_bias: str | None
    """Shift of the final norm (d_model,); None where it has none."""
    unembed: str
    """Unembedding (d_vocab, d_model); the embedding where the two are tied."""
    kind: str
    """Final norm: `rms` divides by the root mean square, `layer` takes off the mean before, `none`
    is no norm."""
    plus: float = 0.0
    """Number added to `norm_weight`: 1 in families whose norms scale by 1 + weight."""
    eps: float = 1e-5
    """Addend to the mean square within the final norm."""
    bias: str | None = None
    """Shift of the logits (d_vocab,); None where they have none."""
    project: str | None = None
    """Map (width, d_model) before an unembedding (d_vocab, width); None where there is none."""
    scale: float = 1.0
    """Factor of the logits."""
    softcap: float | None = None
    """Bound of the logits; None without one."""


class Sizes(NamedTuple):
    """Sizes of a model, as its config.json gives them."""

    n_layers: int
    d_model: int
    d_mlp: int
    """Width of the hidden neurons, position N."""
    d_vocab: int
    context: int
    """Longest row in tokens."""
    d_heads: int
    """Width of the heads side by side, position Z."""

    def width(self, position: str) -> int:
        """Number of channels at a position."""
        return {"N": self.d_mlp, "Z": self.d_heads}.get(position, self.d_model)


@dataclass(frozen=True)
class Keys:
    """The keys of config.json under which a family keeps its sizes."""

    layers: str = "num_hidden_layers"
    d_model: str = "hidden_size"
    d_mlp: str = "intermediate_size"
    heads: str = "num_attention_heads"
    context: str = "max_position_embeddings"
    four: bool = False
    """True if hidden neurons are 4 d_model where config.json gives no number of them."""
    padded: bool = False
    """True if rows of the position table up to that of the padding are never used."""
    defaults: Mapping[str, Any] = field(default_factory=dict)
    """Values of keys that config.json may lack."""

    def sizes(self, config: Mapping[str, Any]) -> Sizes:
        """The sizes; KeyError names a key that is missing."""
        facts = {**self.defaults, **config}
        d_model, heads = facts[self.d_model], facts[self.heads]
        d_mlp = facts.get(self.d_mlp) if self.four else facts[self.d_mlp]
        unused = facts["pad_token_id"] + 1 if self.padded else 0
        return Sizes(
            n_layers=facts[self.layers],
            d_model=d_model,
            d_mlp=4 * d_model if d_mlp is None else d_mlp,
            d_vocab=facts["vocab_size"],
            context=facts[self.context] - unused,
            d_heads=_together(heads, facts.get("head_dim"), d_model),
        )


def _together(heads: Any, size: int | None, d_model: Any) -> Any:
    """The width of all heads; `heads` as it is where that is no number from 1 on."""
    if type(heads) is not int or type(d_model) is not int or heads < 1:
        return heads
    return heads * (size or d_model // heads)


@dataclass(frozen=True)
class Last:
    """The parts that turn the last residual stream into logits, and the keys of their numbers.

    Names of modules are relative to the model without its head.
    """

    norm: str = "norm"
    """The final norm; empty where there is none."""
    kind: str = "rms"
    """Final norm, as in `Unembedding`."""
    scaled: bool = True
    """True if the norm has a scale."""
    shifted: bool = False
    """True if the norm has a shift."""
    plus: float = 0.0
    """Number added to the scale."""
    eps: str | float = "rms_norm_eps"
    """Key of the norm's addend, or the addend where config.json cannot change it."""
    embedding: str = "embed_tokens"
    """The embedding, which is the head where config.json ties them."""
    tied: bool = False
    """True if they are tied where config.json does not say it."""
    biased: bool = False
    """True if the head has a shift."""
    project: str = ""
    """Linear map between norm and head; empty where there is none."""
    scale: str = ""
    """Key of the factor of the logits; empty where there is none."""
    divided: bool = False
    """True if the logits are divided by that number."""
    softcap: str = ""
    """Key of the bound of the logits; empty where there is none."""


@dataclass(frozen=True)
class Family:
    """The names under which checkpoints of an architecture keep what is read and edited.

    Names of modules are relative: `blocks` to the model without its head, the others to a block.
    """

    name: str
    blocks: str
    """The list of blocks; the input of a block is B, its output R."""
    attention: str
    """The attention's output projection; its input is Z and its output A."""
    mlp: str
    """The MLP's down-projection; its input is N and its output M. With experts the whole MLP."""
    enters: str = "mlp"
    """The module whose input is I."""
    middle: str = ""
    """The module whose input is H, or whose output in blocks with a norm behind each sum; empty in
    parallel blocks, which have no H."""
    after_attention: str = ""
    """A norm behind the attention's projection, before the sum: A is its output."""
    after_mlp: str = ""
    """A norm behind the down-projection, before the sum: M is its output."""
    residual_sum: bool = True
    """True if R of a layer is R of the layer before + A + M: pre-norm blocks, not BERT's."""
    multiplier: str = ""
    """Key of the factor of A and M in that sum; empty where there is none."""
    causal: bool = True
    """True if a token attends only to itself and the tokens before it."""
    experts: bool = False
    """True if tokens go to experts: such a model has no N, and runs one row at a time."""
    flat: bool = False
    """True if the MLP sees all tokens of a batch in one axis."""
    tuples: bool = False
    """True if a block returns a tuple, in which the stream comes first."""
    kernel: str | None = "sdpa"
    """Implementation of the attention that the family is defined by; None: the library's choice."""
    outlined: bool = False
    """True if the parts are worked out from the structure of a model, see `structure`."""
    prefix: str = "model."
    """Prefix of tensor names in a checkpoint that holds a head too."""
    renamed: tuple[tuple[str, str], ...] = ()
    """Pairs (pattern, replacement) that turn names of the model into other names in checkpoints."""
    fused: tuple[tuple[str, tuple[str, ...]], ...] = ()
    """Ends of the names of stacked experts, and the parts of one expert in checkpoints, with {}
    for its number; parts are joined by rows."""
    part: str = ""
    """Key of config.json that holds the language model's own facts; empty: the whole file."""
    keys: Keys = Keys()
    last: Last | None = Last()
    """None without a linear unembedding."""
    depends: Callable[[Mapping[str, Any]], Mapping[str, Any]] = lambda config: {}
    """Fields that config.json changes, from its facts."""

    def of(self, config: Mapping[str, Any]) -> Mapping[str, Any]:
        """The facts of the language model among those of config.json."""
        return config.get(self.part, config) if self.part else config

    def sizes(self, config: Mapping[str, Any]) -> Sizes:
        """Sizes, from the facts of config.json; KeyError names a key that is missing."""
        return self.keys.sizes(self.of(config))

    def factor(self, config: Mapping[str, Any]) -> float:
        """The factor of A and M in the residual stream."""
        return float(self.of(config).get(self.multiplier, 1.0)) if self.multiplier else 1.0

    def unembedding(self, config: Mapping[str, Any]) -> Unembedding | None:
        """Tensor names, from the facts of config.json; None without a linear unembedding."""
        last = self.last
        if last is None:
            return None
        facts = {"tie_word_embeddings": last.tied, **self.keys.defaults, **self.of(config)}
        scale = float(facts.get(last.scale) or 1.0) if last.scale else 1.0
        tied = facts["tie_word_embeddings"]
        head = f"{self.prefix}{last.embedding}" if tied else "lm_head"
        norm = f"{self.prefix}{last.norm}"
        return Unembedding(
            norm_weight=f"{norm}.weight" if last.norm and last.scaled else None,
            norm_bias=f"{norm}.bias" if last.norm and last.shifted else None,
            unembed=f"{head}.weight",
            kind=last.kind if last.norm else "none",
            plus=last.plus,
            eps=facts.get(last.eps, 1e-5) if isinstance(last.eps, str) else last.eps,
            bias="lm_head.bias" if last.biased else None,
            project=f"{self.prefix}{last.project}.weight" if last.project else None,
            scale=1 / scale if last.divided else scale,
            softcap=facts.get(last.softcap) if last.softcap else None,
        )

    def spellings(self, tensor: str) -> list[str]:
        """The names under which checkpoints keep a tensor of the headed model, the usual first."""
        names = [tensor, tensor.removeprefix(self.prefix)]
        for pattern, replacement in self.renamed:
            names += [re.sub(pattern, replacement, name) for name in names]
        return list(dict.fromkeys(names))

    def lacks(self, position: str) -> str:
        """The reason why models of the family have no such position; empty where they have it."""
        if position == "H" and self.outlined:
            return OUTLINED
        if position == "H" and not self.middle:
            return PARALLEL
        return EXPERTS if position == "N" and self.experts else ""

    @property
    def positions(self) -> list[str]:
        """The positions that models of the family have."""
        return [position for position in POSITIONS if not self.lacks(position)]


def read_config(folder: str | Path) -> dict[str, Any]:
    """The facts of a checkpoint's config.json; FileNotFoundError names the folder."""
    path = Path(folder) / "config.json"
    if not path.is_file():
        raise FileNotFoundError(
            f"model.path: {folder} must be a folder that holds config.json and *.safetensors; "
            "there is no config.json in it."
        )
    return json.loads(path.read_text(encoding="utf-8"))


def family_name(config: Mapping[str, Any], name: str = "auto") -> str:
    """The family's name in the registry: `name`, or what config.json says where it is `auto`."""
    return str(config.get("model_type", "")) if name == "auto" else name


def family_of(config: Mapping[str, Any], name: str = "auto") -> Family:
    """The family of a checkpoint; ValueError names the nearest one where it is unknown.

    One without a row, of an architecture that the library of models knows, is told by its structure
    as the model is loaded, see `structure`.
    """
    from saegrid.models.structure import outline  # which stands on this module

    if name == "auto" and family_name(config) not in FAMILIES and (family := outline(config)):
        return family
    family = pick(FAMILIES, family_name(config, name), "model family")
    return replace(family, **family.depends(family.of(config)))


def sizes_of(config: Mapping[str, Any], name: str = "auto") -> Sizes:
    """Layers, widths and context of a checkpoint."""
    return family_of(config, name).sizes(config)


def unembedding_names(
    config: Mapping[str, Any], available: Collection[str] = (), name: str = "auto"
) -> Unembedding | None:
    """Tensor names of the final norm and the unembedding; None where there is no linear one.

    available: the names in the checkpoint; some are saved without the prefix of the headed model,
    as the hub's gpt2 is. ValueError names a tensor that is not among them.
    """
    family = family_of(config, name)
    names = family.unembedding(config)
    if names is None or not available:
        return names

    head = "lm_head.weight"
    if any(spelling in available for spelling in family.spellings(head)):
        # The library ties embedding and head only where the file has no head of its own.
        names = names._replace(unembed=head)

    def find(tensor: str | None) -> str | None:
        if tensor is None:
            return None
        for spelling in family.spellings(tensor):
            if spelling in available:
                return spelling
        raise ValueError(
            f"The checkpoint has no tensor {tensor}, which a {family.name} model must have. "
            "Check that the files are whole and that model.family is right."
        )

    return names._replace(
        norm_weight=find(names.norm_weight),
        norm_bias=find(names.norm_bias),
        unembed=str(find(names.unembed)),
        bias=find(names.bias),
        project=find(names.project),
    )
