"""The activation store: activations of streamed text in shards, for SAEs to learn from.

A store is a folder: `manifest.json` and a folder of shards for each site. It is filled once for a
model and a corpus, grows when more text is asked for, and goes on where it was killed: it always
ends as if it had been filled at once. It is read as a stream of shuffled batches, also while it is
still being filled.

    texts -> rows -> fill (choice, norm) -> shard files, manifest -> stream
"""
