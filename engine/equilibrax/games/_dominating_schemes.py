"""Does a scheme give every agent at least as much as an equilibrium, and one of them more?

State by state, partial schemes are known by what they give the agents; equal ones are one. A partial scheme is dropped
if it cannot reach the equilibrium's values any more, with the best that is left for each agent, or if another is at
least as good for all. And where the user and members of the equilibrium's committee are among the agents, a scheme that
dominates an equilibrium is an equilibrium itself, so a partial scheme is dropped too if another is better for the user
and for such a member: the lists stay as short as the frontier's, whatever the number of schemes.

Letters: X states, A actions, N agents, n partial schemes.
"""

from __future__ import annotations

import numpy as np
from jaxtyping import Bool, Int

from equilibrax.games._equilibrium_schemes import thresholds

CAPACITY = 2**16
"""Most partial schemes that are compared before nothing is said."""

_PAIRWISE = 2**11  # partial schemes that are compared with each other


def dominating_scheme(
    contributions: Int[np.ndarray, "X A N"],
    available: Bool[np.ndarray, "X A"],
    target: Int[np.ndarray, " N"],
    members: list[int],
) -> tuple[bool, bool] | None:
    """Whether there is a scheme with at least these values that has more for one agent, and one that has for all.

    Args:
        contributions: what each action in each state adds to the agents' values.
        target: the values of a scheme.
        members: agents for whom, with agent 0, the user, the scheme of the target is an equilibrium; none if it is not.

    Returns:
        None if more than `CAPACITY` partial schemes would have to be kept.

    Example:
        >>> two = np.array([[[1, 1], [2, 1], [0, 3]]])  # one state, three actions, two agents
        >>> dominating_scheme(two, np.ones((1, 3), bool), np.array([1, 1]), [])
        (True, False)
    """
    lowest = np.iinfo(np.int64).min
    most = np.where(available[..., None], contributions, lowest).max(axis=1)  # [X, N]
    left = most[::-1].cumsum(axis=0)[::-1]
    layer = np.zeros((1, len(target)), np.int64)
    for x, exists in enumerate(available):
        reach = target - left[x + 1] if x + 1 < len(available) else target
        layer = (layer[:, None] + contributions[x, exists]).reshape(-1, len(target))
        layer = np.unique(layer[(layer >= reach).all(axis=1)], axis=0)
        for j in members:
            layer = layer[layer[:, j] >= thresholds(layer[:, 0], layer[:, j])]
        if len(layer) <= _PAIRWISE and x + 1 < len(available):
            layer = layer[~_beaten(layer)]
        if len(layer) > CAPACITY:
            return None
    return bool((layer > target).any()), bool((layer > target).all(axis=1).any())


def _beaten(layer: Int[np.ndarray, "n N"]) -> Bool[np.ndarray, " n"]:
    """Whether another is at least as good for all; no two are equal."""
    as_good = np.ones((len(layer), len(layer)), bool)
    for values in layer.T:
        as_good &= values[:, None] >= values
    return as_good.sum(axis=0) > 1
