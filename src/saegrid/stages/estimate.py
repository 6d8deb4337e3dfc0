"""What a job will read, write, hold in memory and multiply: a formula a stage.

Nothing is read here: sizes and counts come in, bytes and multiplications come out. A formula
follows the stage that it stands for; where a stage changes, it is changed here. Bytes of tensors
are exact, those of tables and pages are as measured a feature. Importable without torch.
"""

from collections.abc import Iterable, Mapping, Sequence
from typing import NamedTuple

BYTES = {"float32": 4, "float16": 2, "bfloat16": 2}
"""Bytes of a stored number."""
HEADER = 4096
"""Bytes of a file's header, with its spec."""
NUMPY, TORCH = 150 << 20, 500 << 20
"""Resident bytes of a process that has imported the library; that has imported torch too."""
ROOM, WORKING = 1_000_000_000, 1.1
"""Bytes beside the weights, and weights with what a pass holds (`models.load`)."""
HELD = 2 << 30
"""Bytes of activations up to which a capture holds them in memory (`capture.store.HELD`)."""
STORE_BLOCK = 131_072
"""Tokens that a filling of a store holds at a time (`store.blocks.MOST`)."""
FEATURE_BLOCK, TOKEN_TILE = 2048, 1024
"""What an encoding multiplies at a time where its memory suffices (`budget.fit`)."""
READERS = 2
"""Blocks that are read ahead (`saes.ahead.READERS`)."""
ENTRY = 8
"""Bytes of an activation in features.safetensors: float32 value, int32 token."""
SORTED = 60
"""Bytes of memory an activation while it is sorted by feature."""
MEASURED, SAMPLE, COMPONENTS = 8192, 16_384, 256
"""Tokens that metrics hold (`metrics.codes.BLOCK`), that baselines hold and independent components
that they find (`metrics.baselines`)."""
LEARNED = 100_000
"""Tokens of a store that are read for their mean (`metrics.measure.LEARNED`)."""
TOKEN_ROW, ITEM_ROW = 8, 60
"""Bytes of a row of tokens.parquet and spans.parquet; of items.parquet and what comes with it."""
FEATURE_ROW, SHOWN, LOGIT_ROWS, PAGE = 40, 400, 220, 700
"""Bytes a feature in features.parquet; a feature shown in top_tokens, examples and topics; in
logit_effects.parquet; in features.html."""


class Cost(NamedTuple):
    """What one job comes to."""

    read: int = 0
    """Bytes from disk."""
    write: int = 0
    """Bytes that stay on disk."""
    passing: int = 0
    """Bytes on disk beside `write` while the job runs."""
    memory: int = NUMPY
    """Largest resident memory in bytes."""
    model: int = 0
    """Multiplications of the model's forward pass, in its dtype and on its device."""
    float32: int = 0
    """Multiplications of float32 products."""
    bfloat16: int = 0
    """Multiplications of bfloat16 products."""
    entries: int = 0
    """Activations that are sorted."""
    threads: int = 1
    torch: bool = False
    """Whether the process imports torch."""


class Weights(NamedTuple):
    """Sizes of a model: what its forward pass reads, holds and multiplies."""

    block: int
    """Parameters of one block."""
    embedding: int
    """Parameters of the embedding, and of the unembedding where it is another tensor."""
    n_layers: int
    d_model: int
    itemsize: int
    """Bytes of a number in the model's dtype."""
    stored: int
    """Bytes of the checkpoint's files."""

    @property
    def parameters(self) -> int:
        """All of them but the last norm's."""
        return self.n_layers * self.block + self.embedding


class Sae(NamedTuple):
    """Sizes of a sparse autoencoder."""

    d_model: int
    d_sae: int
    itemsize: int
    """Bytes of a stored number."""
    l0: int
    """Active features a token: k, or what the checkpoint was made for."""

    @property
    def matrix(self) -> int:
        """Bytes of its encoder's rows, and of its decoder's."""
        return self.d_model * self.d_sae * self.itemsize


