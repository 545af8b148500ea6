"""What the engines of curves share: raters, and folds and permutations, which are equilibrax's own; scores of fits.

Training rows, their Gram matrices and the held-out rows of every fold are made beforehand. A peer is given one fold and
one permutation at a time, and returns the weights of all prefixes; the errors of these on the held-out rows are one
product of matrices.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import NamedTuple

import equilibrax as eq
import numpy as np
from equilibrax.fits.folds import assign_folds
from equilibrax.raters._subsets import Orders

from bench.answers import Answer
from bench.data import SCALE, Data
from bench.engines import Run
from bench.workloads import FOLDS, Workload

SEED = 0
"""Of folds and permutations."""


class Fold(NamedTuple):
    """The rows of a fold, answers from 0 to 1, and what a solver on Gram matrices reads.

    Attributes:
        ratings, target: `[I', K]` and `[I']`, training rows.
        gram, moment: `[K, K]` and `[K]` of these.
        gaps: `[K, K]` Gram matrix of the raters' differences from the target.
        held_ratings, held_target: `[I'', K]` and `[I'']`, the other rows.
    """

    ratings: np.ndarray
    target: np.ndarray
    gram: np.ndarray
    moment: np.ndarray
    gaps: np.ndarray
    held_ratings: np.ndarray
    held_target: np.ndarray


def raters_of(data: Data) -> eq.raters.RaterMatrix:
    """The raters of a curve, answers from 0 to 1."""
    answers = data.utilities[0, :, :, 0].T / SCALE
    return eq.raters.rater_matrix(answers[:, 1:], answers[:, 0])


def folds_of(raters: eq.raters.RaterMatrix) -> list[Fold]:
    """The folds that `alignment_curve` takes."""
    of_item = assign_folds(raters.groups, FOLDS, "shuffled", SEED)
    found = []
    for fold in range(FOLDS):
        train = of_item != fold
        ratings, target = raters.ratings[train], raters.targets[train, 0]
        gaps = ratings - target[:, None]
        products = (ratings.T @ ratings, ratings.T @ target, gaps.T @ gaps)
        found.append(Fold(ratings, target, *products, raters.ratings[~train], raters.targets[~train, 0]))
    return found


def orders_of(workload: Workload) -> np.ndarray:
    """`[P, K]` the permutations that `alignment_curve` takes."""
    return Orders.draw(workload.providers, workload.tables, np.arange(1, workload.providers + 1), SEED).orders


def loop(workload: Workload, data: Data, fit_prefixes: Callable[[Fold, np.ndarray], np.ndarray]) -> Run:
    """A run of permutation by permutation and fold by fold.

    Args:
        workload: a curve.
        data: its raters.
        fit_prefixes: from a fold and `[K]` raters in order to `[K, K]` weights by place: row k has those of the fit on
            the first k + 1 raters, zero beyond.
    """
    raters, orders = raters_of(data), orders_of(workload)
    folds = folds_of(raters)

    def run(count: int) -> Answer:
        errors = np.zeros((count, workload.providers))
        for p, order in enumerate(orders[:count]):
            for fold in folds:
                found = fold.held_ratings[:, order] @ fit_prefixes(fold, order).T
                errors[p] += ((found - fold.held_target[:, None]) ** 2).sum(axis=0)
        return {"mse": errors / raters.num_items}

    return run
