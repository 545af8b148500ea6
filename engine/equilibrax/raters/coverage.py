"""Coverage of users by sets of providers: transfer factors 1 / lambda*_i (2602.13451, Theorem 4.3 and Section 6).

In a market of providers T with strong alignment weights lambda[j, i], user i is covered as well as her best provider
covers her,

    lambda*_i(T) = max over j in T of lambda[j, i],        transfer factor of user i = 1 / lambda*_i(T),

infinite where no provider of T gives her any weight. Averages over sets that leave somebody uncovered are infinite too;
so the share of such sets is reported, and averages over those that cover everybody beside it.

The weights are those of fits to all questions. Fits to all questions but those of one fold say how far that can be
trusted: the paper's transfer factors are by such cross-validation (Section 6.1).

Letters: K providers, N users, S sizes of T from 1 to K, P sets of a size, F folds.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any, Literal, get_args

import numpy as np
import pyarrow as pa
from jaxtyping import Bool, Float, Int

from equilibrax._core.checks import as_array, as_floats, check_choice, check_whole
from equilibrax.raters._fit_rows import FoldSpread, numbers
from equilibrax.raters._strong_alignment import StrongAlignment
from equilibrax.raters._subsets import random_orders

Statistic = Literal["mean", "median", "covered_mean"]
"""Over sets of providers of one size; the last is the mean over those that cover everybody."""

_USERS = ("mean", "worst")

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
        mean_user: `[S, P]` the mean over users, weighed by their `user_weights`; inf where somebody is uncovered; NaN
            where there are fewer sets.
        worst_user: `[S, P]` the worst user's.
        count: `[S]` int64 sets of a size.
        folds: `[F, S, 2, 3]` from weights without one fold: of the mean and the worst user the mean, the median and
            the mean over covering sets (NaN if there is none). F is 0 where there were no folds.
    """

    sizes: Int[np.ndarray, " S"]
    mean_user: Float[np.ndarray, "S P"]
    worst_user: Float[np.ndarray, "S P"]
    count: Int[np.ndarray, " S"]
    folds: Float[np.ndarray, "F S 2 3"]

    @property
    def covered(self) -> Float[np.ndarray, " S"]:
        """`[S]` share of sets that cover everybody."""
        return np.isfinite(self.worst_user).sum(axis=1) / self.count

    def over_sets(self, statistic: Statistic = "median", user: Literal["mean", "worst"] = "mean") -> np.ndarray:
        """`[S]` the mean or the worst user's transfer factor over sets of a size, of fits to all questions.

        Args:
            statistic: "mean" is inf if one set leaves somebody uncovered; "covered_mean" is over the other sets, NaN
                if there is none; "median".
            user: "mean" over users, or "worst".

        Raises:
            ValueError: on an unknown statistic or user.
        """
        check_choice("statistic", statistic, get_args(Statistic))
        check_choice("user", user, _USERS)
        values = self.mean_user if user == "mean" else self.worst_user
        place = get_args(Statistic).index(statistic)
        return np.array([_summary(row[:count])[place] for row, count in zip(values, self.count)])

    def spread(self, statistic: Statistic = "median", user: Literal["mean", "worst"] = "mean") -> FoldSpread:
        """The same `[F, S]` by fold: the lines and bands of the figures.

        Raises:
            ValueError: on an unknown statistic or user.
        """
        check_choice("statistic", statistic, get_args(Statistic))
        check_choice("user", user, _USERS)
        return FoldSpread(self.folds[:, :, _USERS.index(user), get_args(Statistic).index(statistic)])

    def rows(self) -> pa.Table:
        """One row per size, user ("mean" or "worst") and statistic: providers, user, statistic, value (of fits to all
        questions), cross_validated (mean over folds), lowest, highest, standard_error, covered, sets.
        """
        statistics, size = get_args(Statistic), len(self.sizes)
        value = np.stack([[self.over_sets(of, user) for of in statistics] for user in _USERS])  # [2, 3, S]
        return pa.table(
            {
                "providers": np.repeat(self.sizes, 6),
                "user": np.repeat(_USERS, 3).tolist() * size,
                "statistic": [*statistics] * 2 * size,
                "value": numbers(np.moveaxis(value, 2, 0)),
                **FoldSpread(self.folds).columns(),
                "covered": np.repeat(self.covered, 6),
                "sets": np.repeat(self.count, 6),
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


def cross_validated_transfer(alignment: StrongAlignment, providers: Sequence[int] | None = None) -> FoldSpread:
    """1 / lambda*_i of fits to all questions but those of one fold: how sure a transfer factor is (2602.13451, 6.1).

    Args:
        alignment: a `StrongAlignment`.
        providers: positions of the providers in the set T; None for all.

    Returns:
        A `FoldSpread` of `[F, N]`; inf for a user to whom no provider of the set gives any weight without that fold,
        or could be fitted.

    Raises:
        ValueError: on something else than a `StrongAlignment`, or positions that are none.

    Example:
        >>> import equilibrax as eq
        >>> answers = eq.raters.simulate_answers(users=2, models=3, questions=20, options=3, seed=1)
        >>> strong = eq.raters.strong_alignment(answers, worst_case=False)
        >>> spread = eq.raters.cross_validated_transfer(strong)
        >>> spread.values.shape, bool((spread.lowest <= spread.mean).all())
        ((5, 2), True)
    """
    if not isinstance(alignment, StrongAlignment):
        raise ValueError(f"alignment: expected a StrongAlignment, got {type(alignment).__name__}")
    weights = _fold_weights(alignment)
    if providers is not None:
        weights = weights[:, _places(providers, weights.shape[1])]
    return FoldSpread(_inverse(weights.max(axis=1)))


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
    least = np.full(1 << k, np.inf)
    for largest in _over_all_sets(weights):
        least = np.minimum(least, largest)
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
    users: Sequence[int] | np.ndarray | None = None,
) -> CoverageCurve:
    """Transfer factors against the number of providers: mean user and worst user (2602.13451, Figures 2 and 8).

    Args:
        alignment: a `StrongAlignment`, or its `[K, N]` weights.
        subsets: "permutations": providers are added in random orders. "all": all sets of each size, for up to 20
            providers.
        permutations: how many orders.
        seed: of the orders; the same seed gives the same orders.
        users: positions of the users to count; None for all. Those whom nobody covers make everything infinite.

    Returns:
        A `CoverageCurve`, of a `StrongAlignment` with its folds. The weights of a provider do not depend on the
        others, so nothing is fitted again.

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
    mass = alignment.user_weights if isinstance(alignment, StrongAlignment) else np.ones(weights.shape[1])
    folded = isinstance(alignment, StrongAlignment)
    several: np.ndarray = _fold_weights(alignment) if folded else np.zeros((0, *weights.shape))
    if users is not None:
        chosen = _places(users, weights.shape[1], "users")
        weights, several, mass = weights[:, chosen], several[..., chosen], mass[chosen]
    orders = random_orders(len(weights), permutations, seed) if subsets == "permutations" else None
    sets = _by_set(weights, orders, mass)
    count = np.array([len(worst) for _, worst in sets])
    mean, worst = np.full((len(sets), count.max()), np.nan), np.full((len(sets), count.max()), np.nan)
    for s, pair in enumerate(sets):
        mean[s, : count[s]], worst[s, : count[s]] = pair
    folds = [[[_summary(one)[:3] for one in pair] for pair in _by_set(some, orders, mass)] for some in several]
    shape = (len(several), len(sets), len(_USERS), len(get_args(Statistic)))
    return CoverageCurve(np.arange(1, len(sets) + 1), mean, worst, count, np.array(folds).reshape(shape))


def _by_set(weights: np.ndarray, orders: np.ndarray | None, mass: np.ndarray) -> list[tuple[np.ndarray, np.ndarray]]:
    """For each size the mean and the worst user's transfer factor: of prefixes of orders, or of all sets."""
    share = mass / mass.sum()
    if orders is not None:
        factors = _inverse(np.maximum.accumulate(weights[orders], axis=1))  # [P, K, N]
        return list(zip((factors * share).sum(axis=2).T, factors.max(axis=2).T))
    k = len(weights)
    total, least = np.zeros(1 << k), np.full(1 << k, np.inf)
    for i, largest in enumerate(_over_all_sets(weights)):
        total, least = total + share[i] * _inverse(largest), np.minimum(least, largest)
    return [(total[sets], _inverse(least[sets])) for sets in _by_size(k)]


def _places(given: Any, size: int, name: str = "providers") -> np.ndarray:
    chosen = as_array(name, given)
    bad = chosen.ndim != 1 or chosen.size == 0 or chosen.dtype.kind not in "iu"
    if bad or chosen.min() < 0 or chosen.max() >= size:
        raise ValueError(f"{name}: expected positions from 0 to {size - 1}, got {given!r}")
    return chosen


def _weights(alignment: StrongAlignment | Any) -> tuple[np.ndarray, tuple[str, ...]]:
    if isinstance(alignment, StrongAlignment):
        return alignment.weights, alignment.model_names
    weights = as_floats("alignment", alignment)
    if weights.ndim != 2 or weights.size == 0 or not (np.isfinite(weights) & (weights >= 0)).all():
        raise ValueError(f"alignment: expected a StrongAlignment or weights [K, N] of at least 0, got {alignment!r}")
    return weights, tuple(f"model {j + 1}" for j in range(len(weights)))


def _fold_weights(alignment: StrongAlignment) -> np.ndarray:
    """`[F, K, N]`; a provider that could not be fitted without a fold covers nobody there."""
    return np.where(np.isnan(alignment.fold_weights), 0.0, alignment.fold_weights)


def _inverse(weights: np.ndarray) -> np.ndarray:
    with np.errstate(divide="ignore"):
        return 1.0 / weights


def _over_all_sets(weights: np.ndarray) -> Iterator[np.ndarray]:
    """For one user after the other `[2**K]` by bitmask: the largest weight in a set, by doubling."""
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
        yield largest


def _by_size(k: int) -> list[np.ndarray]:
    """Bitmasks of all sets of 1, 2, ..., K providers, in increasing order."""
    size = np.zeros(1, np.int64)
    for _ in range(k):
        size = np.concatenate([size, size + 1])
    order = np.argsort(size, kind="stable")
    return np.split(order, np.cumsum(np.bincount(size))[:-1])[1:]


def _summary(factors: np.ndarray) -> tuple[float, float, float, float]:
    """Mean and median of transfer factors, the mean of the finite ones (NaN if none) and their share: first the
    `Statistic`s in their order.
    """
    finite = np.isfinite(factors)
    mean = float(factors[finite].mean()) if finite.any() else float("nan")
    return (mean if finite.all() else float("inf")), _median(factors), mean, float(finite.mean())


def _median(factors: np.ndarray) -> float:
    """The median, also where some are infinite."""
    ordered, middle = np.sort(factors), len(factors) // 2
    return float(ordered[middle] if len(ordered) % 2 else (ordered[middle - 1] + ordered[middle]) / 2)
