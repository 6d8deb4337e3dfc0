"""Surveys of activations and of texts, before any SAE."""
