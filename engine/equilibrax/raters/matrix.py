"""Raters and targets: what providers and users think of the same items, in numbers.

A rater is a provider (a model, a persona, a person) whose numbers are to be mixed, a target is a user whose numbers
are to be matched, an item is what all of them rate (2509.15090, Section 6: `U` are the raters' columns, `y` is a
target's). Several rows may belong to one group, such as the options of one question: cross-validation never separates
them.

Letters: I items (rows), K raters, N targets.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from typing import Any, ClassVar, Literal, get_args

import numpy as np
from jaxtyping import Float, Int

from equilibrax._core.checks import as_array, as_ratings, check_choice

Missing = Literal["drop_items", "drop_raters", "mean"]
Array = Any

_LARGEST, _SMALLEST = 1e100, 1e-100  # squares, and sums of squares, must be finite, and not vanish


@dataclass(frozen=True)
class RaterMatrix:
    """Ratings of the same items by raters and by targets. Make one with `rater_matrix`, which validates.

    A rater who says the same of all items is a column like any other: mixed in, it acts as a constant.

    Attributes:
        ratings: `[I, K]` float64; NaN where a rater did not rate.
        targets: `[I, N]` float64; NaN where a target did not rate. A target with no rating at all is kept.
        weights: `[I]` float64, positive: importance of each row, in fits and in errors (weighted means) alike.
        groups: `[I]` int64, at least 0: rows of one group are always in the same fold.
        item_names: I names.
        rater_names: K names.
        target_names: N names.
        target_weights: `[N]` float64, positive: how much each target counts in means over targets.
        dropped_items: names of items that `complete` dropped.
        dropped_raters: names of raters that `complete` dropped.
    """

    made_by: ClassVar[str] = "eq.raters.rater_matrix(ratings, targets) or eq.read_raters(file)"

    ratings: Float[Array, "I K"]
    targets: Float[Array, "I N"]
    weights: Float[Array, " I"]
    groups: Int[Array, " I"]
    item_names: tuple[str, ...]
    rater_names: tuple[str, ...]
    target_names: tuple[str, ...]
    target_weights: Float[Array, " N"]
    dropped_items: tuple[str, ...] = ()
    dropped_raters: tuple[str, ...] = ()

    @property
    def num_items(self) -> int:
        """Number of rows, I."""
        return self.ratings.shape[0]

    @property
    def num_raters(self) -> int:
        """Number of raters, K."""
        return self.ratings.shape[1]

    @property
    def num_targets(self) -> int:
        """Number of targets, N."""
        return self.targets.shape[1]

    def complete(self, missing: Missing = "drop_items") -> RaterMatrix:
        """The matrix without missing ratings of raters. Missing ratings of targets stay: they are left out of fits.

        Args:
            missing: "drop_items" drops the items that some rater did not rate, "drop_raters" the raters that did not
                rate some item, and "mean" puts the rater's weighted mean over the items it rated.

        Returns:
            A matrix whose `ratings` have no NaN; `dropped_items` and `dropped_raters` name what is gone.

        Raises:
            ValueError: on an unknown option, if nothing is left, or, with "mean", for a rater without any rating.
        """
        check_choice("missing", missing, get_args(Missing))
        gone = np.isnan(self.ratings)
        if not gone.any():
            return self
        if missing == "drop_items":
            keep = ~gone.any(axis=1)
            if not keep.any():
                raise ValueError("missing: expected some item that every rater rated, got none; try 'drop_raters'")
            dropped = (*self.dropped_items, *_chosen(self.item_names, ~keep))
            return replace(self._items(keep), dropped_items=dropped)
        if missing == "drop_raters":
            keep = ~gone.any(axis=0)
            if not keep.any():
                raise ValueError("missing: expected some rater who rated every item, got none; try 'drop_items'")
            dropped = (*self.dropped_raters, *_chosen(self.rater_names, ~keep))
            return replace(self.select(raters=np.flatnonzero(keep)), dropped_raters=dropped)
        mass = np.where(gone, 0.0, self.weights[:, None])
        if (empty := mass.sum(axis=0) == 0).any():
            name = _chosen(self.rater_names, empty)[0]
            raise ValueError(f"missing: expected a rating of every rater to take the mean of, got none of {name!r}")
        mean = (mass * np.where(gone, 0.0, self.ratings)).sum(axis=0) / mass.sum(axis=0)
        return replace(self, ratings=np.where(gone, mean, self.ratings))

    def select(
        self, *, raters: Sequence[int | str] | Array | None = None, targets: Sequence[int | str] | Array | None = None
    ) -> RaterMatrix:
        """Some raters and targets, by name or by place, in the order given.

        Args:
            raters: names or places; None keeps all.
            targets: names or places; None keeps all.

        Raises:
            ValueError: on an unknown name or place, or none at all.
        """
        by_rater = _places("raters", raters, self.rater_names)
        by_target = _places("targets", targets, self.target_names)
        return replace(
            self,
            ratings=self.ratings[:, by_rater],
            targets=self.targets[:, by_target],
            rater_names=tuple(self.rater_names[k] for k in by_rater),
            target_names=tuple(self.target_names[n] for n in by_target),
            target_weights=self.target_weights[by_target],
        )

    def _items(self, keep: np.ndarray) -> RaterMatrix:
        return replace(
            self,
            ratings=self.ratings[keep],
            targets=self.targets[keep],
            weights=self.weights[keep],
            groups=self.groups[keep],
            item_names=_chosen(self.item_names, keep),
        )


def rater_matrix(
    ratings: Any,
    targets: Any,
    *,
    weights: Any = None,
    groups: Any = None,
    items: Iterable[Any] | None = None,
    raters: Iterable[Any] | None = None,
    targets_names: Iterable[Any] | None = None,
    target_weights: Any = None,
) -> RaterMatrix:
    """Ratings of raters and targets, checked.

    Args:
        ratings: `[I, K]` numbers, at least one row and one column; NaN (or None) is a missing rating.
        targets: `[I]` or `[I, N]` numbers of the users to match; NaN (or None) is a missing rating. A target with no
            rating at all is legal as long as another has one; its curve will be NaN.
        weights: `[I]` positive importance of each row; None is 1 for all.
        groups: `[I]` whole numbers from 0, or names (numbered in order of appearance); rows of one group are always in
            the same fold. None makes every row a group of its own.
        items: I names; None is `item 1` and so on.
        raters: K names, all different; None is `rater 1` and so on.
        targets_names: N names, all different; None is `target` or `target 1` and so on.
        target_weights: `[N]` positive, how much each target counts in means over targets; None is 1 for all.

    Returns:
        A `RaterMatrix` of float64 copies.

    Raises:
        ValueError: naming the argument, what was expected and what came.

    Example:
        >>> import equilibrax as eq
        >>> ratings = [[0.1, 0.9], [0.4, None], [0.8, 0.2]]
        >>> matrix = eq.raters.rater_matrix(ratings, [0.2, 0.5, 0.7], raters=["kind", "strict"])
        >>> matrix.num_items, matrix.num_raters, matrix.target_names
        (3, 2, ('target',))
        >>> matrix.complete("drop_items").dropped_items
        ('item 2',)
    """
    values = _numbers("ratings", ratings)
    if values.ndim != 2 or 0 in values.shape:
        raise ValueError(f"ratings: expected shape [I, K] with I, K >= 1, got {values.shape}")
    wanted = _numbers("targets", targets)
    wanted = wanted[:, None] if wanted.ndim == 1 else wanted
    rows = len(values)
    if wanted.ndim != 2 or len(wanted) != rows or wanted.shape[1] == 0:
        raise ValueError(f"targets: expected shape [{rows}] or [{rows}, N], got {np.shape(targets)}")
    if np.isnan(wanted).all():
        raise ValueError("targets: expected at least one number, got NaN only")
    several = wanted.shape[1] > 1
    return RaterMatrix(
        ratings=values,
        targets=wanted,
        weights=positive_weights("weights", weights, rows),
        groups=_groups(groups, rows),
        item_names=_names("items", items, rows, [f"item {i + 1}" for i in range(rows)], unique=False),
        rater_names=_names("raters", raters, values.shape[1], [f"rater {k + 1}" for k in range(values.shape[1])]),
        target_names=_names(
            "targets_names",
            targets_names,
            wanted.shape[1],
            [f"target {n + 1}" for n in range(wanted.shape[1])] if several else ["target"],
        ),
        target_weights=positive_weights("target_weights", target_weights, wanted.shape[1]),
    )


def _numbers(name: str, values: Any) -> np.ndarray:
    array = as_ratings(name, values)
    if np.isinf(array).any():
        where = [int(i) for i in np.argwhere(np.isinf(array))[0]]
        raise ValueError(f"{name}: expected finite numbers or NaN, got {array[tuple(where)]} at index {where}")
    if (large := np.abs(array) > _LARGEST).any():
        where = [int(i) for i in np.argwhere(large)[0]]
        raise ValueError(f"{name}: expected numbers up to {_LARGEST:g}, got {array[tuple(where)]} at index {where}")
    sizes = np.abs(np.where(np.isnan(array), 0.0, array)).max(axis=0, initial=0.0)
    if (small := (sizes > 0) & (sizes < _SMALLEST)).any():
        came = f"a column of at most {sizes[small].max():g}" if array.ndim > 1 else f"at most {sizes:g}"
        raise ValueError(f"{name}: expected numbers of {_SMALLEST:g} or more, or zeros, got {came}; scale them up")
    return array


def positive_weights(name: str, weights: Any, size: int) -> np.ndarray:
    """`[size]` float64 weights, checked; all 1 for None."""
    if weights is None:
        return np.ones(size)
    array = _numbers(name, weights)
    if array.shape != (size,):
        raise ValueError(f"{name}: expected shape [{size}], got {array.shape}")
    if not (array > 0).all():
        where = int(np.flatnonzero(~(array > 0))[0])
        raise ValueError(f"{name}: expected positive numbers, got {array[where]} at index {where}")
    return array


def _groups(groups: Any, rows: int) -> np.ndarray:
    if groups is None:
        return np.arange(rows, dtype=np.int64)
    array = as_array("groups", groups)
    if array.shape != (rows,):
        raise ValueError(f"groups: expected shape [{rows}], got {array.shape}")
    if array.dtype.kind in "iu":
        if array.min(initial=0) < 0:
            raise ValueError(f"groups: expected whole numbers from 0, got {array.min()}")
        return array.astype(np.int64)
    numbers: dict[Any, int] = {}
    return np.array([numbers.setdefault(name, len(numbers)) for name in array.tolist()], np.int64)


def _names(name: str, given: Iterable[Any] | None, size: int, default: list[str], unique: bool = True):
    if given is None:
        return tuple(default)
    names = tuple(str(one) for one in given)
    if len(names) != size:
        raise ValueError(f"{name}: expected {size} names, got {len(names)}")
    if unique and len(set(names)) < size:
        twice = next(one for one in names if names.count(one) > 1)
        raise ValueError(f"{name}: expected different names, got {twice!r} twice")
    return names


def _places(name: str, chosen: Any, names: tuple[str, ...]) -> list[int]:
    if chosen is None:
        return list(range(len(names)))
    places = []
    for one in chosen:
        if isinstance(one, str):
            if one not in names:
                raise ValueError(f"{name}: expected one of {', '.join(names)}, got {one!r}")
            places.append(names.index(one))
        elif not 0 <= one < len(names):
            raise ValueError(f"{name}: expected names or places 0..{len(names) - 1}, got {one}")
        else:
            places.append(int(one))
    if not places:
        raise ValueError(f"{name}: expected at least one, got none")
    return places


def _chosen(names: tuple[str, ...], mask: np.ndarray) -> tuple[str, ...]:
    return tuple(name for name, yes in zip(names, mask.tolist()) if yes)