class Text(NamedTuple):
    """Counts of a corpus, read or guessed."""

    items: int
    positions: int
    """Model input positions, both sides."""
    rows: int
    captured: int
    """Tokens that a capture keeps."""
    masked: int
    """Tokens of edits that densities count."""
    counted: int
    """Tokens that densities are shares of."""
    guess: str = ""
    """How the counts were guessed; empty where they were read from tokens.json."""


# --- captures ----------------------------------------------------------------------------------


def activation_bytes(captured: int, widths: Iterable[int], itemsize: int) -> int:
    """Bytes of the activations of sites of these widths: x (token, channel) and token indices."""
    return sum(captured * (width * itemsize + 8) + HEADER for width in widths)


def forward(weights: Weights, text: Text, depth: int) -> int:
    """Multiplications of a forward pass over all rows through `depth` blocks, attention included.

    The unembedding is not run; an embedding is looked up.
    """
    row = text.positions / max(text.rows, 1)
    a_token = weights.block + 2 * row * weights.d_model
    return int(text.positions * a_token * depth)


def memory_whole_model(weights: Weights, activations: int) -> int:
    """Resident bytes of a capture that loads all weights and then runs tile after tile."""
    return TORCH + weights.parameters * weights.itemsize + min(activations, HELD)


def memory_layer_by_layer(weights: Weights, a_layer: int) -> int:
    """Resident bytes of a capture that runs one block and reads the next meanwhile.

    a_layer: bytes of activations of the fullest layer.
    """
    return TORCH + 2 * weights.block * weights.itemsize + min(a_layer, HELD)


def fits(weights: Weights, memory: int) -> bool:
    """Whether a capture loads the whole model (`models.load.fits`)."""
    return ROOM + WORKING * weights.stored <= memory


def capture(
    weights: Weights,
    text: Text,
    widths: Mapping[int, Sequence[int]],
    threads: int = 1,
    memory: int = 6 * 10**9,
) -> Cost:
    """A capture of sites of these widths, by layer.

    memory: bytes that it may hold; a larger model runs block by block, with the residual stream in
    two files beside the activations.
    """
    depth = max(widths) + 1
    of_layer = [activation_bytes(text.captured, w, weights.itemsize) for w in widths.values()]
    size = sum(of_layer)
    cost = Cost(write=size, model=forward(weights, text, depth), threads=threads, torch=True)
    if fits(weights, memory):
        # Files that are mapped while the pass runs, beside those that stay.
        passing = size if size > HELD else 0
        held = memory_whole_model(weights, size)
        return cost._replace(read=weights.stored, passing=passing, memory=held)
    largest, stream = max(of_layer), text.positions * weights.d_model * weights.itemsize
    return cost._replace(
        read=depth * weights.block * weights.itemsize,
        passing=2 * stream + (largest if largest > HELD else 0),
        memory=memory_layer_by_layer(weights, largest),
    )


def fill_store(
    weights: Weights,
    text: Text,
    widths: Sequence[int],
    depth: int,
    source: int,
    threads: int = 1,
) -> Cost:
    """A store of sites of these widths, filled from `source` bytes of text.

    An entry has three numbers beside its activations (20 bytes). A block of tokens is held.
    """
    a_token = sum(widths) * weights.itemsize
    return Cost(
        read=weights.stored + source,
        write=text.captured * (a_token + 20 * len(widths)) + HEADER * len(widths),
        memory=memory_whole_model(weights, STORE_BLOCK * 2 * a_token),
        model=forward(weights, text, depth),
        threads=threads,
        torch=True,
    )


def survey(activations: int, dimensions: int) -> Cost:
    """A survey of that many bytes of activations, in blocks of float64.

    dimensions: of all sites and corpora: each is a row of a table (36 bytes), and a float32 in ten
    single tokens.
    """
    write = 4 * HEADER + 76 * dimensions
    return Cost(read=activations, write=write, memory=NUMPY + (1 << 30))


# --- SAEs --------------------------------------------------------------------------------------


