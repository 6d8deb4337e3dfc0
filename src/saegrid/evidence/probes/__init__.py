"""Classifiers of texts: what can be predicted from activations, codes and words, on texts that were
not learned from.

A probe (`targets`) says which texts have which label; a representation (`representations`)
describes these texts by numbers; fits are the same for all. Features are chosen inside the training
folds.
"""
