"""Features: densities, examples, topics, logit effects."""
