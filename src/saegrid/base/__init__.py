"""Files, paths, digests and tensors: what every room stands on."""
