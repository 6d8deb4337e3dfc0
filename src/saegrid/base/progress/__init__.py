"""The progress of a run, in words: shown while it goes on, and kept for whoever asks beside it.

It knows numbers, times and logs of jobs; not what stages compute, and nothing of Snakemake.
"""
