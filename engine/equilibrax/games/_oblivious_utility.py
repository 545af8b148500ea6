"""What the user of oblivious providers learns from all of them together (2509.15090, Appendix B).

Each provider plays a rule that is best for it if it is heard alone, a partition or a randomized rule. The user draws on
all messages at once; given the state they are independent. Competition plays no part, which is what it costs
(Theorem 7). Her utility does not depend on how she breaks ties.

Letters: B games, K providers, Z signals, X states, A actions, C committees.
"""

from __future__ import annotations

from collections.abc import Sequence
from functools import lru_cache
from typing import Any, Literal

import jax
import jax.numpy as jnp
import numpy as np
from equilibrax_kernels.fits.persuasion import combined_value, refined_value
from jax import lax
from jaxtyping import Float, Int

from equilibrax._core.batching import batch_mesh, by_rows, chunk_size, over_batch, run_in_chunks
from equilibrax._core.checks import approximate, as_numbers
from equilibrax._core.committees import committee_masks
from equilibrax.games._oblivious_rules import ObliviousRules, expected_contributions
from equilibrax.problems.persuasion import PersuasionGame

MAX_TUPLES = 2**20
"""Largest number of tuples of messages that the user of one committee may hear."""


def oblivious_utility(
    game: PersuasionGame,
    rules: ObliviousRules | Any,
    committees: Literal["all"] | Sequence[int] = "all",
    *,
    devices: Sequence[Any] | None = None,
) -> Float[np.ndarray, "B C"]:
    """The user's expected utility when she hears all providers of a committee, none of whom knows of the others.

    Args:
        game: B games.
        rules: an `ObliviousRules`, whose messages are independent given the state and are summed over in full; or
            `[B, K, X]` whole numbers, a partition for every provider (states with the same number are in one cell).
        committees: "all" 2**K - 1, or a list of bitmasks (bit j is provider j in column order).
        devices: JAX devices to spread the games over; default all local devices.

    Returns:
        `[B, C]` float64; for partitions the correctly rounded quotient of exact integers (`oblivious_values`).

    Raises:
        ValueError: on a mask out of range, rules of another shape, a common cell without an action that is available
            in all its states, or more than 2^20 tuples of messages in a committee (messages that a provider never sends
            do not count).

    Example:
        >>> import equilibrax as eq
        >>> court = eq.PersuasionGame.from_prior(  # Theorem 7: guilty or innocent; acquit or convict
        ...     [[[2, 0], [0, 1]]], user=[[1, 2], [2, 1]], providers=[[[0, 2], [0, 1]], [[1, 0], [2, 0]]]
        ... )
        >>> heard = eq.games.oblivious_utility(court, eq.games.oblivious_rules(court))
        >>> heard.round(9).tolist(), court.optimum_utility.tolist()
        ([[1.666666667, 1.666666667, 1.666666667]], [2.0])
    """
    masks = committee_masks(committees, game.num_providers, game.provider_names())
    if not isinstance(rules, ObliviousRules):
        return oblivious_values(game, rules, masks, devices=devices) / game.scale[:, None]
    if rules.rule.shape[:3] != (len(game), game.num_providers, game.states):
        raise ValueError(
            f"rules: expected those of {len(game)} games with {game.num_providers} providers and {game.states} states, "
            f"got {list(rules.rule.shape[:3])}"
        )
    mesh, (user, _) = batch_mesh(devices), expected_contributions(game)
    packed = _pack(rules.rule)
    sizes = np.array([mask.bit_count() for mask in masks.tolist()])
    most = int(packed.shape[3]) ** int(sizes.max())
    if most > MAX_TUPLES:
        raise ValueError(
            f"committees: expected at most {MAX_TUPLES:,} tuples of messages, got {packed.shape[3]} messages from each "
            f"of {sizes.max()} providers, {approximate(most)} tuples"
        )
    utility = np.zeros((len(game), len(masks)))
    for size in np.unique(sizes):
        chosen = np.flatnonzero(sizes == size)
        members = np.array([[j for j in range(game.num_providers) if m >> j & 1] for m in masks[chosen]], np.int32)
        row = 8 * packed.shape[3] ** int(size) * (game.states + game.signals * game.actions)
        with jax.enable_x64(True):
            utility[:, chosen] = run_in_chunks(
                _compiled_utility(mesh),
                (user, ~np.asarray(game.available), packed),
                jnp.asarray(members),
                chunk_size(len(game), row, mesh),
                mesh,
            )["utility"]
    return utility


