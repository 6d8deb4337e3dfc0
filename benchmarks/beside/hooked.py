"""A Llama of a local folder as a HookedTransformer, which the peers load by name only."""

import torch
import transformers
from sae_lens import HookedSAETransformer
from transformer_lens import HookedTransformerConfig
from transformer_lens.pretrained.weight_conversions.llama import convert_llama_weights


def hooked(path: str) -> HookedSAETransformer:
    """The model, processed like the default of `from_pretrained` (norms folded, logits centred)."""
    loaded = transformers.AutoModelForCausalLM.from_pretrained(path).to(torch.float32)
    facts = loaded.config
    heads, kept = facts.num_attention_heads, facts.num_key_value_heads
    cfg = HookedTransformerConfig(
        n_layers=facts.num_hidden_layers,
        d_model=facts.hidden_size,
        d_head=facts.hidden_size // heads,
        n_heads=heads,
        d_mlp=facts.intermediate_size,
        n_ctx=facts.max_position_embeddings,
        d_vocab=facts.vocab_size,
        eps=facts.rms_norm_eps,
        act_fn=facts.hidden_act,
        n_key_value_heads=None if kept == heads else kept,
        normalization_type="RMS",
        positional_embedding_type="rotary",
        rotary_adjacent_pairs=False,
        rotary_dim=facts.hidden_size // heads,
        final_rms=True,
        gated_mlp=True,
        device="cpu",
        original_architecture="LlamaForCausalLM",
    )
    model = HookedSAETransformer(cfg, tokenizer=transformers.AutoTokenizer.from_pretrained(path))
    weights = convert_llama_weights(loaded, cfg)
    model.load_and_process_state_dict(weights, center_writing_weights=False)
    return model.eval()


def hook_of(site: str) -> str:
    """The hook point of a site like L15R."""
    suffix = {"A": "hook_attn_out", "M": "hook_mlp_out", "R": "hook_resid_post"}[site[-1]]
    return f"blocks.{site[1:-1]}.{suffix}"
