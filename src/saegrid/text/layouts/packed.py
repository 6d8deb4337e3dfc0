"""The layout `packed`: the published study's stream of texts, cut into rows of one length."""

import numpy as np

from saegrid.text.layouts.placement import Placement, Plan, stack, text_rows
from saegrid.text.wrapped import Around


def packed(plan: Plan) -> Placement:
    """The rows of the kept edited texts as one stream, then of their originals, one a row.

    The stream is the row prefix, then every text with EOS after it; a row is the prefix again and
    as much of the stream as fits; a tail that does not fill a row is dropped. Facts: rows and
    positions of the stream, its length, its dropped tail.

    Raises:
        ValueError: the tokenizer has no EOS, or the stream does not fill a row.
    """
    if plan.eos is None:
        raise ValueError(
            "layout: 'packed' joins texts by an EOS token, which this tokenizer does not name. "
            "Give its id as `ids: {eos: ...}` or take `layout: headline`."
        )
    opening = np.array(plan.prefix, dtype=np.int64)
    n = len(plan.indptr) - 1
    ends = Around.same((), n), Around.same((plan.eos,), n)
    texts = text_rows(plan.indptr, plan.kept_items, *ends)
    source = np.concatenate([opening, texts.source])
    text = np.concatenate([np.full(len(opening), -1), texts.text])
    width = plan.row_length - len(opening)
    rows = len(source) // width if width > 0 else 0
    if not rows:
        raise ValueError(
            f"row_length: {plan.row_length} must leave room for a text token and be filled at "
            f"least once; the stream of {len(plan.kept_items)} kept texts has {len(source)} "
            "tokens. Take a smaller row_length, a wider filter or `layout: headline`."
        )
    used = rows * width
    stream = Placement(
        np.hstack([np.tile(opening, (rows, 1)), source[:used].reshape(rows, width)]).ravel(),
        np.hstack([np.full((rows, len(opening)), -1), text[:used].reshape(rows, width)]).ravel(),
        np.repeat(np.arange(rows), plan.row_length),
        np.tile(np.arange(plan.row_length), rows),
        {
            "packed_rows": rows,
            "packed_positions": rows * plan.row_length,
            "stream": len(source),
            "stream_dropped": len(source) - used,
        },
    )
    return stack(stream, text_rows(plan.indptr, plan.kept_originals, plan.before, plan.after))
