"""A cache of checkpoints from the hub: a folder of their own, within a budget. It decides no value.

    {folder}/{name}/        a whole checkpoint, checked; its time of change is its last use
    {folder}/{name}.part/   what has come of one; a killed download goes on from it
    {folder}/{name}.lock    locked: shared by those who read, exclusively by who fetches or deletes;
                            holds the bytes that a running download has been promised
    {folder}/budget.lock    locked while someone counts, deletes, or ends a download

A whole checkpoint comes to be by one rename and goes by one, so that a kill leaves nothing that
looks whole and is not. Locks are those of the operating system and end with their process. Where
they do not hold between machines, a checkpoint may be fetched twice or deleted under a reader: jobs
fail, but the checksums let nothing wrong through.
"""

from saegrid.saes.cache.cache import BUDGET, DEFAULTS, FOLDER, Cache, Lease, name_of

__all__ = ["BUDGET", "DEFAULTS", "FOLDER", "Cache", "Lease", "name_of"]
