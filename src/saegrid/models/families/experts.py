"""The families with mixtures of experts: Mixtral and Qwen 3 MoE.

M is the output of the whole MLP: the sum over a token's experts, weighed by the router.
"""

from dataclasses import replace

from saegrid.models.families.llama import LLAMA

MIXTRAL = replace(
    LLAMA,
    name="mixtral",
    mlp="mlp",
    experts=True,
    renamed=((r"\.mlp\.", ".block_sparse_moe."),),
    fused=(
        ("experts.gate_up_proj", ("experts.{}.w1.weight", "experts.{}.w3.weight")),
        ("experts.down_proj", ("experts.{}.w2.weight",)),
    ),
)
QWEN3_MOE = replace(
    LLAMA,
    name="qwen3_moe",
    mlp="mlp",
    experts=True,
    fused=(
        ("experts.gate_up_proj", ("experts.{}.gate_proj.weight", "experts.{}.up_proj.weight")),
        ("experts.down_proj", ("experts.{}.down_proj.weight",)),
    ),
)
