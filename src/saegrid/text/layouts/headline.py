"""The layout `headline`: every text has its own row, so that no text sees another."""

from saegrid.text.layouts.placement import Placement, Plan, stack, text_rows


def headline(plan: Plan) -> Placement:
    """The rows of the edited or plain texts of all items, then of their originals.

    The filter has no influence: capture depends on the texts alone.
    """
    return stack(
        text_rows(plan.indptr, plan.items, plan.before, plan.after),
        text_rows(plan.indptr, plan.originals, plan.before, plan.after),
    )
