"""The game of oblivious providers, from the rule of each provider alone."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any, ClassVar, get_args

import jax
import numpy as np
from jax.sharding import Mesh
from jaxtyping import Bool, Float, Int

from equilibrax._core.batching import batch_mesh
from equilibrax._core.checks import check_choice
from equilibrax._core.status import Status
from equilibrax.games._cells import check_listed
from equilibrax.games._game import Compared, GameLine
from equilibrax.games._oblivious_profiles import MAX_PROFILES, MAX_STATES, heard_partitions, profile_extremes
from equilibrax.games._oblivious_rules import ObliviousRules, oblivious_rules
from equilibrax.games._oblivious_utility import oblivious_utility, oblivious_values
from equilibrax.games._options import InformationRules, Rationality, Response
from equilibrax.games.joint import joint_fields
from equilibrax.games.partition_result import PartitionResult
from equilibrax.games.responses import PartitionGame
from equilibrax.problems.persuasion import PersuasionGame


@dataclass(frozen=True)
class Oblivious(PartitionGame):
    """The user hears all providers, none of whom knows of the others (2509.15090, Definition 19).

    Providers play what each of them would alone. With partitions, the worst and the best are over all profiles of
    optimal ones: partitions that are each worst for a user who hears one provider need not be worst together. Profiles
    are compared for up to 12 states and 4,096 profiles of a committee. Beyond that, and of lotteries (whose optima may
    be infinitely many), the one in which every provider plays what is worst when it is heard alone stands for all; for
    partitions the status then says `PROFILES_NOT_COMPARED`.

    Example:
        >>> import equilibrax as eq
        >>> eq.solve(eq.load_paper_table("synthetic-2"), eq.Oblivious(), committees=[31]).worst_utility.tolist()
        [[0.92]]
    """

    name: ClassVar[str] = "oblivious"
    answers: ClassVar[Status] = PartitionGame.answers | Status.PROFILES_NOT_COMPARED
    statuses: ClassVar[Status] = Status.RULE_UNCERTIFIED | Status.PROFILES_NOT_COMPARED
    response: ClassVar[Response] = "best"

    rules: InformationRules = "partitions"
    """What providers may post: partitions of the states, or lotteries over what they say."""

    def __post_init__(self) -> None:
        check_choice("rules", self.rules, get_args(InformationRules))

    @property
    def groups(self) -> tuple[str, ...]:
        """Efficiency, of partitions: what lotteries come to is not named."""
        return super().groups if self.rules == "partitions" else ()

    def without_loops(self, problem: PersuasionGame) -> str:
        """Nothing for partitions, unless numbers are too large."""
        return f"in the {self.name} game with lotteries" if self.rules == "lotteries" else self.beyond_loops(problem)

    def solve_cpu(self, problem: PersuasionGame, masks: np.ndarray) -> PartitionResult:
        """The same, monopolists by loops."""
        return self.solve_xla(problem, masks, None)

    def solve_xla(self, problem: PersuasionGame, masks: np.ndarray, mesh: Mesh | None) -> PartitionResult:
        """The profiles of each of C committees."""
        game, devices = problem, jax.local_devices(backend="cpu") if mesh is None else list(mesh.devices.flat)
        own: ObliviousRules | None = None
        members: np.ndarray = (masks[:, None] >> np.arange(game.num_providers)) & 1 == 1  # [C, K]
        shape = len(game), len(masks)
        if self.rules == "partitions":
            posted, optima = _monopolists(game, mesh)
            value: np.ndarray = np.asarray(oblivious_values(game, posted, masks.tolist(), devices=devices))
            count = np.stack([_product(optima[:, chosen]) for chosen in members], axis=1)
            partition = np.stack([_refinement(posted[:, chosen]) for chosen in members], axis=1)
            compared = (count <= MAX_PROFILES) & (game.states <= MAX_STATES)
            status = np.where((count == 1) | compared, 0, int(Status.PROFILES_NOT_COMPARED)).astype(np.int32)
            value, most = value.copy(), value.copy()
            for b in np.flatnonzero((compared & (count > 1)).any(axis=1)):
                chosen = np.flatnonzero(compared[b])
                found = profile_extremes(game, int(b), masks[chosen].tolist())
                value[b, chosen], most[b, chosen], partition[b, chosen] = found
        else:
            own = oblivious_rules(game, ties="worst", devices=devices, throw=False)
            value = np.asarray(oblivious_utility(game, own, masks.tolist(), devices=devices)) * game.scale[:, None]
            count = np.where(_all_members(own.unique, members), 1, -1).astype(np.int64)
            partition = np.full((*shape, game.states), -1, np.int8)
            status = np.where(_all_members(own.certified, members), 0, int(Status.RULE_UNCERTIFIED)).astype(np.int32)
            most = value
        fields_of: dict[str, Any] = {
            "game": self,
            "committees": masks,
            "optimum_value": game.optimum_value,
            "worst_value": value,
            "best_value": most,
            "equilibria": count,
            "worst_partition": partition,
            "status": status,
            "retries": np.zeros(len(game), np.int32),
            "tables": game,
        }
        return PartitionResult(**fields_of) if own is None else ObliviousLotteries(**fields_of, posted=own)

    def equilibrium_rules(
        self, problem: PersuasionGame, b: int, masks: np.ndarray, how: Rationality, limit: int
    ) -> list[np.ndarray]:
        """What the user of game b may hear, each partition once: of at most 12 states and 4,096 profiles."""
        if self.rules != "partitions" or problem.states > MAX_STATES:
            raise ValueError(
                f"of: expected partitions of at most {MAX_STATES} states to list what providers post, got {self.rules} "
                f"of {problem.states} states"
            )
        _, optima = _monopolists(problem[b : b + 1], batch_mesh())
        found = []
        for mask in masks.tolist():
            profiles = int(_product(optima[:, [j for j in range(problem.num_providers) if mask >> j & 1]])[0])
            if profiles > MAX_PROFILES:
                raise ValueError(
                    f"of: expected at most {MAX_PROFILES:,} profiles of optimal partitions, got {profiles:,}"
                )
            found.append(check_listed(heard_partitions(problem, b, mask), limit))
        return found

    @classmethod
    def compared(cls, lambdas: tuple[float, ...], tolerance: float) -> tuple[Compared, ...]:
        """With partitions and with lotteries."""
        said: dict[InformationRules, str] = {"partitions": "deterministic", "lotteries": "randomized"}
        return tuple(
            Compared(cls(rules), (GameLine(f"oblivious, {rules}", cls.name, rules=how),), place=40 + i, may_fail=True)
            for i, (rules, how) in enumerate(said.items())
        )


@dataclass(frozen=True, kw_only=True)
class ObliviousLotteries(PartitionResult):
    """What oblivious providers do to the user with lotteries, with what was proved of each of them.

    Attributes:
        posted: what every provider posts, `[B, K, X, S]` chances of plans, and its certificate. `lottery_regret` of
            `posted.rule` says what providers could gain if they knew of each other.
    """

    posted: ObliviousRules = field(repr=False)

    @property
    def regret_bound(self) -> Float[np.ndarray, "B C"]:
        """`[B, C]` what no rule whatever gains any member more than, as far as it knows: heard alone."""
        gap = np.where(self._members, np.maximum(self.posted.gap, 0.0)[:, None], 0.0)
        return gap.max(axis=2)

    @property
    def certified(self) -> Bool[np.ndarray, "B C"]:
        """`[B, C]` whether the rules of all members are proved to be best."""
        return _all_members(self.posted.certified, self._members)

    @property
    def _members(self) -> Bool[np.ndarray, "C K"]:
        return (self.committees[:, None] >> np.arange(self.tables.num_providers)) & 1 == 1


def _monopolists(game: PersuasionGame, mesh: Mesh | None) -> tuple[Int[np.ndarray, "B K X"], Int[np.ndarray, "B K"]]:
    """What every provider posts when it is alone, and how many optimal partitions it has."""
    k = game.num_providers
    # With the committee of all, the program is the one that `compare` has compiled for the joint game.
    masks = np.array(sorted({*(1 << j for j in range(k)), (1 << k) - 1}), np.int32)
    own = joint_fields(game, masks, Rationality(), None, mesh)
    return own["worst_partition"][:, :k], own["equilibria"][:, :k]


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
