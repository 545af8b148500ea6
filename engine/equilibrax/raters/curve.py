"""How well mixtures of raters match a target, as the number of raters grows: the curves of the experiments.

2509.15090, Section 6 (Figures 1 to 4): for K raters, the cross-validated error of the best individual, the simple
average, and the best non-negative (NNLS) and convex (simplex) combinations, over random orders of the raters or over
all subsets of them. 2602.13451, Section 6, adds a free intercept.

Letters: N targets, M methods, S sizes, P orders (or subsets of one size), I items, K raters.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from functools import lru_cache
from typing import Any, Literal, get_args

import numpy as np
import pyarrow as pa
from jaxtyping import Bool, Float, Int

from equilibrax._core.batching import batch_mesh
from equilibrax._core.checks import check_choice, check_whole, expect
from equilibrax.fits.folds import FoldAssignment, assign_folds
from equilibrax.fits.scaling import TOLERANCE, not_converged
from equilibrax.raters._curve_fits import Problems, fit_all
from equilibrax.raters._curve_problems import SOLVED, TargetProblem, fold_rows, target_problem
from equilibrax.raters._subsets import Orders, Subsets, chosen_sizes, individual_error
from equilibrax.raters.matrix import Missing, RaterMatrix

METHODS = ("best_individual", "best_individual_hindsight", "average", "nnls", "simplex")
"""What a curve can be of; see `alignment_curve`."""

Sets = Literal["permutations", "all"]
Array = Any

_FITS = ("nnls", "simplex")
_BLOCK_BYTES = 1 << 28  # of the problems of targets that are fitted in one go


@dataclass(frozen=True)
class AlignmentCurve:
    """Errors of mixtures by number of raters.

    Attributes:
        methods: M names out of METHODS.
        sizes: `[S]` numbers of raters.
        mse: `[N, M, S, P]` cross-validated mean squared error, in squares of the ratings' unit: over the held-out rows
            of all folds, weighted by the rows' weights. NaN for targets whose status is not "solved", and beyond
            `count`.
        nonzero: `[N, M, S, P]` number of weights above 1e-6, averaged over folds (1 for individuals, all for the
            average); NaN where `mse` is.
        kkt_residual: `[N, 2, S, P]` of nnls and simplex, the largest over folds; NaN where `mse` is or for a method
            that was not asked for. Zero is optimal: it is the steepest cosine between what is left of the target and
            the direction to another mixture (`equilibrax.fits.rays`), so what all raters share with the target does
            not hide it. Where an error is below 1e-7 of the best individual's, it is at most 1e-8. It is at least 1
            where nnls fits its training rows worse than simplex, which cannot be.
        refined: number of fits that were solved again because their residual was above 1e-8.
        status: N texts: "solved", "no answers" (the target rated no item that is left) or "answers in one fold only"
            (nothing to train on).
        count: `[S]` how many of the P entries there are of each size.
        orders: `[P, K]` the orders of the raters, or None if `subsets`.
        subsets: `[S, P, K]` bool, the subsets of each size in lexicographic order, or None if `orders`.
        target_names, rater_names: N and K names.
        target_weights: `[N]` how much each target counts in means over targets.
        folds, fold_assignment, intercept, seed: as given.
        fold_of: `[I]` the fold of every row of the matrix that was fitted.
        dropped_items, dropped_raters: names of what was dropped because ratings were missing.
    """

    methods: tuple[str, ...]
    sizes: Int[Array, " S"]
    mse: Float[Array, "N M S P"]
    nonzero: Float[Array, "N M S P"]
    kkt_residual: Float[Array, "N 2 S P"]
    refined: int
    status: tuple[str, ...]
    count: Int[Array, " S"]
    orders: Int[Array, "P K"] | None
    subsets: Bool[Array, "S P K"] | None
    target_names: tuple[str, ...]
    rater_names: tuple[str, ...]
    target_weights: Float[Array, " N"]
    folds: int
    fold_assignment: str
    intercept: bool
    seed: int
    fold_of: Int[Array, " I"]
    dropped_items: tuple[str, ...]
    dropped_raters: tuple[str, ...]

    @property
    def rmse(self) -> Float[Array, "N M S P"]:
        """`[N, M, S, P]` square roots of `mse`, in the ratings' unit."""
        return np.sqrt(self.mse)

    def mean(self, of: str = "mse") -> Float[Array, "M S"]:
        """`[M, S]` mean over orders or subsets, then over targets that were solved, weighed (the lines of the figures).

        Args:
            of: "mse", "rmse" or "nonzero".
        """
        return self._over_targets(of)[0]

    def spread(self, of: str = "mse") -> Float[Array, "M S"]:
        """`[M, S]` standard deviation over orders or subsets, averaged over targets (the bands of Figures 1 to 3).

        Args:
            of: "mse", "rmse" or "nonzero".
        """
        return self._over_targets(of)[1]

    def standard_error(self, of: str = "mse") -> Float[Array, "M S"]:
        """`[M, S]` standard error over targets of their means (the bands of Figure 4); NaN for fewer than two targets.

        Args:
            of: "mse", "rmse" or "nonzero".
        """
        return self._over_targets(of)[2]

    def to_pandas(self, of: str = "mse") -> Any:
        """The lines of the figures as a pandas DataFrame: `mean(of)`, a row for every K and a column for every method.

        Args:
            of: "mse", "rmse" or "nonzero".

        Raises:
            ImportError: without pandas.
        """
        import pandas

        return pandas.DataFrame(self.mean(of).T, index=pandas.Index(self.sizes, name="raters"), columns=[*self.methods])

    def _over_targets(self, of: str) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        check_choice("of", of, ("mse", "rmse", "nonzero"))
        solved = np.array([status == SOLVED for status in self.status])
        values = getattr(self, of)[solved]
        there = np.arange(values.shape[-1]) < self.count[:, None]
        values = np.where(there, values, 0.0)
        means = values.sum(axis=-1) / self.count
        squares = np.where(there, (values - means[..., None]) ** 2, 0.0).sum(axis=-1) / self.count
        targets = len(values)
        if targets == 0:
            nothing = np.full(means.shape[1:], np.nan)
            return nothing, nothing, nothing
        share = self.target_weights[solved] / self.target_weights[solved].sum()
        mean = np.tensordot(share, means, axes=1)
        away = np.tensordot(share**2, (means - mean) ** 2, axes=1)
        error = np.sqrt(away * targets / (targets - 1)) if targets > 1 else np.full(means.shape[1:], np.nan)
        return mean, np.tensordot(share, np.sqrt(squares), axes=1), error

    def rows(self) -> pa.Table:
        """One row per target, method, size and order (or subset): `target, method, providers, permutation, mse,
        nonzero`. Targets that were not solved have NaN; `permutation` numbers the subsets if there are no orders.
        """
        orders = self.mse.shape[-1]
        there = np.broadcast_to(np.arange(orders) < self.count[:, None], self.mse.shape)
        at = [index[there] for index in np.indices(self.mse.shape, dtype=np.int32)]
        return pa.table(
            {
                "target": pa.DictionaryArray.from_arrays(at[0], list(self.target_names)),
                "method": pa.DictionaryArray.from_arrays(at[1], list(self.methods)),
                "providers": self.sizes[at[2]].astype(np.int32),
                "permutation": at[3],
                "mse": self.mse[there],
                "nonzero": self.nonzero[there],
            }
        )


