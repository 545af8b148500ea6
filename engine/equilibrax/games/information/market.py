"""Markets of information: sellers show a buyer what they know, she pays what it is worth to her, and decides.

Without inspection she cannot tell what she buys, and gets a lemon; in a bazaar she inspects an item before she pays,
and in one of depth d she consults, while she inspects, a market of depth d - 1 (Section 3 of "Understanding Agency and
Alignment via Economics", after Weiss et al., 2024). `equilibrax_kernels.information.market` says it exactly.

Letters: B problems, W states, A acts, M items, J sellers, D the depth.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from functools import lru_cache
from typing import Any, ClassVar, Literal, get_args

import jax
import numpy as np
from equilibrax_kernels.information.market import information_market
from jax.sharding import Mesh

from equilibrax._core.batching import chunk_size, cores, over_batch, run_in_chunks
from equilibrax._core.checks import check_choice, check_whole
from equilibrax._core.committees import Committees
from equilibrax._core.status import Status
from equilibrax.games._game import Compared, Game
from equilibrax.games.information.result import InformationMarketResult
from equilibrax.problems.decision_problem import DecisionProblem

Mechanism = Literal["bazaar", "naive"]
Buyer = Literal["face_value", "bayesian"]

MAX_BYTES = 4 << 30
"""Most memory that the tables of one problem may need; more items, states or acts are refused."""

MOST_ROUNDS = 10_000
"""After how many rounds sellers are stopped who neither settle nor go round in a circle."""


@dataclass(frozen=True)
class InformationMarket(Game[InformationMarketResult]):
    """Sellers who know the state show items of information to a buyer who has a decision to make.

    In a bazaar of depth d she is shown the item whose owner gains most by it: the price, less what showing it costs,
    and what the final act is worth to a seller with a stake in it, above what it would be were nothing shown. Nothing
    is shown unless that is positive; of several the lowest item is. While she inspects an item she consults a market of
    depth d - 1 that may show others, and pays what the item is worth in the light of all of them: 0 is no market, 1 is
    the bazaar of Weiss et al., and a depth beyond the number of items changes nothing. In the naive market, without
    inspection, she is sold the cheapest item in every state, at its ex-ante value.

    Comparisons are of integers, exact for all problems that can be made; `DecisionProblem.from_arrays` refuses others.

    Example:
        >>> import equilibrax as eq
        >>> problems = eq.random_problems("uniform", 1000, seed=2)
        >>> result = eq.solve(problems, eq.InformationMarket())
        >>> result.utility.shape, result.harmed.mean(axis=0).round(2).tolist()
        ((1000, 5), [0.0, 0.14, 0.02, 0.0, 0.0])
    """

    name: ClassVar[str] = "information_market"
    over: ClassVar[tuple[type[Any], ...]] = (DecisionProblem,)
    answers: ClassVar[Status] = Status.CYCLE
    statuses: ClassVar[Status] = Status.CYCLE | Status.DYNAMICS_LIMIT

    mechanism: Mechanism = "bazaar"
    """The buyer inspects items before she pays (bazaar), or cannot (naive)."""
    depth: int | None = None
    """Solve markets of all depths up to this one; default is the number of items."""
    buyer: Buyer = "face_value"
    """She learns what items say (face_value), or also from being shown these rather than others (bayesian)."""
    rounds: Literal[1, "fixed_point"] = 1
    """With a Bayesian buyer: sellers choose as for a buyer at face value, and she sees through that (1), or they choose
    again for a buyer who knows their last choice, until it stays (fixed_point)."""

    def __post_init__(self) -> None:
        check_choice("mechanism", self.mechanism, get_args(Mechanism))
        check_choice("buyer", self.buyer, get_args(Buyer))
        check_choice("rounds", self.rounds, (1, "fixed_point"))
        if self.depth is not None:
            object.__setattr__(self, "depth", check_whole("depth", self.depth, 0))
        if self.rounds != 1 and (self.buyer != "bayesian" or self.mechanism != "bazaar"):
            raise ValueError(f'rounds: expected 1 unless buyer="bayesian" in a bazaar, got {self.rounds!r}')

    def accept(self, problem: Any) -> DecisionProblem:
        """The problem, if its tables fit in memory."""
        problem = super().accept(problem)
        needed = self._bytes(problem)
        if needed > MAX_BYTES:
            raise ValueError(
                f"problem: expected tables over sets of items and states that fit in {MAX_BYTES / 2**30:.0f} GiB, got "
                f"{problem.num_items} items, {problem.states} states and {problem.acts} acts, which need about "
                f"{needed / 2**30:,.0f} GiB"
            )
        rows = len(problem) * ((self.depth or 0) + 1)  # of the result, which repeats what is deeper than all items
        if rows * (24 * problem.states + 8 * problem.sellers + 32) > MAX_BYTES:
            raise ValueError(
                f"depth: expected one whose results fit in {MAX_BYTES / 2**30:.0f} GiB, got {self.depth:,} for "
                f"{len(problem):,} problems; from {problem.num_items}, the number of items, on nothing changes"
            )
        if self.mechanism == "naive" and problem.stakes is not None:
            raise ValueError("stakes: expected none in a naive market, where sellers are paid whatever they deliver")
        return problem

    def masks(self, problem: Any, committees: Committees) -> np.ndarray:
        """`[1]` all sellers: markets of some of them are those of problems with fewer items."""
        if not isinstance(committees, str) or committees != "all":
            raise ValueError(f'committees: expected "all" sellers in the {self.name} game, got {committees!r}')
        return np.ones(1, np.int32)

    def committees_of(self, providers: int) -> int:
        """One, of all."""
        return 1

    def without_loops(self, problem: DecisionProblem) -> str:
        """Nothing: all problems have loops."""
        return ""

    def solve_cpu(self, problem: DecisionProblem, masks: np.ndarray) -> InformationMarketResult:
        """The same."""
        return self.solve_xla(problem, masks, None)

    def solve_xla(self, problem: DecisionProblem, masks: np.ndarray, mesh: Mesh | None) -> InformationMarketResult:
        """Markets of all depths; by loops if there is no mesh."""
        most = problem.num_items if self.depth is None else self.depth
        found = _lemons(problem, min(most, 1)) if self.mechanism == "naive" else self._bazaar(problem, most, mesh)
        found = {name: _deeper(array, most) if name != "rounds" else array for name, array in found.items()}
        settled, rounds = found.pop("converged"), found["rounds"]
        why = np.where(rounds < MOST_ROUNDS, int(Status.CYCLE), int(Status.DYNAMICS_LIMIT))
        unit = problem.scale[:, None, None]
        return InformationMarketResult(
            game=self,
            value=found["value"],
            first_best_value=problem.first_best_value,
            shown=np.where(settled[..., None], found["shown"], np.int32(-1)),
            price_value=found["price"],
            price_weight=found["weight"],
            revenue=np.where(settled[..., None], found["revenue"] / unit, np.nan),
            rounds=rounds.astype(np.int64),
            status=np.where(settled, 0, why[:, None]).astype(np.int32),
            problems=problem,
        )

    def _bazaar(self, problem: DecisionProblem, most: int, mesh: Mesh | None) -> dict[str, np.ndarray]:
        bayesian = self.buyer == "bayesian"
        options = {
            "sellers": problem.sellers,
            "depth": min(most, problem.num_items),
            "bayesian": bayesian,
            "most_rounds": MOST_ROUNDS if self.rounds == "fixed_point" else 0,
        }
        b, w, a = problem.utility.shape
        stakes = np.zeros((b, 0, w, a), np.int64) if problem.stakes is None else problem.stakes
        given = (problem.prior, problem.utility, problem.items, problem.costs, stakes)
        arrays = tuple(np.asarray(array).astype(np.int64) for array in given)
        if mesh is None:
            from equilibrax_kernels.information.loops import information_markets  # compiled when it is needed

            prior, utility, items, costs, stakes = arrays
            read = (prior, utility, items, costs, problem.owners, stakes)
            return information_markets(*read, **options, threads=cores())
        chunk = chunk_size(b, self._bytes(problem), mesh)
        with jax.enable_x64(True):
            program = _compiled(problem.owners, tuple(options.items()), mesh)
            return run_in_chunks(program, arrays, (), chunk, mesh)

    def _bytes(self, problem: DecisionProblem) -> int:
        """About what the tables of one problem need."""
        cells = 2**problem.num_items * problem.states
        depth = problem.num_items if self.depth is None else min(self.depth, problem.num_items)
        told = (depth + 1) * (problem.states + 8) if self.buyer == "bayesian" else 0
        return cells * (8 * problem.acts + 40 + 8 * (depth + 1) + told)

    @classmethod
    def compared(cls, lambdas: tuple[float, ...], tolerance: float) -> tuple[Compared, ...]:
        """Nothing: comparisons are of tables."""
        return ()

    def idle(self) -> Iterable[tuple[Sequence[str], str]]:
        """Who cannot inspect learns nothing from what she is shown."""
        return [(("buyer",), 'beside mechanism="bazaar"')] if self.mechanism == "naive" else ()

    def suited(self, problem: Any) -> InformationMarket:
        """With no more depth than there are items."""
        return self if self.depth is None else replace(self, depth=min(self.depth, problem.num_items))


@lru_cache(maxsize=32)
def _compiled(owners: tuple[int, ...], options: tuple[tuple[str, Any], ...], mesh: Mesh):
    def problems(batched: Any, shared: Any) -> dict[str, Any]:
        prior, utility, items, costs, stakes = batched
        return information_market(prior, utility, items, costs, stakes, owners, **dict(options))._asdict()

    return over_batch(problems, mesh)


def _deeper(array: np.ndarray, depth: int) -> np.ndarray:
    """`[B, depth + 1, ...]`: what is deeper than was solved is as the deepest."""
    missing = depth + 1 - array.shape[1]
    return np.concatenate([array, np.repeat(array[:, -1:], missing, axis=1)], axis=1) if missing > 0 else array


def _lemons(problem: DecisionProblem, depth: int) -> dict[str, np.ndarray]:
    """The naive market: the cheapest item, the lowest of those, at its ex-ante value under the belief that it comes."""
    b, m, w = problem.items.shape
    rows, costs, prior = np.arange(b), np.asarray(problem.costs), np.asarray(problem.prior)
    total = prior.sum(axis=1)
    lemon = costs.argmin(axis=1)
    acts = problem.acts_knowing([0, *(1 << item for item in range(m))])
    values = problem.value_of(acts)  # [B, 1 + M]
    worth = values[rows, lemon + 1] - values[:, 0]
    sold = worth > costs[rows, lemon] * total
    revenue = np.zeros((b, depth + 1, problem.sellers))
    value = np.repeat(values[:, :1], depth + 1, axis=1)
    shown, price = np.zeros((b, depth + 1, w), np.int32), np.zeros((b, depth + 1, w), np.int64)
    weight = np.ones_like(price)
    if depth:
        value[sold, 1] += worth[sold]
        shown[sold, 1] = (1 << lemon[sold])[:, None]
        price[sold, 1], weight[sold, 1] = worth[sold][:, None], total[sold][:, None]
        revenue[rows[sold], 1, np.array(problem.owners)[lemon[sold]]] = worth[sold]
    return {
        "value": value,
        "shown": shown,
        "price": price,
        "weight": weight,
        "revenue": revenue,
        "converged": np.ones((b, depth + 1), bool),
        "rounds": np.zeros(b, np.int64),
    }
