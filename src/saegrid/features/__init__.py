"""Features: densities, examples, logit effects."""
