"""Decision problems with items of information: what somebody has to decide, and what others could tell her.

There are W states with prior weights `p(w)`, A acts with utilities `U(w, a)`, and M items, each a partition of the
states: an item says in which of its cells the state is. Items belong to J sellers; showing one may cost something, and
a seller may care for the act. Everything is an integer (utility, cost and stake times `resolution`, rounded once,
here), so comparisons of expectations are exact (`equilibrax.games.InformationMarket`, `theory.value_of_information`).

Letters: B problems, W states, A acts, M items, J sellers.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from typing import Any, ClassVar

import numpy as np
from jaxtyping import Int

from equilibrax._core.checks import expect, same_for_all, with_batch
from equilibrax._core.fixed_point import Payoffs, fixed_point, in_steps, positive_weights
from equilibrax.problems._batch import Batch, pytree
from equilibrax.problems._decision_arrays import checked_arrays, count_items, item_labels, whole_utilities
from equilibrax.problems.persuasion import PersuasionGame
from equilibrax.problems.tables import UtilityTables

Array = Any


@dataclass(frozen=True)
class DecisionLabels:
    """Names for people: of states, acts, items, sellers and, in files of several, problems."""

    states: tuple[str, ...]
    acts: tuple[str, ...]
    items: tuple[str, ...]
    sellers: tuple[str, ...]
    problems: tuple[str, ...] = ()


@pytree
@dataclass(frozen=True)
class DecisionProblem(Batch):
    """A batch of B decision problems of one shape, in fixed point. A pytree on the host; leaves start with axis B.

    Make one with `from_arrays` or `from_tables`, which validate, or with `random_problems` or `read_problems`; the
    constructor does not. Its 64-bit integers are leaves that `jax.device_put` and `jax.jit` refuse, rather than cut to
    32 bits.

    Attributes:
        prior: `[B, W]` int64, positive integer weights; the probability of w is `prior[w] / prior.sum()`.
        utility: `[B, W, A]` int32, utility times `resolution`.
        items: `[B, M, W]` int32, what each item says in each state, counted in the order in which it appears.
        costs: `[B, M]` int64, what showing an item costs its seller, times `resolution`.
        stakes: `[B, J, W, A]` int32, what the act is worth to each seller, times `resolution`; None: nothing.
        problem_id: `[B]` int64; it travels with the problem through slicing and batching.
        owners: M numbers of sellers, the same in all problems of a batch.
        sellers: their number, J.
        resolution: fixed-point steps per unit of utility.
        family: the family that the problems were drawn from, or "".
        seed: the seed they were drawn with.
        labels: names for people, or None.

    Example:
        >>> import equilibrax as eq
        >>> umbrella = eq.DecisionProblem.from_arrays(
        ...     [3, 1], utility=[[1, 0], [0, 0.5]], items=[["dry", "wet"]]
        ... )
        >>> umbrella.states, umbrella.acts, umbrella.num_items, umbrella.items.tolist()
        (2, 2, 1, [[[0, 1]]])
        >>> umbrella.first_best.tolist()
        [0.875]
    """

    prior: Int[Array, "B W"]
    utility: Int[Array, "B W A"]
    items: Int[Array, "B M W"]
    costs: Int[Array, "B M"]
    stakes: Int[Array, "B J W A"] | None
    problem_id: Int[Array, " B"]
    owners: tuple[int, ...] = field(metadata={"static": True})
    sellers: int = field(metadata={"static": True})
    resolution: int = field(default=10_000, metadata={"static": True})
    family: str = field(default="", metadata={"static": True})
    seed: int = field(default=0, metadata={"static": True})
    labels: DecisionLabels | None = field(default=None, metadata={"static": True})

    _one: ClassVar[str] = "problem"
    _named: ClassVar[str] = "problem"
    made_by: ClassVar[str] = "eq.DecisionProblem.from_arrays(prior, utility, items) or eq.read_problems(file)"
    _kinds: ClassVar[dict[str, Any]] = {
        "prior": np.int64,
        "utility": np.int32,
        "items": np.int32,
        "costs": np.int64,
        "stakes": np.int32,
        "problem_id": np.int64,
    }

    def _sizes(self) -> dict[str, int]:
        return {"states": self.states, "acts": self.acts, "items": self.num_items, "sellers": self.sellers}

    def _described(self) -> tuple[dict[str, np.ndarray], np.ndarray, Any, np.ndarray]:
        """Ties are between acts; sellers have stakes in them, if any."""
        players = {"utility": np.asarray(self.utility)}
        if self.stakes is not None:
            players |= {name: np.asarray(self.stakes)[:, j] for j, name in enumerate(self.provider_names())}
        return players, np.ones((1, 1, 1), bool), self.resolution, np.asarray(self.prior)

    def _only(self) -> tuple[list[tuple[str, Any]], dict[str, np.ndarray], np.ndarray, Any]:
        """With what every item says in each state."""
        along, players, there, steps = super()._only()
        says = {name: np.asarray(self.items)[0, m][:, None] * steps for m, name in enumerate(self.item_names())}
        return along, players | says, there, steps

    def _along(self) -> list[tuple[str, Any]]:
        return [("state", self.state_names()), ("act", self.act_names())]

    @property
    def user(self) -> Any:  # pyright: ignore[reportIncompatibleVariableOverride]
        """`[B, W, A]` the utility of whoever decides."""
        return self.utility

    @property
    def acts(self) -> int:
        """Number of acts, A."""
        return self.actions

    @property
    def num_items(self) -> int:
        """Number of items, M."""
        return self.items.shape[1]

    @property
    def num_providers(self) -> int:
        """Number of sellers, J: who provides information."""
        return self.sellers

    def provider_names(self) -> tuple[str, ...]:
        """The sellers' names, `seller 1` and so on where none were given."""
        return self.labels.sellers if self.labels else tuple(f"seller {j + 1}" for j in range(self.sellers))

    def item_names(self) -> tuple[str, ...]:
        """The items' names, `item 1` and so on where none were given."""
        return self.labels.items if self.labels else tuple(f"item {m + 1}" for m in range(self.num_items))

    def act_names(self) -> tuple[str, ...]:
        """The acts' names, their numbers where none were given."""
        return self.labels.acts if self.labels else tuple(map(str, range(self.acts)))

    def acts_knowing(self, known: Sequence[int] | np.ndarray) -> np.ndarray:
        """`[B, S, W]` int64: the best act in every state, for whoever knows what these sets of items say in it.

        Args:
            known: `[S]` sets of items, as bitmasks. Of several best acts the lowest is taken.
        """
        return np.stack([sums.argmax(axis=2) for sums, _ in self.cells_knowing(known)], axis=1)

    def cells_knowing(self, known: Sequence[int] | np.ndarray) -> Iterator[tuple[np.ndarray, np.ndarray]]:
        """For every set of items: `[B, W, A]` weight times utility, and `[B, W]` weight, over the cell of w."""
        prior, items = np.asarray(self.prior), np.asarray(self.items)
        weighted = prior[..., None] * np.asarray(self.utility).astype(np.int64)
        same = items[:, :, :, None] == items[:, :, None]  # [B, M, W, W]
        for mask in np.asarray(known).tolist():
            agree = same[:, [m for m in range(self.num_items) if mask >> m & 1]].all(axis=1).astype(np.int64)
            yield agree @ weighted, np.einsum("bwv,bv->bw", agree, prior)

    def value_of(self, acts: np.ndarray) -> np.ndarray:
        """`[B, ...]` int64, weight times utility of acts `[B, ..., W]`, summed over states."""
        utility = np.asarray(self.utility).astype(np.int64) * np.asarray(self.prior)[..., None]
        spread = utility.reshape(len(utility), *[1] * (acts.ndim - 2), *utility.shape[1:])
        return np.take_along_axis(spread, acts[..., None], axis=-1)[..., 0].sum(axis=-1)

    @property
    def first_best_value(self) -> np.ndarray:
        """`[B]` int64, the value of the best acts for whoever knows all items."""
        len(self)  # refuses what JAX has damaged
        return self.value_of(self.acts_knowing([2**self.num_items - 1]))[:, 0]

    @property
    def first_best(self) -> np.ndarray:
        """`[B]` float64, expected utility for whoever knows all items."""
        return self.first_best_value / self.scale

    @staticmethod
    def from_arrays(
        prior: Any,
        utility: Any,
        items: Any,
        *,
        costs: Any = None,
        owners: Any = None,
        stakes: Any = None,
        resolution: int | None = None,
        labels: DecisionLabels | None = None,
    ) -> DecisionProblem:
        """Decision problems from arrays of numbers, rounded once to multiples of `1 / resolution`.

        Args:
            prior: `[W]` or `[B, W]`, positive weights of any scale, kept exactly where they are whole numbers, decimals
                or ratios of small whole numbers; None is uniform.
            utility: `[W, A]` or `[B, W, A]`. Numbers may be `fractions.Fraction`.
            items: `[M, W]` or `[B, M, W]`, what each item says in each state: whole numbers or names. M from 1 to 16.
            costs: `[M]` or `[B, M]`, what showing an item costs its seller, at least 0; None: nothing.
            owners: `[M]` numbers of sellers, from 0; None: every item has a seller of its own.
            stakes: `[J, W, A]` or `[B, J, W, A]`, what every act is worth to every seller; None: nothing.
            resolution: steps per unit of utility; None is the smallest power of ten of at least 10,000 that represents
                all numbers, as for `equilibrax.from_arrays`.
            labels: names of states, acts, items, sellers and problems.

        Raises:
            ValueError: naming the argument, what was expected and what came; also where the sum of weights times the
                largest utility, cost and stake, in steps, exceeds 2**41: sums and comparisons are exact up to there.

        Example:
            >>> import equilibrax as eq
            >>> problem = eq.DecisionProblem.from_arrays(
            ...     None, [[1, 0], [0, 1], [0, 1]], items=[[0, 0, 1], [0, 1, 1]], costs=[0, 0.1], owners=[0, 0]
            ... )
            >>> problem.sellers, problem.costs.tolist()
            (1, [[0, 1000]])
        """
        utility = with_batch("utility", utility, "[W, A]")
        told = item_labels("items", items)
        w, a = utility.shape[1:]
        given = {"utility": utility, "items": told}
        given |= {} if prior is None else {"prior": with_batch("prior", prior, "[W]")}
        given |= {} if costs is None else {"costs": with_batch("costs", costs, "[M]")}
        given |= {} if stakes is None else {"stakes": with_batch("stakes", stakes, "[J, W, A]")}
        b, m = max(map(len, given.values())), count_items(told.shape[1])
        j = None if stakes is None else given["stakes"].shape[1]
        shapes = {"utility": (w, a), "items": (m, w), "prior": (w,), "costs": (m,), "stakes": (j, w, a)}
        given = {name: same_for_all(name, array, b, shapes[name]) for name, array in given.items()}
        weights = positive_weights(given["prior"]) if "prior" in given else np.ones((b, w), np.int64)
        real = {
            "utility": given["utility"],
            "costs": given.get("costs", np.zeros((b, m))),
            "stakes": given.get("stakes"),
        }
        everywhere = np.ones(1, bool)

        def build(steps: int) -> DecisionProblem:
            whole = {
                name: None if array is None else fixed_point(name, array, everywhere, steps)
                for name, array in real.items()
            }
            return made_of(weights, whole["utility"], given["items"], whole["costs"], owners, whole["stakes"],
                                 resolution=steps, labels=labels)  # fmt: skip

        axes = {"utility": 2, "costs": 1, "stakes": 2}
        payoffs = [Payoffs(array, everywhere, axes[name]) for name, array in real.items() if array is not None]
        return in_steps(build, resolution, payoffs)

    @staticmethod
    def from_tables(
        tables: UtilityTables | PersuasionGame,
        rules: Any,
        *,
        owners: Any = None,
        costs: Any = None,
        stakes: bool = False,
    ) -> DecisionProblem:
        """The user's problem in tables or games of information, where a provider's rule is an item. Nothing is rounded.

        Of a game whose user has Z signals of her own, every signal is a problem: what she knows herself she knows
        before she asks, and so do sellers, who know the state. The problems of a table come one after the other.

        Args:
            tables: B tables or games, in which every action exists in every state.
            rules: `[M, X]` or `[B, M, X]`, what every item says in every state: labels of a partition's cells, such as
                `worst_partition` of a result, or actions that a scheme recommends.
            owners: `[M]` providers that offer them; None: item m is provider m's, and M = K.
            costs: `[M]` or `[B, M]` whole numbers, in steps of the tables' resolution; None: nothing.
            stakes: whether providers care for what she does, by the tables' utilities, beside what they are paid.

        Returns:
            B problems with K sellers, or B Z of them.

        Raises:
            ValueError: naming the argument, what was expected and what came; also if actions are missing, a pair of
                signal and state is impossible, or integers grow too large.

        Example:
            >>> import equilibrax as eq
            >>> tables = eq.load_paper_table("synthetic-2")
            >>> truth = [range(tables.states)] * tables.num_providers
            >>> problem = eq.DecisionProblem.from_tables(tables, truth, stakes=True)
            >>> (problem.first_best == eq.PersuasionGame.from_tables(tables).optimum_utility).tolist()
            [True]
        """
        given = expect("tables", tables, UtilityTables, PersuasionGame)
        game = PersuasionGame.from_tables(given) if isinstance(given, UtilityTables) else given
        b, k, z, x, a = np.shape(game.providers)
        weights = np.asarray(game.weights)
        for name, bad in (("available", ~np.asarray(game.available)), ("weights", weights == 0)):
            if bad.any():
                what = "every action in every state" if name == "available" else "no impossible signal and state"
                raise ValueError(f"tables: expected {what}, got {name} {bad[bad].size} times without")
        told = item_labels("rules", rules)
        told = same_for_all("rules", told, b, (told.shape[1], x))
        if owners is None and told.shape[1] != k:
            raise ValueError(f"rules: expected one for each of {k} providers, or owners, got {told.shape[1]} rules")
        scale, utility, held = whole_utilities(
            weights, np.asarray(game.user), np.asarray(game.providers) if stakes else None
        )
        paid = np.zeros((b, told.shape[1]), np.int64) if costs is None else np.asarray(costs)
        paid = same_for_all("costs", np.atleast_2d(paid), b, (told.shape[1],))
        if paid.dtype.kind not in "iu":
            raise ValueError(f"costs: expected whole numbers, got dtype {paid.dtype}")
        names = game.labels and DecisionLabels(
            game.labels.states, game.labels.actions, _rule_names(game, owners, told.shape[1]), game.labels.providers
        )
        return made_of(
            weights.reshape(b * z, x),
            utility.reshape(b * z, x, a),
            np.repeat(told, z, axis=0),
            np.repeat(paid * scale, z, axis=0),
            range(k) if owners is None else owners,
            None if held is None else np.moveaxis(held, 1, 2).reshape(b * z, k, x, a),
            resolution=game.resolution * scale,
            labels=names,
            sellers=k,
        )


def _rule_names(game: PersuasionGame, owners: Any, items: int) -> tuple[str, ...]:
    names = game.provider_names()
    return names if owners is None else tuple(f"rule {m + 1}" for m in range(items))


def made_of(*given: Any, **also: Any) -> DecisionProblem:
    """Decision problems from integers, see `checked_arrays`."""
    return DecisionProblem(**checked_arrays(*given, **also))
