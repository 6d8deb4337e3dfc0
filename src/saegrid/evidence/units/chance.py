"""Results of many tests where nothing differs, if they are exact and independent."""

from math import exp, expm1, log1p


def expected(units: int, alpha: float) -> float:
    """Number of units with p < alpha: units times alpha."""
    return units * alpha


def confidence(units: int, alpha: float) -> float:
    """Chance that no unit has p < alpha: (1 - alpha) ** units."""
    return exp(units * log1p(-alpha))


def at_least_one(units: int, alpha: float) -> float:
    """Chance that one unit or more has p < alpha."""
    return -expm1(units * log1p(-alpha))


def at_least_two(units: int, alpha: float) -> float:
    """Chance that two units or more have p < alpha:
    1 - (1 - alpha)^n - n alpha (1 - alpha)^(n - 1)."""
    none = confidence(units, alpha)
    return max(0.0, at_least_one(units, alpha) - units * alpha * none / (1 - alpha))