def train_sae(
    sae: Sae, captured: int, steps: int, batch: int, threads: int = 1, white: bool = False
) -> Cost:
    """A training. Of its products two are counted as dense, others go by active entries; four
    copies of the weights are held.

    white: activations are whitened: a sample of them is held, and in the end two more copies of the
    weights in float64.
    """
    weights = 2 * sae.d_model * sae.d_sae
    whitening = max(min(captured * sae.d_model * 4, 1 << 30), weights * 8 * 2) if white else 0
    return Cost(
        read=captured * sae.d_model * sae.itemsize,
        write=weights * 4 + 3 * HEADER,
        memory=TORCH + weights * 4 * 4 + 4 * batch * sae.d_sae * 4 + whitening,
        # Two dense products a step, and some ten operations a weight of the optimiser.
        float32=steps * (2 * batch * sae.d_model * sae.d_sae + 10 * weights),
        threads=threads,
        torch=True,
    )


def import_sae(sae: Sae, cache: int = 0) -> Cost:
    """A reference to a checkpoint: its decoder is read once for the norms.

    cache: bytes that checkpoints from the hub take on disk at most.
    """
    return Cost(
        read=sae.matrix,
        write=sae.d_sae * 4 + 2 * HEADER,
        passing=cache,
        memory=NUMPY + 12 * (1 << 22) + 8 * sae.d_sae,
    )


# --- cells -------------------------------------------------------------------------------------


def feature_bytes(sae: Sae, captured: int) -> int:
    """Bytes of features.safetensors where every token has `l0` active features."""
    return captured * (sae.l0 * ENTRY + 8) + (sae.d_sae + 1) * 8 + HEADER


def memory_encode(sae: Sae, captured: int, bfloat16: bool, threads: int) -> int:
    """Resident bytes of an encoding.

    The file of activations, which is mapped, and all of them as float32, in the order of their
    norms; for a bfloat16 screen also as it holds them. Blocks of the encoder and their products, a
    thread each; blocks that are read ahead; the entries while they are sorted.
    """
    number = 8 if bfloat16 else 6
    block = FEATURE_BLOCK * sae.d_model
    wide = 0 if bfloat16 else 4 * block
    held = captured * sae.d_model * number + threads * (wide + 8 * FEATURE_BLOCK * TOKEN_TILE)
    held += (threads + 2 * READERS) * block * sae.itemsize
    return NUMPY + held + captured * sae.l0 * SORTED


def merge(sae: Sae, captured: int) -> Cost:
    """Features of shards put together."""
    size = feature_bytes(sae, captured)
    return Cost(read=size, write=size, memory=NUMPY + captured * 16 + sae.d_sae * 16 + (200 << 20))


def encode(
    sae: Sae, captured: int, itemsize: int, bfloat16: bool = False, threads: int = 1
) -> Cost:
    """An encoding: activations (itemsize bytes a number) and encoder rows are read once."""
    products = captured * sae.d_model * sae.d_sae
    return Cost(
        read=captured * (sae.d_model * itemsize + 8) + sae.matrix,
        write=feature_bytes(sae, captured),
        memory=memory_encode(sae, captured, bfloat16, threads) + (TORCH if bfloat16 else 0),
        bfloat16=products if bfloat16 else 0,
        float32=0 if bfloat16 else products,
        entries=captured * sae.l0,
        threads=threads,
        torch=bfloat16,
    )


def measure(
    sae: Sae, tokens: int, captured: int, weights: Weights, positions: int, threads: int = 1
) -> Cost:
    """Metrics of an SAE on `tokens` of those captured, with the model on so many positions.

    captured: tokens that are read, most of them for their mean. The cosines of all pairs of the
    decoder, and of a random one; the model's pass from the first block on about four times.
    """
    pairs = sae.d_sae**2 // 2 * sae.d_model
    block = min(tokens, MEASURED)
    # A dictionary of directions as float32 comes before the model; x, x_hat and what is between
    # are float64.
    held = max(sae.d_model * sae.d_sae * 4, round(WORKING * weights.parameters * weights.itemsize))
    held += block * (5 * sae.d_model * 8 + sae.l0 * SORTED)
    unembedding = 3 * positions * weights.embedding
    return Cost(
        read=captured * sae.d_model * weights.itemsize + 2 * sae.matrix + weights.stored,
        write=30_000,
        memory=TORCH + held,
        model=4 * positions * weights.n_layers * weights.block + unembedding,
        float32=tokens * sae.d_model * sae.d_sae + 2 * pairs + 2 * tokens * sae.l0 * sae.d_model,
        entries=tokens * sae.l0,
        threads=threads,
        torch=True,
    )


