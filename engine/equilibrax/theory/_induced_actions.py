"""What the user does after a partition, and how much it matters who reveals it: Definitions 9 and 13 of 2509.15090.

A profile of rules is heard as the common refinement of the partitions. After one provider deviates to a reference
partition C*, the joint partition is some refinement of C*, and with two providers or more every pair of refinements of
C* is what is heard when two of them deviate from some profile. So the induced distributions that Definitions 9 and 13
compare are those of the refinements of C*, and

    delta = the largest L1 distance between the distributions over (action, y) that two refinements of C* induce.

A `PersuasionGame` does not keep y, and only expectations given (z, x) matter in it, so y is the pair (z, x) here. For a
y that is known less well the distance can only be smaller.

Letters: B games, R lambdas, Z signals, X states, A actions.
"""

from __future__ import annotations

import itertools
from typing import Any

import numpy as np
from jaxtyping import Bool, Float, Int

from equilibrax._core.checks import as_array, check_number, expect
from equilibrax.games import Quantal
from equilibrax.problems.persuasion import PersuasionGame
from equilibrax.problems.tables import UtilityTables

MAX_STATES = 6
"""Most states for which all pairs of refinements are compared: 203 partitions of six states, 20,503 pairs."""

_CHUNK = 1 << 22  # numbers held at a time


def induced_actions(game: PersuasionGame, partition: Any = None, rationality: float | None = None) -> np.ndarray:
    """The probability of every action given the user's signal and the state, once she has heard a partition.

    Times `weights / total_weight` this is the induced distribution over (action, z, x) (2509.15090, Definition 5).

    Args:
        game: B games.
        partition: `[X]` or `[B, X]` labels of the states' cells; None for full revelation.
        rationality: lambda of a quantal user (Definition 11), may be infinite; None for the best response, ties to
            the lowest action.

    Returns:
        `[B, Z, X, A]` float64. After a signal and a cell that have no weight together the user is indifferent.

    Raises:
        ValueError: if `partition` has another shape or a cell without a common action, or `rationality` is negative.

    Example:
        >>> import equilibrax as eq
        >>> game = eq.PersuasionGame.from_weights([[1, 2]], user=[[[1, 0], [0, 1]]], providers=[[[[0, 1], [0, 1]]]])
        >>> eq.theory.induced_actions(game, [0, 0]).tolist()
        [[[[0.0, 1.0], [0.0, 1.0]]]]
    """
    game = as_game(game)
    labels = reference_labels(game, partition)
    if rationality is not None:
        rationality = check_number("rationality", rationality, 0, infinite=True)
    return responses(game, labels, rationality)


def identical_induced_distribution(
    game: PersuasionGame | UtilityTables, reference: Any = None
) -> Bool[np.ndarray, " B"]:
    """Whether it never matters to a best-responding user who deviates to the reference (2509.15090, Definition 9).

    By enumeration and exact. Full revelation always has the property: nothing refines it (compare Proposition 1).

    Args:
        game: B games.
        reference: `[X]` or `[B, X]` labels of the reference partition C*; None for full revelation.

    Returns:
        `[B]` bool. True is sufficient for the paper's condition, also for a y that (z, x) does not determine.

    Raises:
        ValueError: if `reference` is not a partition that can be posted, or refines into too many partitions.

    Example:
        >>> import equilibrax as eq
        >>> ties = eq.from_integers([[1, 1], [0, 1]], [[[0, 1], [0, 1]]])
        >>> eq.theory.identical_induced_distribution(ties).tolist()
        [True]
        >>> eq.theory.identical_induced_distribution(ties, [0, 0]).tolist()  # pooling is optimal too, yet it matters
        [False]
    """
    return closeness(game, reference) == 0