def alignment_curve(
    raters: RaterMatrix,
    *,
    sizes: Iterable[int] | None = None,
    permutations: int = 100,
    subsets: Sets = "permutations",
    folds: int = 5,
    fold_assignment: FoldAssignment = "shuffled",
    intercept: bool = False,
    methods: Sequence[str] = METHODS,
    missing: Missing = "drop_items",
    seed: int = 0,
    devices: Sequence[Any] | None = None,
    throw: bool = True,
) -> AlignmentCurve:
    """Cross-validated errors of individuals, averages and best combinations of the first K raters, for every K.

    For each fold, with the other folds as training rows:

    - `best_individual`: the rater with the least error on the training rows.
    - `best_individual_hindsight`: the rater with the least error over all folds, which is known only afterwards.
    - `average`: the mean of the raters' numbers.
    - `nnls`: weights w >= 0 that minimize the squared error on the training rows.
    - `simplex`: the same with weights that sum to one.

    Time grows with targets x folds x orders (or subsets), memory does not, but for the results: 16 bytes per target,
    method, size and order. Fits need about 0.7 GB for 100 to 400 raters, 1.3 GB for 1,000 and 4 GB for 2,000.

    Args:
        raters: I items, K raters, N targets; each target is fitted on its own, on the items that it rated.
        sizes: numbers of raters; None is 1..K.
        permutations: number of random orders of the raters, with "permutations". Order number p depends on the seed
            only, so more permutations add to those that were there.
        subsets: "permutations" takes the first K raters of every order, "all" every subset of every size (at most
            131,072 subsets).
        folds: number of folds, from 2 to the number of groups of items. Folds are the same for all targets and orders.
        fold_assignment: "shuffled" deals the groups of items round the folds in random order; "modulo" puts group g
            into fold g % folds.
        intercept: whether nnls and simplex may add a constant, fitted on the training rows (2602.13451). A rater who
            says the same of all training rows then gets no weight in nnls. Individuals and averages never have one.
        methods: what to compute, out of METHODS.
        missing: what to do about missing ratings of raters; see `RaterMatrix.complete`.
        seed: of folds and orders, from 0. The same seed gives the same bits, on any number of devices of one kind.
        devices: JAX devices to spread the fits over; default all local devices.
        throw: raise if a fit is not optimal to a KKT residual of 1e-8 even after refinement (otherwise `kkt_residual`
            says so).

    Returns:
        An `AlignmentCurve`. A target without answers (or with answers in one fold only) has NaN and says so in
        `status`.

    Raises:
        ValueError: naming the argument, what was expected and what came; fewer groups of items than folds among them.
        SolveError: with `throw`, if a fit could not be solved to 1e-8.

    Example:
        >>> import equilibrax as eq
        >>> matrix = eq.raters.rater_matrix([[0, 3], [1, 2], [2, 2], [3, 0], [4, 1], [5, 0]], [1, 1, 2, 2, 3, 3])
        >>> curve = eq.alignment_curve(matrix, permutations=2, folds=2, fold_assignment="modulo")
        >>> curve.mse.shape, curve.status
        ((1, 5, 2, 2), ('solved',))
        >>> bool((curve.mean()[3] <= curve.mean()[0]).all())
        True
    """
    for name, value, choices in (
        ("subsets", subsets, get_args(Sets)),
        ("missing", missing, get_args(Missing)),
    ):
        check_choice(name, value, choices)
    check_whole("permutations", permutations, 1)
    wanted = tuple(methods)
    for method in wanted:
        check_choice("methods", method, METHODS)
    if not wanted or len(set(wanted)) < len(wanted):
        raise ValueError(f"methods: expected different names out of {', '.join(METHODS)}, got {wanted!r}")
    matrix = expect("raters", raters, RaterMatrix, where=", as rater_matrix makes it").complete(missing)
    chosen = chosen_sizes(sizes, matrix.num_raters)
    fold_of = assign_folds(matrix.groups, folds, fold_assignment, seed)
    sets = (
        Orders.draw(matrix.num_raters, permutations, chosen, seed)
        if subsets == "permutations"
        else Subsets.list(matrix.num_raters, chosen)
    )
    mesh = batch_mesh(devices)
    shape = (matrix.num_targets, len(wanted), len(chosen), int(sets.count.max()))
    mse, nonzero, status = np.full(shape, np.nan), np.full(shape, np.nan), []
    residual, refined = np.full((shape[0], len(_FITS), *shape[2:]), np.nan), 0
    for block in _blocks(matrix, folds):
        problems = [target_problem(matrix, target, fold_of, folds, intercept) for target in block]
        status += [problem.status for problem in problems]
        parts = tuple(part[block.start : block.stop] for part in (mse, nonzero, residual))

        @lru_cache(maxsize=1)
        def parts_of(n: int, fold: int, block=block) -> list[np.ndarray]:
            return [rows.train for rows in fold_rows(matrix, block[n], fold_of, fold, intercept)]

        refined += _fit_block(problems, sets, wanted, mesh, parts_of, *parts)
        for target, problem in zip(block, problems):
            if problem.status == SOLVED:
                _no_fit(problem, sets, wanted, mse[target], nonzero[target])
    curve = AlignmentCurve(
        methods=wanted,
        sizes=chosen,
        mse=mse,
        nonzero=nonzero,
        kkt_residual=residual,
        refined=refined,
        status=tuple(status),
        count=sets.count,
        orders=sets.orders if isinstance(sets, Orders) else None,
        subsets=sets.padded if isinstance(sets, Subsets) else None,
        target_names=matrix.target_names,
        rater_names=matrix.rater_names,
        target_weights=matrix.target_weights,
        folds=folds,
        fold_assignment=fold_assignment,
        intercept=bool(intercept),
        seed=seed,
        fold_of=fold_of,
        dropped_items=matrix.dropped_items,
        dropped_raters=matrix.dropped_raters,
    )
    if throw and (residual > TOLERANCE).any():
        raise not_converged(np.where(np.isnan(residual), 0.0, residual))
    return curve