def baselines(
    width: int,
    d_sae: int,
    tokens: int,
    learned: int,
    itemsize: int,
    ranks: Iterable[int],
    threads: int = 1,
) -> Cost:
    """Baselines of a site of so many channels, fitted on `learned` tokens, at these ranks.

    What counts are the moments, some 200 steps of the independent components, the random
    dictionary, on the tokens measured and on a sample, and the descent of the non-negative parts,
    whose steps of single numbers take as long as 50 of a product.
    """
    components = min(COMPONENTS, width)
    descent = sum(k * k for k in ranks if k < width)
    return Cost(
        read=(tokens + learned) * width * itemsize,
        write=20_000,
        memory=NUMPY + SAMPLE * (width + components) * 8 * 6 + 3 * width**2 * 8 + d_sae * width * 4,
        float32=2 * learned * width**2
        + 200 * SAMPLE * (4 * components**2 + 50 * descent)
        + (tokens + SAMPLE) * width * d_sae,
        threads=threads,
    )


def shown(sae: Sae, text: Text, cut: float) -> int:
    """At most so many features reach a density of `cut`: each needs its share of activations."""
    least = max(1, int(-(-cut * text.counted // 1)))
    return min(sae.d_sae, sae.l0 * text.masked // least)


def density(sae: Sae, text: Text) -> Cost:
    """Densities of all features."""
    active = min(sae.d_sae, sae.l0 * text.masked)
    entries = text.captured * sae.l0
    return Cost(
        read=feature_bytes(sae, text.captured),
        write=active * FEATURE_ROW + HEADER,
        memory=NUMPY + entries * SORTED,
        entries=entries,
    )


def top_tokens(sae: Sae, text: Text, cut: float) -> Cost:
    """Examples and their judgement."""
    entries = text.captured * sae.l0
    return Cost(
        read=feature_bytes(sae, text.captured),
        write=shown(sae, text, cut) * SHOWN + 3 * HEADER,
        memory=NUMPY + entries * SORTED,
        entries=entries,
    )


def logit_effects(sae: Sae, text: Text, cut: float, d_vocab: int, itemsize: int) -> Cost:
    """Logit effects: the unembedding is read once, in blocks; columns of a decoder all of it."""
    n = shown(sae, text, cut)
    # Two scores a token in a block of 1,024 features and 4,096 tokens, and directions in float64.
    memory = NUMPY + 3 * 1024 * 4096 * 4 + 4096 * sae.d_model * 8 + 3 * n * sae.d_model * 8
    return Cost(
        read=d_vocab * sae.d_model * itemsize + sae.matrix,
        write=n * LOGIT_ROWS + HEADER,
        memory=memory,
        float32=n * sae.d_model * d_vocab,
    )


def page(sae: Sae, text: Text, cut: float) -> Cost:
    """A feature browser."""
    n, entries = shown(sae, text, cut), text.captured * sae.l0
    return Cost(
        read=feature_bytes(sae, text.captured) + n * (SHOWN + LOGIT_ROWS),
        write=n * PAGE + 40_000,
        memory=NUMPY + entries * ENTRY * 2 + 20 * n * PAGE,
        entries=entries,
    )


def texts(text: Text, source: int) -> dict[str, Cost]:
    """The stages of a corpus whose files have `source` bytes."""
    items = text.items * ITEM_ROW
    return {
        "items": Cost(read=source, write=items + 3 * HEADER, memory=NUMPY + 15 * source),
        "selection": Cost(read=items, write=text.items + 2 * HEADER),
        "tokens": Cost(
            read=items,
            write=text.positions * TOKEN_ROW + 3 * HEADER,
            memory=NUMPY + text.positions * 200,
        ),
    }