def oblivious_values(
    game: PersuasionGame, partitions: Any, committees: Any = "all", *, devices: Sequence[Any] | None = None
) -> Int[np.ndarray, "B C"]:
    """The user's value, exact, when every provider tells the cell of a partition and she hears a committee.

    Args:
        game: B games.
        partitions: `[B, K, X]` whole numbers; states with the same number are in one cell.
        committees: "all" 2**K - 1, or a list of bitmasks.
        devices: JAX devices to spread the games over; default all local devices.

    Returns:
        `[B, C]` int64; divided by `game.scale` an expected utility.

    Raises:
        ValueError: as `oblivious_utility`.

    Example:
        >>> import equilibrax as eq
        >>> game = eq.PersuasionGame.from_weights([[1, 2]], [[[1, 0], [0, 1]]], [[[[0, 1]] * 2]] * 2, resolution=1)
        >>> eq.games.oblivious_values(game, [[[0, 0], [0, 1]]]).tolist()  # the first is silent
        [[2, 3, 3]]
    """
    masks = committee_masks(committees, game.num_providers, game.provider_names())
    labels = as_numbers("partitions", partitions)
    shape = (len(game), game.num_providers, game.states)
    if labels.dtype.kind not in "iu" or labels.shape != shape:
        raise ValueError(
            f"partitions: expected whole numbers of shape {list(shape)}, got {list(labels.shape)} of {labels.dtype}"
        )
    for b in np.flatnonzero(~np.asarray(game.available).all(axis=(1, 2))):
        _check_cells(game, labels, masks, int(b))
    mesh = batch_mesh(devices)
    members = (masks[:, None] >> np.arange(game.num_providers)) & 1 == 1
    row = 8 * len(masks) * game.states * (game.states + game.signals * game.actions)
    with jax.enable_x64(True):
        batched = (np.asarray(game.user), np.asarray(game.available), labels.astype(np.int64))
        return run_in_chunks(
            _compiled_values(mesh), batched, jnp.asarray(members), chunk_size(len(game), row, mesh), mesh
        )["value"]


def _pack(rule: np.ndarray) -> np.ndarray:
    """`[B, K, X, U]` the messages that are ever sent, U being the most that any provider sends."""
    used = (rule > 0).any(axis=2)
    order = np.argsort(~used, axis=2, kind="stable")[:, :, None, : int(used.sum(axis=2).max())]
    return np.take_along_axis(rule, np.broadcast_to(order, (*rule.shape[:3], order.shape[3])), axis=3)


def _check_cells(game: PersuasionGame, labels: np.ndarray, masks: np.ndarray, b: int) -> None:
    available = np.asarray(game.available)[b]
    for mask in masks.tolist():
        members = [j for j in range(game.num_providers) if mask >> j & 1]
        for cell in np.unique(labels[b, members], axis=1).T:
            inside = (labels[b, members] == cell[:, None]).all(axis=0)
            if not available[inside].all(axis=0).any():
                raise ValueError(
                    f"partitions: expected an action that is available in all states of a cell, got none for states "
                    f"{np.flatnonzero(inside).tolist()} of game {b}, committee {mask}"
                )


@lru_cache(maxsize=8)
def _compiled_utility(mesh):
    def one_committee(batched, members):
        user, missing, rules = batched
        return jax.vmap(combined_value)(user, missing.astype(user.dtype), rules[:, members])

    def committees(batched, members):
        return {"utility": lax.map(lambda chosen: one_committee(batched, chosen), members).T}

    return over_batch(by_rows(committees), mesh)


@lru_cache(maxsize=8)
def _compiled_values(mesh):
    by_committee = jax.vmap(refined_value, in_axes=(None, None, None, 0))
    by_game = jax.vmap(by_committee, in_axes=(0, 0, 0, None))

    def games(batched, members):
        user, available, labels = batched
        return {"value": by_game(user, available, labels, members)}

    return over_batch(by_rows(games), mesh)
