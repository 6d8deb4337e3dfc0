"""The layout `headline`: every text its own row, so that no text sees another."""

from saegrid.text.layouts.placement import Placement, Plan, stack, text_rows


def headline(plan: Plan) -> Placement:
    """The edited or plain texts of all items, then their originals (design, semantics 3).

    The filter has no say: capture depends on the texts alone.
    """
    return stack(
        text_rows(plan.indptr, plan.items, plan.prefix, plan.suffix),
        text_rows(plan.indptr, plan.originals, plan.prefix, plan.suffix),
    )
