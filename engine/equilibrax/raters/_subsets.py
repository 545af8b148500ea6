"""The sets of raters of a curve, orders with all their prefixes or subsets, and what needs no fit: one rater, averages.

Letters: F folds, K raters, S sizes, P orders or subsets of one size, R rows of a factor.
"""

from __future__ import annotations

import itertools
import math
from collections.abc import Iterable
from dataclasses import dataclass

import numpy as np

from equilibrax._core.checks import as_array
from equilibrax.fits.folds import random_words
from equilibrax.raters._curve_problems import TargetProblem

_MOST_SUBSETS = 1 << 17


def chosen_sizes(sizes: Iterable[int] | None, raters: int) -> np.ndarray:
    """`[S]` sizes, checked."""
    if sizes is None:
        return np.arange(1, raters + 1)
    chosen = as_array("sizes", list(sizes))
    if chosen.ndim != 1 or chosen.size == 0 or chosen.dtype.kind not in "iu":
        raise ValueError(f"sizes: expected whole numbers from 1 to {raters}, got {sizes!r}")
    if chosen.min() < 1 or chosen.max() > raters or (np.diff(chosen) <= 0).any():
        raise ValueError(f"sizes: expected increasing whole numbers from 1 to {raters}, got {chosen.tolist()}")
    return chosen.astype(np.int64)


def random_orders(raters: int, permutations: int, seed: int) -> np.ndarray:
    """`[P, K]` orders; the first do not depend on how many there are."""
    return np.argsort(random_words(seed, 1, (permutations, raters)), axis=1, kind="stable")


@dataclass(frozen=True)
class Orders:
    """P random orders of the raters; a set is the first of an order.

    Attributes:
        sizes: `[S]`.
        orders: `[P, K]`.
    """

    sizes: np.ndarray
    orders: np.ndarray

    @classmethod
    def draw(cls, raters: int, permutations: int, sizes: np.ndarray, seed: int) -> Orders:
        """Order p is by the p-th row of random words."""
        return cls(sizes, random_orders(raters, permutations, seed))

    def sets(self) -> np.ndarray:
        """`[S * P, K]` bool, the first of every order for each size."""
        place = np.argsort(self.orders, axis=1)
        return (place < self.sizes[:, None, None]).reshape(-1, place.shape[1])

    @property
    def count(self) -> np.ndarray:
        """`[S]` P each."""
        return np.full(len(self.sizes), len(self.orders))

    def lanes(self) -> np.ndarray:
        """`[P, M]` the raters of every order that are needed, one lane each."""
        return self.orders[:, : self.sizes[-1]]

    def gather(self, values: np.ndarray) -> np.ndarray:
        """`[.., S, P]` from `[.., P, M]`, results of the lanes."""
        return np.moveaxis(values[..., self.sizes - 1], -1, -2)

    def best(self, errors: np.ndarray) -> np.ndarray:
        """`[.., S, P]` the rater with the least of `[.., K]` errors, the first of its order among equals."""
        ordered = errors[..., self.orders]
        least = np.minimum.accumulate(ordered, axis=-1)
        better = np.concatenate([np.ones((*least.shape[:-1], 1), bool), least[..., 1:] < least[..., :-1]], axis=-1)
        place = np.maximum.accumulate(np.where(better, np.arange(ordered.shape[-1]), 0), axis=-1)
        return self.gather(np.take_along_axis(np.broadcast_to(self.orders, place.shape), place, axis=-1))

    def average(self, differences: np.ndarray) -> np.ndarray:
        """`[S, P]` squares of the averages of `[R, K]` columns."""
        sums = np.array([(np.cumsum(differences[:, order], axis=1) ** 2).sum(axis=0) for order in self.orders])
        return self.gather(sums) / self.sizes[:, None] ** 2


@dataclass(frozen=True)
class Subsets:
    """All subsets of the raters of every size.

    Attributes:
        sizes: `[S]`.
        padded: `[S, P, K]` bool; only the first `count` of a size are there.
        count: `[S]`.
    """

    sizes: np.ndarray
    padded: np.ndarray
    count: np.ndarray

    @classmethod
    def list(cls, raters: int, sizes: np.ndarray) -> Subsets:
        """In lexicographic order."""
        count = np.array([math.comb(raters, size) for size in sizes.tolist()], dtype=object)
        if count.sum() > _MOST_SUBSETS:
            raise ValueError(
                f"subsets: expected at most {_MOST_SUBSETS:,} subsets, got {count.sum():,} of {raters} raters; "
                f"choose sizes, or 'permutations'"
            )
        padded = np.zeros((len(sizes), int(count.max()), raters), bool)
        for s, size in enumerate(sizes.tolist()):
            for p, members in enumerate(itertools.combinations(range(raters), size)):
                padded[s, p, members] = True
        return cls(sizes, padded, count.astype(np.int64))

    @property
    def _there(self) -> np.ndarray:
        return np.arange(self.padded.shape[1]) < self.count[:, None]

    def lanes(self) -> np.ndarray:
        """`[Q, K]` bool, a lane per subset."""
        return self.padded[self._there]

    def gather(self, values: np.ndarray) -> np.ndarray:
        """`[.., S, P]` from `[.., Q, 1]`, NaN where there is no subset."""
        wide = np.full((*values.shape[:-2], *self._there.shape), np.nan)
        wide[..., self._there] = values[..., 0]
        return wide

    def best(self, errors: np.ndarray) -> np.ndarray:
        """`[.., S, P]` the rater with the least of `[.., K]` errors, the first among equals; 0 without a subset."""
        return np.where(self.padded, errors[..., None, None, :], np.inf).argmin(axis=-1)

    def average(self, differences: np.ndarray) -> np.ndarray:
        """`[S, P]` squares of the averages of `[R, K]` columns."""
        sums = (np.einsum("spk,rk->spr", self.padded.astype(float), differences) ** 2).sum(axis=-1)
        return np.where(self._there, sums / self.sizes[:, None] ** 2, np.nan)


def individual_error(sets: Orders | Subsets, problem: TargetProblem, hindsight: bool) -> np.ndarray:
    """`[S, P]` squared error of the best individual over all held-out rows, chosen in training or in hindsight."""
    total = problem.alone.sum(axis=0)
    there = np.arange(sets.count.max()) < sets.count[:, None]
    if hindsight:
        return np.where(there, total[sets.best(total)], np.nan)
    training = np.array([np.delete(problem.alone, fold, axis=0).sum(axis=0) for fold in range(len(problem.alone))])
    held_out = [errors[chosen] for errors, chosen in zip(problem.alone, sets.best(training))]
    return np.where(there, np.sum(held_out, axis=0), np.nan)
