"""Does a scheme give every agent at least as much as an equilibrium, and one of them more?

Most schemes that are dominated are so by far, and one that dominates is found among the best ones for some weights of
the agents, or among those that differ from these in one state. Otherwise all schemes are looked through: state by
state, partial schemes are known by what they give the agents; equal ones are one. A partial scheme is dropped if it
cannot reach the equilibrium's values any more, with the best that is left for each agent, or for the weights for which
the best scheme is better by least, or if another is at least as good for all. And where the user and members of the
equilibrium's committee are among the agents, a scheme that dominates an equilibrium is an equilibrium itself, so a
partial scheme is dropped too if another is better for the user and for such a member: the lists stay as short as the
frontier's, whatever the number of schemes.

Letters: X states, A actions, N agents, n partial schemes.
"""

from __future__ import annotations

import numpy as np
from jaxtyping import Bool, Int

from equilibrax.games._equilibrium_schemes import thresholds

CAPACITY = 2**16
"""Most partial schemes that are compared before nothing is said."""

_PAIRWISE = 2**11  # partial schemes that are compared with each other
_ROUNDS = 200  # of weights that are tried
_WEIGHT = 2**15  # the largest whole weight: times values, which are below 2**41, it fits 64 bits for 17 agents


def dominating_scheme(
    contributions: Int[np.ndarray, "X A N"],
    available: Bool[np.ndarray, "X A"],
    target: Int[np.ndarray, " N"],
    members: list[int],
) -> tuple[bool, bool] | None:
    """Whether there is a scheme with at least these values that has more for one agent, and one that has for all.

    Args:
        contributions: what each action in each state adds to the agents' values.
        available: which actions exist.
        target: the values of a scheme.
        members: agents for whom, with agent 0, the user, the scheme of the target is an equilibrium; none if it is not.

    Raises:
        ValueError: if there is not a value for each agent.

    Returns:
        None if more than `CAPACITY` partial schemes would have to be kept.

    Example:
        >>> two = np.array([[[1, 1], [2, 1], [0, 3]]])  # one state, three actions, two agents
        >>> dominating_scheme(two, np.ones((1, 3), bool), np.array([1, 1]), [])
        (True, False)
    """
    if target.shape != contributions.shape[2:]:
        raise ValueError(f"target: expected {contributions.shape[2]} values, got {target.size}")
    if not members:
        if (weights := _weights(contributions, available, target)) is None:
            return True, True
        # The weighted sum is one more value that has to be reached.
        contributions = np.concatenate([contributions, (contributions @ weights)[..., None]], axis=2)
        target = np.append(target, target @ weights)
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


def _weights(
    contributions: Int[np.ndarray, "X A N"], available: Bool[np.ndarray, "X A"], target: Int[np.ndarray, " N"]
) -> Int[np.ndarray, " N"] | None:
    """Whole positive weights for which the best scheme exceeds the target by little; None if a scheme turned up that is
    better for all.

    The weights of agents who have enough fall and those of others rise (multiplicative weights).
    """
    states, exists = np.arange(len(available)), available[..., None]
    high = np.where(exists, contributions, contributions.min()).max(axis=1)
    low = np.where(exists, contributions, contributions.max()).min(axis=1)
    scale = np.maximum((high - low).sum(axis=0), 1)
    weights = least = np.full(len(target), 1 / len(target))
    excess = np.inf
    for i in range(_ROUNDS):
        worth = np.where(available, contributions @ (weights / scale), -np.inf)
        chosen = contributions[states, worth.argmax(axis=1)]  # [X, N]
        values = chosen.sum(axis=0)
        near = (values - chosen)[:, None] + contributions  # with another action in one state
        if (available & (near > target).all(axis=2)).any():
            return None
        over = (values - target) / scale
        if weights @ over < excess:
            excess, least = weights @ over, weights
        weights = weights * np.exp(-over / max(np.abs(over).max(), 1e-9) / np.sqrt(1 + i))
        weights /= weights.sum()
    whole = least / scale / (least / scale).max() * _WEIGHT
    return np.maximum(np.rint(whole), 1).astype(np.int64)


def _beaten(layer: Int[np.ndarray, "n N"]) -> Bool[np.ndarray, " n"]:
    """Whether another is at least as good for all; no two are equal."""
    as_good = np.ones((len(layer), len(layer)), bool)
    for values in layer.T:
        as_good &= values[:, None] >= values
    return as_good.sum(axis=0) > 1
