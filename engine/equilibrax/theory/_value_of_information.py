"""What information is worth to somebody who has a decision to make (Section 3, equations 1 to 4).

With a set S of items she knows in which of their cells the state is, and takes the best act on the states that are
left, x*(S, w); with nothing she takes x*({}).

- realized value (1): `U(x*(S, w), w) - U(x*({}), w)`; it can be negative;
- ex-post value (2): the expectation of that given what the items say; never negative;
- value of the experiment: the expectation of that, for somebody who knows which items she will get;
- ex-ante value (3, 4): the expectation of that over a belief about which items come.

Letters: B problems, W states, A acts, M items, S sets of items.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any, Literal

import numpy as np
from jaxtyping import Float, Int

from equilibrax._core.checks import as_array, check_numbers, expect
from equilibrax._core.committees import mask_of
from equilibrax.problems.decision_problem import DecisionProblem

MAX_BYTES = 4 << 30
"""Most memory that the values of all sets may need."""


@dataclass(frozen=True)
class ValueOfInformation:
    """What sets of items are worth in B problems.

    Fields that end in `_value` are exact int64 in fixed point; the properties are the same in units of utility.

    Attributes:
        sets: `[S]` int64 bitmasks; bit m is item m.
        realized_value: `[B, S, W]` equation 1, times the resolution.
        ex_post_value: `[B, S, W]` equation 2, times the resolution and `weight`.
        weight: `[B, S, W]` the weight of the states that agree with w on the items of the set.
        experiment_value: `[B, S]` times `problems.scale`.
        problems: what they were computed for.
    """

    sets: Int[np.ndarray, " S"]
    realized_value: Int[np.ndarray, "B S W"]
    ex_post_value: Int[np.ndarray, "B S W"]
    weight: Int[np.ndarray, "B S W"]
    experiment_value: Int[np.ndarray, "B S"]
    problems: DecisionProblem = field(repr=False)

    @property
    def realized(self) -> Float[np.ndarray, "B S W"]:
        """`[B, S, W]` equation 1: what deciding with the items changes in state w."""
        return self.realized_value / self.problems.resolution

    @property
    def ex_post(self) -> Float[np.ndarray, "B S W"]:
        """`[B, S, W]` equation 2: the same in expectation, given what the items say in state w."""
        return self.ex_post_value / (self.weight * self.problems.resolution)

    @property
    def experiment(self) -> Float[np.ndarray, "B S"]:
        """`[B, S]` the value of the experiment: the mean of equation 2 (and of equation 1)."""
        return self.experiment_value / self.problems.scale[:, None]

    def ex_ante(self, belief: Any) -> Float[np.ndarray, " B"]:
        """`[B]` equations 3 and 4: the mean over a belief about which of the sets comes.

        Args:
            belief: `[S]` or `[B, S]` numbers of at least 0, of any scale, not all of them 0.

        Raises:
            ValueError: if it is something else.
        """
        shape = self.experiment_value.shape
        weights = check_numbers("belief", belief, 0.0, shape=shape)
        total = weights.sum(axis=1)
        if not (total > 0).all():
            raise ValueError(f"belief: expected something to be possible, got zeros for {int((total == 0).sum())}")
        return (weights * self.experiment).sum(axis=1) / total


def value_of_information(
    problem: DecisionProblem, sets: Literal["single", "all"] | Sequence[int | Sequence[str]] = "single"
) -> ValueOfInformation:
    """Realized, ex-post and expected value of items of information, and of sets of them.

    Args:
        problem: B problems with M items.
        sets: "single" is every item by itself, "all" every set of items from none to all, by their bitmasks; or a list
            of bitmasks (bit m is item m) and tuples of items' names.

    Raises:
        ValueError: naming the argument, what was expected and what came.

    Example:
        >>> import equilibrax as eq
        >>> umbrella = eq.DecisionProblem.from_arrays([3, 1], [[1, 0], [0, 0.5]], items=[["dry", "wet"]])
        >>> value = eq.value_of_information(umbrella)
        >>> value.realized.tolist(), value.ex_post.tolist(), value.experiment.tolist()
        ([[[0.0, 0.5]]], [[[0.0, 0.5]]], [[0.125]])
        >>> eq.value_of_information(umbrella, "all").ex_ante([1, 3]).tolist()
        [0.09375]
    """
    problem = expect("problem", problem, DecisionProblem)
    masks = _masks(problem, sets)
    b, w = len(problem), problem.states
    needed = b * len(masks) * w * 24
    if needed > MAX_BYTES:
        raise ValueError(
            f"sets: expected values that fit in {MAX_BYTES / 2**30:.0f} GiB, got {len(masks):,} sets of items, which "
            f"need {needed / 2**30:,.0f} GiB for {b:,} problems of {w} states"
        )
    prior, utility = np.asarray(problem.prior), np.asarray(problem.utility).astype(np.int64)
    nothing = problem.acts_knowing([0])[:, 0, :, None]
    realized, ex_post, weights = (np.empty((b, len(masks), w), np.int64) for _ in range(3))
    for s, (worth, weight) in enumerate(problem.cells_knowing(masks)):
        act = worth.argmax(axis=2)[..., None]
        for values, into in ((utility, realized), (worth, ex_post)):
            into[:, s] = (np.take_along_axis(values, act, 2) - np.take_along_axis(values, nothing, 2))[..., 0]
        weights[:, s] = weight
    experiment = (realized * prior[:, None]).sum(axis=2)
    return ValueOfInformation(masks, realized, ex_post, weights, experiment, problem)


def _masks(problem: DecisionProblem, sets: Any) -> np.ndarray:
    count = problem.num_items
    if isinstance(sets, str):
        if sets not in ("single", "all"):
            raise ValueError(f'sets: expected "single", "all" or a list of sets of items, got {sets!r}')
        return 1 << np.arange(count) if sets == "single" else np.arange(2**count)
    names = problem.item_names()
    masks = as_array("sets", [mask_of(one, names, "items") if isinstance(one, tuple | list) else one for one in sets])
    if masks.ndim != 1 or not masks.size or masks.dtype.kind not in "iu" or masks.min() < 0 or masks.max() >= 2**count:
        raise ValueError(f"sets: expected bitmasks from 0 to {2**count - 1} for {count} items, got {list(sets)!r}")
    return masks.astype(np.int64)
