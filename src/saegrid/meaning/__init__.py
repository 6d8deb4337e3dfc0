"""What features are about: concepts, coherence, form, and how features are alike."""
