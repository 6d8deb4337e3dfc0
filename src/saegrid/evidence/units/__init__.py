"""Units one by one: which of them tell two classes of texts apart, and how few of them suffice.

A unit is a column of numbers of texts: a channel of x, a hidden neuron, a component, a feature of
an SAE. `compare` tests each, `chance` and `power` say what such tests give where there is nothing,
and what they cannot see; `curves`, `spread`, `stability` and `effectiveness` say how local a label
is. All take a matrix (text, unit), labels, word types and a seed, and know no files.
"""
