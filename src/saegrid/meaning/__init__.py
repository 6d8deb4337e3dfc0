"""Meaning of features: concepts, coherence, form, and how features are alike."""
