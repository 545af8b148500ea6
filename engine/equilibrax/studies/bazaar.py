"""Providers as sellers of information: a bazaar beside the selection market of the same tables.

In the selection market a provider posts a partition of the states, for all states at once, and the user takes the
provider that is best for her and responds (2509.15090, Section 5). In the bazaar the same provider, who knows the
state, has every partition as an item to show, is paid for it, and cares for what she does as much as in the market; it
commits to nothing, and chooses anew in every state.

Letters: B tables, K providers, X states, A actions, D the depth.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np
from jaxtyping import Bool, Float

from equilibrax._core.checks import check_whole, expect
from equilibrax._core.partitions import all_partitions, bell_number
from equilibrax.games import InformationMarket, InformationMarketResult, Obedient, PartitionResult, solve
from equilibrax.problems.decision_problem import DecisionProblem
from equilibrax.problems.tables import UtilityTables


@dataclass(frozen=True)
class BazaarBesideSelection:
    """What the user has in a bazaar of every depth, and in the equilibria of the selection market.

    Attributes:
        bazaar: the markets of information.
        selection: the obedient game of the committee of all providers.
        stake: how many times their utility providers care for what she does.

    Example:
        >>> import equilibrax as eq
        >>> tables = eq.sample_tables("near_hull", 50, states=3, actions=3, providers=2, seed=0)
        >>> found = eq.studies.bazaar_beside_selection(tables)
        >>> found.as_good.shape, bool((found.bazaar.utility <= found.selection.optimum + 1e-12).all())
        ((50, 9), True)
    """

    bazaar: InformationMarketResult
    selection: PartitionResult
    stake: int

    @property
    def _sides(self) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        """Values in the same unit, as integers: the bazaar's, the worst and the best equilibrium's."""
        mine = self.bazaar.value.astype(object) * self.selection.scale.astype(object)[:, None]
        unit = self.bazaar.scale.astype(object)[:, None]
        return mine, self.selection.worst_value.astype(object) * unit, self.selection.best_value.astype(object) * unit

    @property
    def as_good(self) -> Bool[np.ndarray, "B D1"]:
        """`[B, D + 1]` whether she has at least what the worst equilibrium of the selection market gives her. Exact."""
        mine, worst, _ = self._sides
        return self.bazaar.solved & (mine >= worst).astype(bool)

    @property
    def same(self) -> Bool[np.ndarray, "B D1"]:
        """`[B, D + 1]` whether she has what she has in all equilibria of the selection market, which agree. Exact."""
        mine, worst, best = self._sides
        return self.bazaar.solved & (mine == worst).astype(bool) & (worst == best).astype(bool)

    @property
    def gain(self) -> Float[np.ndarray, "B D1"]:
        """`[B, D + 1]` her utility in the bazaar less that in the worst equilibrium of the selection market."""
        return self.bazaar.utility - self.selection.worst_utility


def bazaar_beside_selection(
    tables: UtilityTables, market: InformationMarket | None = None, *, stake: int = 1
) -> BazaarBesideSelection:
    """Let the providers of tables sell the user what they know, and compare with the market in which she selects one.

    Args:
        tables: B tables in which every action exists; every provider has all partitions of the states but the one that
            says nothing as items, of which there may be 16: up to 4 providers of 3 states.
        market: the bazaar and its options; None is `InformationMarket()`.
        stake: how many times their utility providers care for what she does; 0 is nothing but payments.

    Raises:
        ValueError: naming the argument, what was expected and what came; also if there are too many items.

    Example:
        >>> import equilibrax as eq
        >>> tables = eq.load_paper_table("synthetic-2")
        >>> two = eq.from_arrays(tables.user / 10_000, tables.providers[:, :2] / 10_000)
        >>> found = bazaar_beside_selection(two)
        >>> found.selection.worst_utility.round(4).tolist(), found.bazaar.utility[:, [0, 1, 8]].round(4).tolist()
        ([[0.8267]], [[0.78, 0.8733, 0.8733]])
    """
    expect("tables", tables, UtilityTables)
    stake = check_whole("stake", stake, 0)
    states, providers = tables.states, tables.num_providers
    count = (bell_number(states) - 1) * providers
    if count > 16:
        raise ValueError(
            f"tables: expected at most 16 partitions to show, got {count:,} of {providers} providers of {states} states"
        )
    rules = [labels for labels in all_partitions(states) if labels.any()]
    owners = np.repeat(np.arange(providers), len(rules))
    problem = DecisionProblem.from_tables(tables, np.tile(rules, (providers, 1)), owners=owners, stakes=stake > 0)
    if problem.stakes is not None:
        problem = replace(problem, stakes=np.asarray(problem.stakes) * np.int32(stake))
    selection = solve(tables, Obedient(dynamics=False), committees=[2**providers - 1])
    return BazaarBesideSelection(solve(problem, market or InformationMarket(), throw=False), selection, stake)
