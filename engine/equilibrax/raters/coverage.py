"""Coverage of users by sets of providers: transfer factors 1 / lambda*_i (2602.13451, Theorem 4.3 and Section 6).

In a market of providers T with strong alignment weights lambda[j, i], user i is covered as well as her best provider
covers her,

    lambda*_i(T) = max over j in T of lambda[j, i],        transfer factor of user i = 1 / lambda*_i(T),

infinite where no provider of T gives her any weight. Averages over sets that leave somebody uncovered are infinite too;
so the share of such sets is reported, and averages over those that cover everybody beside it.

Letters: K providers, N users, S sizes of T from 1 to K, P sets of a size.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Literal

import numpy as np
import pyarrow as pa
from jaxtyping import Bool, Float, Int

from equilibrax._core.checks import as_array, as_floats, check_choice, check_whole
from equilibrax.raters._fit_rows import numbers
from equilibrax.raters._strong_alignment import StrongAlignment
from equilibrax.raters._subsets import random_orders

MAX_SUBSET_PROVIDERS = 20
"""All subsets of more providers than this are too many; `coverage_curve` samples them."""


@dataclass(frozen=True)
class SubsetAnalysis:
    """The worst user's transfer factor for all sets of providers, by size.

    Attributes:
        sizes: `[S]` 1, ..., K.
        best: `[S]` the smallest over sets of a size; inf if all of them leave somebody uncovered.
        mean: `[S]` the mean over all sets of a size; inf if one of them leaves somebody uncovered.
        worst: `[S]` the largest.
        median: `[S]` the median (the mean of the middle two).
        covered_mean: `[S]` the mean over sets that cover everybody; NaN if there is none.
        covered: `[S]` share of sets that cover everybody.
        count: `[S]` int64 sets of a size.
        best_set: `[S, K]` bool, a set that attains `best`, the first in the order of their bitmasks.
        model_names: K names.
    """

    sizes: Int[np.ndarray, " S"]
    best: Float[np.ndarray, " S"]
    mean: Float[np.ndarray, " S"]
    worst: Float[np.ndarray, " S"]
    median: Float[np.ndarray, " S"]
    covered_mean: Float[np.ndarray, " S"]
    covered: Float[np.ndarray, " S"]
    count: Int[np.ndarray, " S"]
    best_set: Bool[np.ndarray, "S K"]
    model_names: tuple[str, ...]

    def rows(self) -> pa.Table:
        """One row per size: providers, best, mean, worst, median, covered_mean, covered, sets, best_set."""
        chosen = [", ".join(n for n, yes in zip(self.model_names, row) if yes) for row in self.best_set.tolist()]
        return pa.table(
            {
                "providers": self.sizes,
                "best": self.best,
                "mean": self.mean,
                "worst": self.worst,
                "median": self.median,
                "covered_mean": numbers(self.covered_mean),
                "covered": self.covered,
                "sets": self.count,
                "best_set": chosen,
            }
        )


@dataclass(frozen=True)
class CoverageCurve:
    """Transfer factors as providers are added.

    Attributes:
        sizes: `[S]` 1, ..., K.
        mean_user: `[S, P]` the mean over users; inf where somebody is uncovered; NaN where there are fewer sets.
        worst_user: `[S, P]` the worst user's.
        count: `[S]` int64 sets of a size.
    """

    sizes: Int[np.ndarray, " S"]
    mean_user: Float[np.ndarray, "S P"]
    worst_user: Float[np.ndarray, "S P"]
    count: Int[np.ndarray, " S"]

    @property
    def covered(self) -> Float[np.ndarray, " S"]:
        """`[S]` share of sets that cover everybody."""
        return np.isfinite(self.worst_user).sum(axis=1) / self.count

    def rows(self) -> pa.Table:
        """One row per size, user ("mean" or "worst"): providers, user, mean, median, covered_mean, covered, sets."""
        lines = {"mean": self.mean_user, "worst": self.worst_user}
        each = [_summary(values[s, : self.count[s]]) for s in range(len(self.sizes)) for values in lines.values()]
        return pa.table(
            {
                "providers": np.repeat(self.sizes, 2),
                "user": list(lines) * len(self.sizes),
                "mean": [one[0] for one in each],
                "median": [one[1] for one in each],
                "covered_mean": numbers(np.array([one[2] for one in each])),
                "covered": np.repeat(self.covered, 2),
                "sets": np.repeat(self.count, 2),
            }
        )


def transfer_factors(alignment: StrongAlignment | Any, providers: Sequence[int] | None = None) -> np.ndarray:
    """1 / lambda*_i of every user for a set of providers (2602.13451, Theorem 4.3).

    Args:
        alignment: a `StrongAlignment`, or its `[K, N]` weights.
        providers: positions of the providers in the set T; None for all.

    Returns:
        `[N]`; inf for a user to whom no provider of the set gives any weight.

    Raises:
        ValueError: on weights that are negative or no numbers, or positions that are none.

    Example:
        >>> import equilibrax as eq
        >>> eq.raters.transfer_factors([[0.5, 0.0], [0.25, 0.0]]).tolist()
        [2.0, inf]
    """
    weights = _weights(alignment)[0]
    if providers is not None:
        weights = weights[_places(providers, len(weights))]
    return _inverse(weights.max(axis=0))


def anonymous_slack(alignment: StrongAlignment, providers: Sequence[int] | None = None) -> np.ndarray:
    """What users may lose in an anonymous market, 2 eps / lambda*_i (2602.13451, Theorem 4.3), in the worst case.

    The theorem holds for any weights lambda of any one provider of the set, and its worst-case eps (Definition 2.14):
    these are the best ones for each user, so no larger set does worse, and no other weights better.

    Args:
        alignment: a `StrongAlignment` with its worst case.
        providers: positions of the providers in the set T; None for all.

    Returns:
        `[N]` in units of the users' utility, which is a probability, so that 1 and more promises nothing; inf for a
        user to whom no weights promise more than the range of her probabilities.

    Raises:
        ValueError: if the worst case was not solved for, or on positions that are none.

    Example:
        >>> import equilibrax as eq
        >>> answers = eq.raters.answer_distributions([[[0.9, 0.1], [0.2, 0.8]]], [[[0.8, 0.2], [0.3, 0.7]]])
        >>> eq.raters.anonymous_slack(eq.raters.strong_alignment(answers, folds=2)).round(9).tolist()
        [0.04]
    """
    if not isinstance(alignment, StrongAlignment) or np.isnan(alignment.worst_case).any():
        raise ValueError("alignment: expected a StrongAlignment with worst_case=True, got none for some provider")
    loss = alignment.least_loss
    return loss.min(axis=0) if providers is None else loss[_places(providers, len(loss))].min(axis=0)


def subset_analysis(alignment: StrongAlignment | Any) -> SubsetAnalysis:
    """The worst user's transfer factor for all 2^K - 1 sets of providers (2602.13451, Figures 3 and 9).

    Args:
        alignment: a `StrongAlignment`, or its `[K, N]` weights, of up to 20 providers.

    Returns:
        A `SubsetAnalysis`: best, mean and worst set of each size.

    Raises:
        ValueError: on weights that are negative or no numbers, or more than 20 providers.

    Example:
        >>> import equilibrax as eq
        >>> found = eq.raters.subset_analysis([[0.5, 0.0], [0.1, 0.25]])
        >>> found.best.tolist(), found.mean.tolist(), found.covered.tolist()
        ([10.0, 4.0], [inf, 4.0], [0.5, 1.0])
    """
    weights, names = _weights(alignment)
    k = len(weights)
    least = _over_all_sets(weights, lambda coverage, one: np.minimum(coverage, one), np.full(1 << k, np.inf))
    by_size = _by_size(k)
    columns: dict[str, list[Any]] = {name: [] for name in ("best", "mean", "worst", "median", "covered_mean")}
    covered, best_set = [], np.zeros((k, k), bool)
    for s, sets in enumerate(by_size):
        factors = _inverse(least[sets])
        mean, median, covered_mean, share = _summary(factors)
        for name, value in zip(columns, (factors.min(), mean, factors.max(), median, covered_mean)):
            columns[name].append(value)
        covered.append(share)
        best_set[s] = (sets[factors.argmin()] >> np.arange(k)) & 1 == 1
    return SubsetAnalysis(
        sizes=np.arange(1, k + 1),
        **{name: np.array(values) for name, values in columns.items()},
        covered=np.array(covered),
        count=np.array([len(sets) for sets in by_size]),
        best_set=best_set,
        model_names=names,
    )


def coverage_curve(
    alignment: StrongAlignment | Any,
    *,
    subsets: Literal["permutations", "all"] = "permutations",
    permutations: int = 100,
    seed: int = 0,
) -> CoverageCurve:
    """Transfer factors against the number of providers: mean user and worst user (2602.13451, Figures 2 and 8).

    Args:
        alignment: a `StrongAlignment`, or its `[K, N]` weights.
        subsets: "permutations": providers are added in random orders. "all": all sets of each size, for up to 20
            providers.
        permutations: how many orders.
        seed: of the orders; the same seed gives the same orders.

    Returns:
        A `CoverageCurve`. The weights of a provider do not depend on the others, so nothing is fitted again.

    Raises:
        ValueError: on an unknown option, weights that are negative or no numbers, or too many providers for "all".

    Example:
        >>> import equilibrax as eq
        >>> curve = eq.raters.coverage_curve([[0.5, 0.0], [0.1, 0.25]], subsets="all")
        >>> curve.mean_user.tolist(), curve.worst_user.tolist()
        ([[inf, 7.0], [3.0, nan]], [[inf, 10.0], [4.0, nan]])
    """
    check_choice("subsets", subsets, ("permutations", "all"))
    check_whole("permutations", permutations, 1)
    check_whole("seed", seed, 0)
    weights, _ = _weights(alignment)
    k, n = weights.shape
    if subsets == "permutations":
        orders = random_orders(k, permutations, seed)
        factors = _inverse(np.maximum.accumulate(weights[orders], axis=1))  # [P, K, N]
        mean, worst = factors.mean(axis=2).T, factors.max(axis=2).T
        return CoverageCurve(np.arange(1, k + 1), mean, worst, np.full(k, permutations))
    total = _over_all_sets(weights, lambda sums, one: sums + _inverse(one), np.zeros(1 << k))
    least = _over_all_sets(weights, lambda coverage, one: np.minimum(coverage, one), np.full(1 << k, np.inf))
    by_size = _by_size(k)
    shape = (k, max(len(sets) for sets in by_size))
    mean, worst = np.full(shape, np.nan), np.full(shape, np.nan)
    for s, sets in enumerate(by_size):
        mean[s, : len(sets)], worst[s, : len(sets)] = total[sets] / n, _inverse(least[sets])
    return CoverageCurve(np.arange(1, k + 1), mean, worst, np.array([len(sets) for sets in by_size]))


def _places(providers: Any, size: int) -> np.ndarray:
    chosen = as_array("providers", providers)
    bad = chosen.ndim != 1 or chosen.size == 0 or chosen.dtype.kind not in "iu"
    if bad or chosen.min() < 0 or chosen.max() >= size:
        raise ValueError(f"providers: expected positions from 0 to {size - 1}, got {providers!r}")
    return chosen


def _weights(alignment: StrongAlignment | Any) -> tuple[np.ndarray, tuple[str, ...]]:
    if isinstance(alignment, StrongAlignment):
        return alignment.weights, alignment.model_names
    weights = as_floats("alignment", alignment)
    if weights.ndim != 2 or weights.size == 0 or not (np.isfinite(weights) & (weights >= 0)).all():
        raise ValueError(f"alignment: expected a StrongAlignment or weights [K, N] of at least 0, got {alignment!r}")
    return weights, tuple(f"model {j + 1}" for j in range(len(weights)))


def _inverse(weights: np.ndarray) -> np.ndarray:
    with np.errstate(divide="ignore"):
        return 1.0 / weights


def _over_all_sets(weights: np.ndarray, combine, start: np.ndarray) -> np.ndarray:
    """`[2**K]` by bitmask: the largest weight in a set, by doubling, combined over users one by one."""
    k, n = weights.shape
    if k > MAX_SUBSET_PROVIDERS:
        raise ValueError(
            f"alignment: expected up to {MAX_SUBSET_PROVIDERS} providers for all subsets, got {k}; choose some, or use "
            f"coverage_curve with permutations"
        )
    for i in range(n):
        largest = np.zeros(1)
        for j in range(k):
            largest = np.concatenate([largest, np.maximum(largest, weights[j, i])])
        start = combine(start, largest)
    return start


def _by_size(k: int) -> list[np.ndarray]:
    """Bitmasks of all sets of 1, 2, ..., K providers, in increasing order."""
    size = np.zeros(1, np.int64)
    for _ in range(k):
        size = np.concatenate([size, size + 1])
    order = np.argsort(size, kind="stable")
    return np.split(order, np.cumsum(np.bincount(size))[:-1])[1:]


def _summary(factors: np.ndarray) -> tuple[float, float, float, float]:
    """Mean and median of transfer factors, the mean of the finite ones (NaN if none) and their share."""
    finite = np.isfinite(factors)
    mean = float(factors[finite].mean()) if finite.any() else float("nan")
    return (mean if finite.all() else float("inf")), _median(factors), mean, float(finite.mean())


def _median(factors: np.ndarray) -> float:
    """The median, also where some are infinite."""
    ordered, middle = np.sort(factors), len(factors) // 2
    return float(ordered[middle] if len(ordered) % 2 else (ordered[middle - 1] + ordered[middle]) / 2)
