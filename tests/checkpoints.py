"""Checkpoints made up for tests."""

import json

import numpy as np

D_MODEL, D_SAE = 16, 48


def to_bits(values):
    """The bits of bfloat16, rounded to nearest even, of float32 values."""
    bits = np.asarray(values, np.float32).view(np.uint32)
    return ((bits + 0x7FFF + ((bits >> 16) & 1)) >> 16).astype(np.uint16)


def write_safetensors(path, tensors):
    """A safetensors file; uint16 arrays are written as bfloat16."""
    kinds = {"float32": "F32", "float16": "F16", "uint16": "BF16", "float64": "F64", "int64": "I64"}
    header, offset = {}, 0
    for name, array in tensors.items():
        end = offset + array.nbytes
        header[name] = {
            "dtype": kinds[array.dtype.name],
            "shape": list(array.shape),
            "data_offsets": [offset, end],
        }
        offset = end
    text = json.dumps(header).encode()
    text += b" " * (-len(text) % 8)
    path.parent.mkdir(parents=True, exist_ok=True)
    data = b"".join(np.ascontiguousarray(array).tobytes() for array in tensors.values())
    path.write_bytes(len(text).to_bytes(8, "little") + text + data)


def hyperparams(**changed):
    """Keys of a Llama Scope checkpoint, as shipped, at a small size."""
    return {
        "device": "cuda:0",
        "seed": 42,
        "dtype": "torch.bfloat16",
        "hook_point_in": "blocks.15.hook_resid_post",
        "hook_point_out": "blocks.15.hook_resid_post",
        "use_decoder_bias": True,
        "apply_decoder_bias_to_pre_encoder": False,
        "expansion_factor": 3,
        "d_model": D_MODEL,
        "d_sae": D_SAE,
        "act_fn": "jumprelu",
        "jump_relu_threshold": 0.69921875,
        "norm_activation": "dataset-wise",
        "dataset_average_activation_norm": {"in": 10.8125, "out": 10.8125},
        "decoder_exactly_fixed_norm": False,
        "sparsity_include_decoder_norm": True,
        "use_glu_encoder": False,
        "lp": 1,
        "l1_coefficient": 8e-05,
        "top_k": 50,
    } | changed


def llama_scope_tensors(seed=0):
    """Tensors of a Llama Scope checkpoint, float32 values; decoder norms lie in 0.3..3."""
    rng = np.random.default_rng(seed)
    columns = rng.normal(size=(D_MODEL, D_SAE))
    columns *= rng.uniform(0.3, 3, D_SAE) / np.linalg.norm(columns, axis=0)
    return {
        "encoder.weight": rng.normal(size=(D_SAE, D_MODEL)) / 4,
        "encoder.bias": rng.normal(size=D_SAE),
        "decoder.weight": columns,
        "decoder.bias": rng.normal(size=D_MODEL),
    }


def llama_scope(folder, seed=0, tensors=None, **changed):
    """Write a Llama Scope checkpoint; its folder."""
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "hyperparams.json").write_text(json.dumps(hyperparams(**changed)))
    values = llama_scope_tensors(seed) if tensors is None else tensors
    bits = {n: v if v.dtype == np.uint16 else to_bits(v) for n, v in values.items()}
    write_safetensors(folder / "checkpoints" / "final.safetensors", bits)
    return folder