def closeness(
    game: PersuasionGame | UtilityTables, reference: Any = None, rationality: Any = None
) -> Float[np.ndarray, "*batch"]:
    """delta of the (delta, C*)-close condition in the L1 norm (2509.15090, Definition 13), by enumeration.

    The paper writes an L1 norm and calls it total variation, which is half of it.

    Args:
        game: B games of at most 6 states (any number if the reference is full revelation, where delta is 0).
        reference: `[X]` or `[B, X]` labels of the reference partition C*; None for full revelation.
        rationality: lambda of a quantal user, or a list of R; None for the best response.

    Returns:
        `[B]`, or `[B, R]` for a list. For two providers or more; a single provider's delta is 0.

    Raises:
        ValueError: if `reference` is not a partition that can be posted, or refines into too many partitions.

    Example:
        >>> import equilibrax as eq
        >>> table = eq.from_integers([[1, 0], [0, 1]], [[[0, 1], [0, 1]]])
        >>> eq.theory.closeness(table, [0, 0], rationality=[0.0, 1.0]).round(4).tolist()
        [[0.0, 0.4621]]
    """
    game = as_game(game)
    labels = reference_labels(game, reference)
    lambdas, grid = _lambdas(rationality), np.ndim(rationality) > 0
    found = np.zeros((len(game), len(lambdas)))
    together = _together(labels)
    if together.sum() > labels.size:  # some cell has two states or more
        if game.states > MAX_STATES:
            raise ValueError(
                f"reference: expected full revelation, or a game of at most {MAX_STATES} states, whose partitions can "
                f"be compared pairwise, got {game.states} states"
            )
        every = all_partitions(game.states)
        within = np.logical_not((_together(every)[None] & ~together[:, None]).any(axis=(2, 3)))  # [B, P] refines it
        used = within.any(axis=0)
        every, within = every[used], within[:, used]
        step = max(1, _CHUNK // (len(every) * game.signals * game.states * game.actions))
        for start in range(0, len(game), step):
            part = game[start : start + step]
            for r, rationality_ in enumerate(lambdas):
                found[start : start + step, r] = _diameter(part, every, within[start : start + step], rationality_)
    return found if grid else found[:, 0]


def estimation_error(game: PersuasionGame | UtilityTables, reference: Any = None) -> Float[np.ndarray, " B"]:
    """eps_u: how far the user's estimates after the reference can be from the truth (2509.15090, Proposition 2).

    The largest |E[u(a) | z, cell] - E[u(a) | z, x]| over signals, states and the actions she can take in the cell.

    Args:
        game: B games.
        reference: `[X]` or `[B, X]` labels of the reference partition C*; None for full revelation.

    Returns:
        `[B]` float64, in units of utility; exactly 0 if the reference tells her all that matters.

    Raises:
        ValueError: if `reference` is not a partition that can be posted.

    Example:
        >>> import equilibrax as eq
        >>> table = eq.from_integers([[1, 0], [0, 1]], [[[0, 1], [0, 1]]], resolution=1)
        >>> eq.theory.estimation_error(table).tolist(), eq.theory.estimation_error(table, [0, 0]).tolist()
        ([0.0], [0.5])
    """
    game = as_game(game)
    return estimation_errors(game, reference_labels(game, reference)).max(axis=(1, 2))


# --- shared with the bounds -------------------------------------------------------------------------------------------


def as_game(tables: PersuasionGame | UtilityTables) -> PersuasionGame:
    """A game as it is, tables as games of a user who knows nothing."""
    game = expect("game", tables, PersuasionGame, UtilityTables)
    return game if isinstance(game, PersuasionGame) else PersuasionGame.from_tables(game)


def all_partitions(states: int) -> Int[np.ndarray, "P X"]:
    """Every partition as labels in restricted-growth form, full pooling first."""
    rows: list[list[int]] = [[]]
    for _ in range(states):
        rows = [[*row, label] for row in rows for label in range(max(row, default=-1) + 2)]
    return np.array(rows, np.int64)


def reference_labels(game: PersuasionGame, partition: Any, name: str = "reference") -> Int[np.ndarray, "B X"]:
    """Labels for every game; refuses what is no partition, or has a cell in which the user cannot act."""
    shape = (len(game), game.states)
    if partition is None:
        return np.broadcast_to(np.arange(game.states), shape)
    labels = as_array(name, partition)
    if labels.dtype.kind not in "iu" or labels.shape not in (shape, shape[1:]):
        raise ValueError(
            f"{name}: expected whole labels of shape {list(shape[1:])} or {list(shape)}, got {list(labels.shape)} of "
            f"{labels.dtype}"
        )
    labels = np.broadcast_to(labels, shape)
    stuck = ~allowed_in_cells(game, labels).any(axis=2)
    if stuck.any():
        at, state = np.argwhere(stuck)[0].tolist()
        raise ValueError(
            f"{name}: expected cells with a common action, got none for the cell of state {state} in game {at}"
        )
    return labels


def allowed_in_cells(game: PersuasionGame, labels: np.ndarray) -> Bool[np.ndarray, "B X A"]:
    """The actions that are available in all states of each state's cell."""
    missing = ~np.asarray(game.available)
    return np.logical_not((_together(labels)[..., None] & missing[:, None]).any(axis=2))


def responses(game: PersuasionGame, labels: np.ndarray, rationality: float | None) -> Float[np.ndarray, "B Z X A"]:
    """`induced_actions` for labels `[B, X]` that were checked; zeros where a cell has no common action."""
    together = _together(labels).astype(np.int64)
    allowed = allowed_in_cells(game, labels)[:, None]
    sums = np.matmul(together[:, None], np.asarray(game.user))  # exact integers
    lowest = np.iinfo(np.int64).min // 2
    top = np.where(allowed, sums, lowest).max(axis=3, keepdims=True)
    if rationality is None:
        best = allowed & (sums == top)
        return (best & (best.cumsum(axis=3) == 1)).astype(np.float64)
    weight = np.matmul(together[:, None], np.asarray(game.weights)[..., None])
    short = np.where(allowed, sums - top, 0) / (np.maximum(weight, 1) * float(game.resolution))
    with np.errstate(invalid="ignore", over="ignore", under="ignore"):
        odds = np.where(allowed, np.where(short == 0, 1.0, np.exp(rationality * short)), 0.0)
    mass = odds.sum(axis=3, keepdims=True)
    return odds / np.where(mass > 0, mass, 1.0)


def user_utility(game: PersuasionGame, labels: np.ndarray, rationality: float | None) -> Float[np.ndarray, " B"]:
    """The user's expected utility after a partition."""
    return (np.asarray(game.user) * responses(game, labels, rationality)).sum(axis=(1, 2, 3)) / game.scale


def estimation_errors(game: PersuasionGame, labels: np.ndarray) -> Float[np.ndarray, "B Z X"]:
    """The largest error over actions in every (signal, state); 0 in impossible ones."""
    together = _together(labels).astype(np.int64)
    weights = np.asarray(game.weights)
    possible = weights > 0
    sums = np.matmul(together[:, None], np.asarray(game.user))
    mass = np.matmul(together[:, None], weights[..., None])
    # Equal rationals are equal after a division that rounds correctly, so an error of zero is found exactly.
    mean = sums / np.maximum(mass, 1)
    truth = np.asarray(game.user) / np.maximum(weights, 1)[..., None]
    counted = possible[..., None] & allowed_in_cells(game, labels)[:, None]
    return np.where(counted, np.abs(mean - truth), 0.0).max(axis=3) / game.resolution


def _diameter(game: PersuasionGame, partitions: np.ndarray, within: np.ndarray, rationality: float | None):
    """`[B]` the largest L1 distance between what two of the partitions `within` `[B, P]` induce."""
    weights = np.asarray(game.weights)[..., None].astype(np.float64)
    labels = (np.broadcast_to(p, (len(game), game.states)) for p in partitions)
    flows = [np.ascontiguousarray((weights * responses(game, p, rationality)).reshape(len(game), -1)) for p in labels]
    largest = np.zeros(len(game))
    for (i, first), (j, second) in itertools.combinations(enumerate(flows), 2):
        distance = np.abs(first - second).sum(axis=1)
        largest = np.maximum(largest, np.where(within[:, i] & within[:, j], distance, 0.0))
    return largest / game.total_weight


def _together(labels: np.ndarray) -> Bool[np.ndarray, "... X X"]:
    return labels[..., :, None] == labels[..., None, :]


def _lambdas(rationality: Any) -> tuple[float | None, ...]:
    """The lambdas of a call; None is the best response."""
    if rationality is None:
        return (None,)
    given = Quantal(rationality).rationality
    return given if isinstance(given, tuple) else (given,)  # pyright: ignore[reportReturnType]
