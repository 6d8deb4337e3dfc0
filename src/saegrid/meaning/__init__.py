"""The meaning of features: what they are about."""
