"""Solving the game of oblivious providers for committees, from the rule of each provider alone."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Literal

import numpy as np
from jaxtyping import Bool, Int

from equilibrax._core.status import Status
from equilibrax.games._oblivious_rules import oblivious_rules
from equilibrax.games._oblivious_utility import oblivious_utility, oblivious_values
from equilibrax.games.joint import solve_joint
from equilibrax.games.partition_result import PartitionResult
from equilibrax.games.responses import Rationality
from equilibrax.problems.persuasion import PersuasionGame

Rules = Literal["deterministic", "randomized"]


def solve_oblivious(
    game: PersuasionGame, masks: np.ndarray, rules: Rules, devices: Sequence[Any] | None, throw: bool, mesh
) -> PartitionResult:
    """Solve B games for C committees: one profile each, so the worst is the best."""
    members: np.ndarray = (masks[:, None] >> np.arange(game.num_providers)) & 1 == 1  # [C, K]
    shape = len(game), len(masks)
    if rules == "deterministic":
        posted, optima = _monopolists(game, mesh)
        value: np.ndarray = np.asarray(oblivious_values(game, posted, masks.tolist(), devices=devices))
        count = np.stack([_product(optima[:, chosen]) for chosen in members], axis=1)
        partition = np.stack([_refinement(posted[:, chosen]) for chosen in members], axis=1)
        status = np.zeros(shape, np.int32)
    else:
        own = oblivious_rules(game, ties="worst", devices=devices, throw=throw)
        value = np.asarray(oblivious_utility(game, own, masks.tolist(), devices=devices)) * game.scale[:, None]
        count = np.where(_all_members(own.unique, members), 1, -1).astype(np.int64)
        partition = np.full((*shape, game.states), -1, np.int8)
        status = np.where(_all_members(own.certified, members), 0, int(Status.RULE_UNCERTIFIED)).astype(np.int32)
    return PartitionResult(
        game="oblivious",
        response="best",
        rationality=None,
        tolerance=0.0,
        tie_break=None,
        committees=masks,
        table_id=game.table_id,
        scale=game.scale,
        optimum_value=game.optimum_value,
        worst_value=value,
        best_value=value,
        equilibria=count,
        worst_partition=partition,
        near_ties=None,
        dynamics_value=None,
        dynamics_partition=None,
        dynamics_steps=None,
        status=status,
        retries=np.zeros(len(game), np.int32),
        tables=game,
    )


def _monopolists(game: PersuasionGame, mesh) -> tuple[Int[np.ndarray, "B K X"], Int[np.ndarray, "B K"]]:
    """What every provider posts when it is alone, and how many optimal partitions it has."""
    k = game.num_providers
    # With the committee of all, the program is the one that `compare` has compiled for the joint game.
    masks = np.array(sorted({*(1 << j for j in range(k)), (1 << k) - 1}), np.int32)
    own = solve_joint(game, masks, Rationality("best", (), False), 0.0, False, 0, mesh)
    return own.worst_partition[:, :k], own.equilibria[:, :k]


def _all_members(of_provider: Bool[np.ndarray, "B K"], members: Bool[np.ndarray, "C K"]) -> Bool[np.ndarray, "B C"]:
    return np.all(of_provider[:, None] | ~members, axis=2)


def _product(counts: Int[np.ndarray, "B k"]) -> Int[np.ndarray, " B"]:
    """Products of numbers of partitions, at most 2**63 - 1."""
    exact = np.ones(len(counts), object)
    for column in counts.T:
        exact = np.minimum(exact * column.astype(object), 2**63 - 1)
    return exact.astype(np.int64)


def _refinement(labels: Int[np.ndarray, "B k X"]) -> Int[np.ndarray, "B X"]:
    """Restricted-growth labels of the common refinement: states that no member tells apart."""
    together = (labels[..., :, None] == labels[..., None, :]).all(axis=1)
    lead = together.argmax(axis=2)  # the lowest state of the cell
    rank = np.cumsum(lead == np.arange(lead.shape[1]), axis=1) - 1
    return np.take_along_axis(rank, lead, axis=1).astype(np.int8)