def _blocks(matrix: RaterMatrix, folds: int) -> Iterator[range]:
    """Targets that are fitted in one go: equally many each, but for the last."""
    size = matrix.num_raters
    most = max(1, _BLOCK_BYTES // (folds * 8 * 7 * (size + 1) ** 2))
    even = -(-matrix.num_targets // -(-matrix.num_targets // most))
    for first in range(0, matrix.num_targets, even):
        yield range(first, min(first + even, matrix.num_targets))


def _no_fit(problem: TargetProblem, sets: Orders | Subsets, wanted: tuple[str, ...], mse: Any, nonzero: Any) -> None:
    """Fill in `[M, S, P]` errors of methods that need no fit."""
    there = np.arange(mse.shape[-1]) < sets.count[:, None]
    for m, method in enumerate(wanted):
        if method == "average":
            mse[m] = sets.average(problem.differences) / problem.mass
            nonzero[m] = np.where(there, sets.sizes[:, None], np.nan)
        elif method not in _FITS:
            mse[m] = individual_error(sets, problem, method == "best_individual_hindsight") / problem.mass
            nonzero[m] = np.where(there, 1.0, np.nan)


def _fit_block(
    problems: list[TargetProblem],
    sets: Orders | Subsets,
    wanted: tuple[str, ...],
    mesh: Any,
    parts_of: Callable[[int, int], list[np.ndarray]],
    mse: Any,
    nonzero: Any,
    residual: Any,
) -> int:
    """Fill in `[n, M, S, P]` errors of the fits of n targets, and their residuals; returns how many were refined.

    `parts_of` has the training rows of a target and a fold, by kind of fit, for fits that are solved again.
    """
    kinds = [place for place, method in enumerate(_FITS) if method in wanted]
    solved = [n for n, problem in enumerate(problems) if problem.status == SOLVED]
    if not kinds or not solved:
        return 0
    folds = len(problems[0].alone)
    # [n, F, constraint, ..]: problems of targets without answers are zero, so that all blocks have the same shapes.
    parts = {
        name: np.stack([getattr(p, name)[:, kinds] for p in problems])
        for name in ("grams", "betas", "inverse", "held_out")
    }
    lead = parts["inverse"].shape

    def rows_of(b: int) -> np.ndarray:
        n, fold, kind = (int(place) for place in np.unravel_index(b, lead))
        return parts_of(n, fold)[kinds[kind]]

    flat = Problems(**{name: part.reshape(-1, *part.shape[3:]) for name, part in parts.items()}, parts_of=rows_of)
    numbers = np.arange(len(flat.betas)).reshape(lead)[solved].reshape(-1)
    raters = sets.lanes()
    fits = fit_all(flat, np.repeat(numbers, len(raters)), np.tile(raters, (len(numbers), 1)), mesh)
    shape = (len(solved), folds, len(kinds), len(raters), -1)
    error, trained, count, worst = (
        sets.gather(values.reshape(shape)) for values in (fits.error, fits.trained, fits.nonzero, fits.residual)
    )  # [n, F, constraint, S, P]
    if len(kinds) > 1:  # fewer constraints cannot fit worse: where they do, a certificate failed
        single = np.array([problems[n].alone.sum(axis=0).mean() for n in solved])[:, None]
        bound = (1 + 1e-6) * trained[:, :, 1] + 1e-13 * single[:, :, None, None]
        worst[:, :, 0] = np.where(trained[:, :, 0] > bound, np.maximum(worst[:, :, 0], 1.0), worst[:, :, 0])
    mass = np.array([problems[n].mass for n in solved])[:, None, None]
    for k, place in enumerate(kinds):
        m = wanted.index(_FITS[place])
        mse[solved, m] = error[:, :, k].sum(axis=1) / mass
        nonzero[solved, m] = count[:, :, k].mean(axis=1)
        residual[solved, place] = worst[:, :, k].max(axis=1)
    return fits.refined
