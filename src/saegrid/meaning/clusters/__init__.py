"""Clusters of the texts of a corpus and of the features of a cell, with names and tables.

The science stands in `evidence.clusters`; here texts and features become its rows, and clusters
become names that a reader can check.
"""
