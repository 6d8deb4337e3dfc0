"""The family of Phi 1, 1.5 and 2: parallel blocks, and a shift of the logits."""

from saegrid.models import Family, Last

PHI = Family(
    name="phi",
    blocks="layers",
    attention="self_attn.dense",
    mlp="mlp.fc2",
    last=Last("final_layernorm", "layer", shifted=True, eps="layer_norm_eps", biased=True),
)
