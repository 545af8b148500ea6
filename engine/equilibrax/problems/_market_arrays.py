"""The door of markets: arrays checked against each other, and rounded to integers once."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

import numpy as np

from equilibrax._core.checks import (
    INT32_MAX,
    as_labels,
    as_numbers,
    availability,
    check_providers,
    finite,
    positive_int,
    same_for_all,
    with_batch,
)
from equilibrax._core.fixed_point import (
    DEFAULT_RESOLUTION,
    Payoffs,
    TooLargeError,
    common_step,
    fixed_point,
    in_steps,
    listed,
    positive_weights,
    whole_weights,
)
from equilibrax._core.partitions import restricted_growth
from equilibrax.problems.tables import MAX_PROVIDERS, MAX_VALUE

MAX_PROVIDER_VALUE = 2**61
"""Largest |value| of a provider in fixed point: weights times components, added up over users and states."""

MAX_CELLS = 2**27
"""Largest number of cells of a tensor over action profiles."""


def separable_arrays(user, components, weights, prior, available, resolution, weight_resolution) -> dict[str, Any]:
    """The arrays and steps of a `Market` with components."""
    user = with_batch("user", user, "[N, X, A]")
    components = with_batch("components", components, "[K, N, X, A]")
    weights = with_batch("weights", weights, "[K, N]")
    n, x, a = user.shape[1:]
    k = check_providers("components", components.shape[1], MAX_PROVIDERS)
    prior, available = _numbers("prior", prior), _numbers("available", available)
    b = _batch(user, components, weights, _rows(prior, 2), _rows(available, 3))
    mask = availability(available, b, n, a, "market", "for every user")
    user = same_for_all("user", user, b, (n, x, a))
    components = same_for_all("components", components, b, (k, n, x, a))
    scaled, weight_resolution = _whole_lambdas(same_for_all("weights", weights, b, (k, n)), weight_resolution)
    prior = whole_prior(prior, b, x)

    def build(steps: int) -> dict[str, Any]:
        made = {
            "prior": prior,
            "user": fixed_point("user", user, mask[:, :, None], steps).astype(np.int32),
            "available": mask,
            "components": fixed_point("components", components, mask[:, None, :, None], steps).astype(np.int32),
            "weights": scaled,
            "tensor": None,
        }
        check_sums(made, steps, weight_resolution)
        return made | {"resolution": steps, "weight_resolution": weight_resolution}

    payoffs = [Payoffs(user, mask[:, :, None], 2), Payoffs(components, mask[:, None, :, None], 3)]
    return in_steps(build, resolution, payoffs)


def _whole_lambdas(weights: np.ndarray, steps: int | None) -> tuple[np.ndarray, int]:
    """`[B, K, N]` int64 weights in steps, and the steps per unit; None: 10,000, or the fewest if that is inexact."""
    bad = ~(finite(weights) & (weights >= 0))
    if bad.any():
        where = np.argwhere(bad)[0].tolist()
        raise ValueError(f"weights: expected finite weights of at least 0, got {weights[tuple(where)]} at {where}")
    if steps is None:
        distinct = np.unique(weights.reshape(-1))
        common = common_step(listed(distinct)) or DEFAULT_RESOLUTION
        steps = DEFAULT_RESOLUTION if DEFAULT_RESOLUTION % common == 0 else common
    steps = positive_int("weight_resolution", steps)
    if weights.dtype == object:
        scaled = np.array([round(w * steps) for w in weights.reshape(-1).tolist()], np.float64).reshape(weights.shape)
    else:
        scaled = np.rint(weights.astype(np.float64) * steps)
    if scaled.max() > INT32_MAX:
        raise ValueError(
            f"weights: expected weight x weight_resolution of at most {INT32_MAX}, got {scaled.max():g}; "
            f"use a smaller weight_resolution"
        )
    lost = (weights > 0) & (scaled == 0)
    if lost.any():
        where = np.argwhere(lost)[0].tolist()
        raise ValueError(
            f"weights: {float(weights[tuple(where)]):g} at {where} rounds to zero in steps of 1/{steps}; "
            f"use a larger weight_resolution"
        )
    return scaled.astype(np.int64), steps


def general_arrays(user, tensor, prior, available, resolution) -> dict[str, Any]:
    """The arrays and steps of a `Market` with a tensor over action profiles."""
    user = with_batch("user", user, "[N, X, A]")
    n, x, a = user.shape[1:]
    if n > 8:
        raise ValueError(f"user: expected at most 8 users in a general market, got {n}")
    tensor = as_numbers("tensor", tensor, rationals=True)
    tensor = tensor if tensor.ndim == n + 3 else tensor[None]
    if tensor.ndim != n + 3:
        raise ValueError(
            f"tensor: expected [K, X] and {n} axes of actions, perhaps with a batch axis first, "
            f"got shape {list(tensor.shape)}"
        )
    k = check_providers("tensor", tensor.shape[1], MAX_PROVIDERS)
    prior, available = _numbers("prior", prior), _numbers("available", available)
    b = _batch(user, tensor, _rows(prior, 2), _rows(available, 3))
    shape = (k, x, *[a] * n)
    if b * int(np.prod(shape)) > MAX_CELLS:
        raise ValueError(f"tensor: expected at most {MAX_CELLS:,} cells, got {b * int(np.prod(shape)):,}")
    mask = availability(available, b, n, a, "market", "for every user")
    everybody = np.ones((b, 1, 1, *[1] * n), bool)
    for i in range(n):
        everybody = everybody & mask[:, i].reshape(b, 1, 1, *[a if m == i else 1 for m in range(n)])
    user, tensor = same_for_all("user", user, b, (n, x, a)), same_for_all("tensor", tensor, b, shape)
    prior = whole_prior(prior, b, x)

    def build(steps: int) -> dict[str, Any]:
        made = {
            "prior": prior,
            "user": fixed_point("user", user, mask[:, :, None], steps).astype(np.int32),
            "available": mask,
            "components": None,
            "weights": np.zeros((b, k, n), np.int64),
            "tensor": fixed_point("tensor", tensor, everybody, steps),
        }
        check_sums(made, steps, 1)
        return made | {"resolution": steps, "weight_resolution": 1}

    return in_steps(build, resolution, [Payoffs(user, mask[:, :, None], 2), Payoffs(tensor, everybody, n + 1)])


def unfold_prior(joint, user, components):
    """`(prior [B, X], coordinates [1 + N + K, X], user [B, N, X, A], components)`, a state for each positive cell."""
    user = with_batch("user", user, "[N, Y, A]")
    components = with_batch("components", components, "[K, N, Y, A]")
    n, k = user.shape[1], check_providers("components", components.shape[1], MAX_PROVIDERS)
    joint = as_numbers("joint", joint, rationals=True)
    joint = joint if joint.ndim == n + k + 2 else joint[None]
    if joint.ndim != n + k + 2:
        raise ValueError(
            f"joint: expected 1 + {n} + {k} axes (outcome, users, providers), perhaps with a batch axis first, "
            f"got shape {list(joint.shape)}"
        )
    if user.shape[2] != joint.shape[1] or components.shape[3] != joint.shape[1]:
        raise ValueError(
            f"joint: expected {user.shape[2]} outcomes as in user and {components.shape[3]} as in components, "
            f"got {joint.shape[1]}"
        )
    real = joint.astype(np.float64)
    if not (np.isfinite(real) & (real >= 0)).all():
        raise ValueError("joint: expected finite numbers that are not negative")
    positive = real > 0
    if not positive.any() or (positive != positive[0]).any():
        raise ValueError("joint: expected the same cells to be positive in all markets, and some to be")
    where = np.argwhere(positive[0])  # [X, 1 + N + K]
    prior = np.array([whole_weights("joint", row) for row in listed(joint[:, positive[0]])], np.int64)
    outcome = where[:, 0]
    return prior, where.T, user[:, :, outcome], components[:, :, :, outcome]


def sight(name: str, labels: Any, players: int, states: int, default: Iterable[int]) -> tuple[tuple[int, ...], ...]:
    """`players` rows of labels of the states, counted in the order in which they appear."""
    if labels is None:
        return (tuple(default),) * players
    rows = as_labels(name, labels, (players, states))
    return tuple(tuple(restricted_growth(row).tolist()) for row in rows)


def sight_of_one(name: str, labels: Any, states: int, default: Iterable[int]) -> tuple[int, ...]:
    """One row of labels of the states, as `sight`."""
    return tuple(default) if labels is None else tuple(restricted_growth(as_labels(name, labels, (states,))).tolist())


def labels_or_refuse(labels: Any, available: np.ndarray, states: int, providers: int) -> Any:
    """The labels, if there are as many as things to name."""
    if labels is None:
        return None
    n, a = available.shape[1:]
    if not all(hasattr(labels, name) for name in ("states", "users", "providers", "actions", "markets")):
        raise ValueError(f"labels: expected a MarketLabels, got {labels!r}")
    of_actions = labels.actions if isinstance(labels.actions, tuple | list) else [labels.actions]
    for names in (labels.states, labels.users, labels.providers, labels.markets, *of_actions):
        if not isinstance(names, tuple | list) or not all(isinstance(name, str) for name in names):
            raise ValueError(f"labels: expected tuples of strings, got {names!r}")
    came = len(labels.states), len(labels.users), len(labels.providers), len(labels.actions)
    if came != (states, n, providers, n):
        raise ValueError(
            f"labels: expected {states} states, {n} users, {providers} providers and {n} lists of actions, got {came}"
        )
    for what, names in (("users", labels.users), ("providers", labels.providers)):
        if len(set(names)) < len(names):
            raise ValueError(f"labels: expected different names of {what}, got {names!r}")
    needed = [int(np.max(np.nonzero(row.any(axis=0))[0])) + 1 for row in available.swapaxes(0, 1)]
    for i, (names, least) in enumerate(zip(labels.actions, needed)):
        if not least <= len(names) <= a:
            many = f"{a}" if least == a else f"{least} to {a}"
            raise ValueError(f"labels: expected {many} names of actions of user {i}, got {len(names)}")
    return labels


# --- parts ------------------------------------------------------------------------------------------------------------


def whole_prior(prior: np.ndarray | None, b: int, x: int) -> np.ndarray:
    """`[B, X]` int64, positive integers without a common factor."""
    if prior is None:
        return np.ones((b, x), np.int64)
    return positive_weights(same_for_all("prior", prior, b, (x,)))


def check_sums(made: dict[str, Any], resolution: int, weight_resolution: int) -> None:
    """Refuse what does not add up in 64 bits, in exact arithmetic."""
    prior = made["prior"]
    user = _largest(made["user"], prior)  # [B, N]
    parts = user if made["components"] is None else np.maximum(user, _largest(made["components"], prior).max(axis=1))
    if parts.max() > MAX_VALUE:
        raise TooLargeError(
            f"user, components, prior: the sum over states of weight x |utility| x resolution must be at most 2**41, "
            f"got {int(parts.max())}; use a smaller resolution or smaller prior weights"
        )
    if made["components"] is None:
        tensor = np.abs(made["tensor"])
        whole = tensor.reshape(*tensor.shape[:3], -1).max(axis=3).astype(object)
        total = (whole * prior[:, None].astype(object)).sum(axis=2)
    else:
        total = (_largest(made["components"], prior).astype(object) * made["weights"].astype(object)).sum(axis=2)
    unit = int(prior.sum(axis=1).max()) * resolution * weight_resolution
    largest = max(int(total.max()), unit)
    if largest > MAX_PROVIDER_VALUE:
        raise TooLargeError(
            f"weights, components, prior: a provider's weights x utilities, added up over users and states, must be "
            f"at most 2**61 in fixed point, got {largest}; use a smaller resolution or weight_resolution"
        )


def _largest(utilities: np.ndarray, prior: np.ndarray) -> np.ndarray:
    """`[B, ...]` int64 from `[B, ..., X, A]`: the sum over states of weight times the largest |utility|."""
    most = np.abs(utilities.astype(np.int64)).max(axis=-1)
    if float(most.max(initial=0)) * float(prior.sum(axis=1).max()) >= 2**62:
        return np.full(most.shape[:-1], 2**62, np.int64)
    return (most * prior.reshape(len(prior), *[1] * (most.ndim - 2), -1)).sum(axis=-1)


def _numbers(name: str, value: Any) -> np.ndarray | None:
    return None if value is None else as_numbers(name, value, rationals=True)


def _rows(array: np.ndarray | None, axes: int) -> np.ndarray:
    """The array if it has a batch axis (and so `axes` axes), else a batch of one."""
    return array if array is not None and array.ndim == axes else np.zeros((1, 1))


def _batch(*arrays: np.ndarray) -> int:
    return max(len(array) for array in arrays)
