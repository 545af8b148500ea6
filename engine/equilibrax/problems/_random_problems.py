"""Random decision problems with items of information, reproducible to the bit.

A problem is a function of the family, the sizes, the levels, the seed and the problem's 64-bit id, and of nothing else:
like the tables of `families` it is the same in any batch, shard and process and on any device. All draws are integers,
from the words of one key, in the order in which they are written here.
"""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from equilibrax._core.checks import check_choice, check_whole
from equilibrax.problems._random_markets import MarketDraws, whole
from equilibrax.problems.decision_problem import DecisionProblem, made_of

PROBLEMS_VERSION = 1
"""Another number draws other problems."""

PROBLEMS_SOURCE = "Understanding Agency and Alignment via Economics, Section 3"
"""Where the problems are defined; the distributions are equilibrax's own."""

PROBLEM_FAMILIES = {
    "uniform": "utilities uniform and independent, items of two answers drawn by coins",
    "guess": "as uniform, but an act is right or wrong: each state has one that is worth all, the others nothing",
    "nested": "as uniform, but every item says all that the one before says, and more",
    "costly": "as uniform, with costs uniform up to a quarter of the largest utility",
    "partisan": "as uniform, with two sellers who have a taste for acts, uniform up to half of the largest utility",
}
"""Families of random problems and what they are."""


def random_problems(
    family: str,
    count: int,
    *,
    states: int = 8,
    acts: int = 3,
    items: int = 4,
    levels: int = 100,
    seed: int = 0,
    start: int = 0,
) -> DecisionProblem:
    """Problems `start` to `start + count - 1` of a family of random decision problems.

    Prior weights are uniform on 1 to 4, utilities on 0 to `levels`, all whole; items are drawn anew for every problem.
    Few levels make many ties.

    Args:
        family: "uniform", "guess", "nested", "costly" or "partisan", see `problems.PROBLEM_FAMILIES`.
        count: B.
        states, acts, items: W, A, M.
        levels: the largest utility, at least 1; "partisan" has stakes up to half of it, "costly" costs up to a quarter.
        seed: 0 to 2**63 - 1.
        start: the first problem's id.

    Returns:
        B problems with a resolution of 1.

    Raises:
        ValueError: naming the argument, what was expected and what came.

    Example:
        >>> import equilibrax as eq
        >>> problems = eq.random_problems("uniform", 100, seed=1)
        >>> problems.states, problems.acts, problems.num_items
        (8, 3, 4)
        >>> again = eq.random_problems("uniform", 1, seed=1, start=70)
        >>> bool((again.utility == problems[70].utility).all())
        True
    """
    check_choice("family", family, tuple(PROBLEM_FAMILIES))
    sizes = {"count": count, "states": states, "acts": acts, "items": items, "levels": levels}
    b, w, a, m, most = (whole(name, value) for name, value in sizes.items())
    seed, start = (check_whole(name, value, 0, 2**63 - 1 - b) for name, value in (("seed", seed), ("start", start)))
    draw = MarketDraws(seed, start, b, f"problem/{family}", w + w * a + m * w + m + 2 * a, PROBLEMS_VERSION)
    prior = 1 + draw.upto((b, w), 3)
    utility = draw.upto((b, w, a), most)
    told = draw.upto((b, m, w), 1)
    costs = draw.upto((b, m), most // 4)
    tastes = draw.upto((b, 2, 1, a), most // 2)
    if family == "guess":
        utility = np.where(utility == utility.max(axis=2, keepdims=True), most, 0)
        utility[(utility > 0).cumsum(axis=2) > 1] = 0
    if family == "nested":
        told = np.cumsum(told << np.arange(m)[:, None], axis=1)
    partisan = family == "partisan"
    problems = made_of(
        prior,
        utility,
        told,
        costs if family == "costly" else 0 * costs,
        np.arange(m) % 2 if partisan else None,
        np.broadcast_to(tastes, (b, 2, w, a)) if partisan else None,
        resolution=1,
    )
    ids = np.arange(start, start + b, dtype=np.int64)
    return replace(problems, problem_id=ids, family=family, seed=int(seed))
