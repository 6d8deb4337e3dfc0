"""The error of a reconstruction: squared errors under their named formulas, norms, angles."""

import numpy as np

from saegrid.metrics.metric import Block, Metric, Subject, Value, Values

EPSILON = 1e-12
"""Addend to the denominator of the source's R2 (S2.3)."""
CENTRED = "x_c = x - mean of the training tokens (of a store, of the first ones)"
DEFINITIONS = {
    "mse": "sum (x_hat - x)^2 / (tokens * d_model)",
    "fvu": "sum |x - x_hat|^2 / sum |x - mean(x)|^2, mean over the tokens measured",
    "r2": "1 - fvu",
    "r2_source": f"max(0, 1 - mse / (mean(x_c^2) + 1e-12)), {CENTRED}",
    "r2_dimensions": "mean over dimensions of 1 - sum (x - x_hat)^2 / sum (x - mean(x))^2",
    "mean_square": f"mean(x_c^2) over tokens and dimensions, {CENTRED}",
    "cosine": "mean over tokens of x . x_hat / (|x| |x_hat|), 0 where a norm is 0",
    "norm_ratio": "mean over tokens of |x_hat| / |x|",
}


def r2_source(mse: float, mean_square: float) -> float:
    """The source's R2 (S2.3), from a squared error and the mean square of centred activations."""
    return max(0.0, 1 - mse / (mean_square + EPSILON))


class Errors:
    """Sums over tokens: of errors, squares and numbers by dimension, of angles and of norms."""

    def __init__(self, mean: np.ndarray) -> None:
        """Set up the sums; mean: (d_model,) of the training tokens, by which squares stay small."""
        self.mean = mean
        self.n = self.n_norms = 0
        self.cosine = self.ratio = 0.0
        self.error, self.square, self.total = np.zeros((3, len(mean)))

    def add(self, x: np.ndarray, x_hat: np.ndarray) -> None:
        """Add tokens (token, d_model) float64 with their reconstruction."""
        centred, error = x - self.mean, x_hat - x
        self.n += len(x)
        self.error += np.einsum("td,td->d", error, error)
        self.square += np.einsum("td,td->d", centred, centred)
        self.total += centred.sum(axis=0)
        norm, norm_hat = (np.sqrt(np.einsum("td,td->t", a, a)) for a in (x, x_hat))
        both = norm * norm_hat
        dots = np.einsum("td,td->t", x, x_hat)
        self.cosine += float((dots[both > 0] / both[both > 0]).sum())
        self.ratio += float((norm_hat[norm > 0] / norm[norm > 0]).sum())
        self.n_norms += int((norm > 0).sum())

    def values(self) -> Values:
        """The values; a share of a variance that is zero has no value."""
        n, d_model = self.n, len(self.error)
        mse, mean_square = (float(a.sum()) / (n * d_model) for a in (self.error, self.square))
        # Rounding may leave a little of a variance that is zero.
        spread = self.square - self.total**2 / n
        varying = spread > 1e-12 * self.square
        fvu = float(self.error.sum() / spread.sum()) if varying.any() else None
        shares = self.error[varying] / spread[varying]
        numbers = {
            "mse": mse,
            "fvu": fvu,
            "r2": None if fvu is None else 1 - fvu,
            "r2_source": r2_source(mse, mean_square),
            "r2_dimensions": float((1 - shares).mean()) if varying.any() else None,
            "mean_square": mean_square,
            "cosine": self.cosine / n,
            "norm_ratio": self.ratio / self.n_norms if self.n_norms else None,
        }
        return {
            name: Value(value, n, DEFINITIONS[name], "x does not vary" if value is None else "")
            for name, value in numbers.items()
        }


class Reconstruction(Metric):
    """The MSE, FVU, R2, cosine and norm ratio of an SAE."""

    def __init__(self, subject: Subject) -> None:
        super().__init__(subject)
        self.errors = Errors(subject.mean)

    def add(self, block: Block) -> None:
        """Add a block of tokens."""
        self.errors.add(block.x, block.x_hat)

    def values(self) -> Values:
        """The values of `Errors`."""
        return self.errors.values()
