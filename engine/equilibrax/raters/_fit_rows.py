"""What weak and strong alignment have in common: least-squares fits by name, as tables."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import pyarrow as pa
from jaxtyping import Float, Int


class FitRows:
    """Tables of fits of N names by K others; attributes as `WeakAlignment` has them."""

    weights: Float[np.ndarray, "N K"]
    rmse: Float[np.ndarray, " N"]
    fold_rmse: Float[np.ndarray, "N F"]
    fit_rmse: Float[np.ndarray, " N"]
    constant_rmse: Float[np.ndarray, " N"]
    worst_case: Float[np.ndarray, " N"]
    worst_case_weights: Float[np.ndarray, "N K"]
    questions: Int[np.ndarray, " N"]

    @property
    def standard_error(self) -> Float[np.ndarray, " N"]:
        """`[N]` standard error over folds: the standard deviation of `fold_rmse` by the root of their number."""
        return fold_error(self.fold_rmse)

    def _weight_rows(self, fitted: tuple[str, tuple[str, ...]], by: tuple[str, tuple[str, ...]]) -> pa.Table:
        """One row per pair; each side is the name of a column and what is in it."""
        n, k = self.weights.shape
        return pa.table(
            {
                fitted[0]: np.repeat(np.array(fitted[1], object), k),
                by[0]: np.tile(np.array(by[1], object), n),
                "weight": numbers(self.weights),
                "worst_case_weight": numbers(self.worst_case_weights),
            }
        )

    def _error_rows(self, fitted: tuple[str, tuple[str, ...]]) -> dict[str, object]:
        """Columns with one row per fit."""
        names = ("rmse", "standard_error", "fit_rmse", "constant_rmse", "worst_case")
        return {fitted[0]: list(fitted[1]), "questions": self.questions} | {
            name: numbers(getattr(self, name)) for name in names
        }


@dataclass(frozen=True)
class FoldSpread:
    """What fits to all questions but those of one fold give, for each of F folds.

    Any two of these fits share most of their questions, so they differ less than fits to other questions would: the
    standard error is that of the delete-one-fold jackknife, F - 1 times the standard deviation by the root of F.

    Attributes:
        values: `[F, ..]`; inf where a user is not covered, NaN where there is nothing.

    Example:
        >>> import numpy as np
        >>> import equilibrax as eq
        >>> spread = eq.raters.FoldSpread(np.array([2.0, 3.0, 4.0]))
        >>> float(spread.mean), float(spread.lowest), float(spread.standard_error.round(3))
        (3.0, 2.0, 1.155)
    """

    values: Float[np.ndarray, "F ..."]

    @property
    def mean(self) -> Float[np.ndarray, "..."]:
        """Mean over folds: inf where one is, NaN without folds."""
        return self.values.mean(axis=0) if len(self.values) else np.full(self.values.shape[1:], np.nan)

    @property
    def lowest(self) -> Float[np.ndarray, "..."]:
        """The smallest of the folds."""
        return self.values.min(axis=0) if len(self.values) else np.full(self.values.shape[1:], np.nan)

    @property
    def highest(self) -> Float[np.ndarray, "..."]:
        """The largest of the folds."""
        return self.values.max(axis=0) if len(self.values) else np.full(self.values.shape[1:], np.nan)

    @property
    def standard_error(self) -> Float[np.ndarray, "..."]:
        """Standard error by the jackknife; NaN where some fold has no finite number, or there are fewer than two."""
        folds = len(self.values)
        fine = np.isfinite(self.values).all(axis=0) & (folds > 1)
        away = np.where(fine, self.values, 0.0) - np.where(fine, self.mean, 0.0)
        return np.where(fine, np.sqrt((away**2).sum(axis=0) * (folds - 1) / max(folds, 1)), np.nan)

    def columns(self) -> dict[str, pa.Array]:
        """Columns `cross_validated` (the mean), `standard_error`, `lowest` and `highest`, in the order of `values`."""
        names = {"cross_validated": self.mean, "lowest": self.lowest, "highest": self.highest}
        return {name: numbers(value) for name, value in (names | {"standard_error": self.standard_error}).items()}


def fold_error(values: Float[np.ndarray, "N F"]) -> Float[np.ndarray, " N"]:
    """Standard error of a mean over folds, of those that have a value; NaN for fewer than two."""
    known = np.isfinite(values)
    count = known.sum(axis=1)
    mean = np.where(known, values, 0.0).sum(axis=1) / np.maximum(count, 1)
    squares = np.where(known, (values - mean[:, None]) ** 2, 0.0).sum(axis=1)
    return np.where(count > 1, np.sqrt(squares / np.maximum(count - 1, 1) / np.maximum(count, 1)), np.nan)


def numbers(values: np.ndarray) -> pa.Array:
    """A column of numbers, null where there is none."""
    return pa.array(np.ascontiguousarray(values, np.float64).reshape(-1), pa.float64(), from_pandas=True)
