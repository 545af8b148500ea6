"""The personalized game: a rule for every user. With separable utilities it falls apart into a game for each user.

If all providers see the same, a user's game is a selection game, and all games of all users and markets are one batch
for its solver; what providers do not see is summed up beforehand, so the states of that batch are what they see. If
they see different things, or utilities are general, the profiles of (vectors of) rules are listed.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any, ClassVar, get_args

import numpy as np
from jax.sharding import Mesh

from equilibrax._core.checks import approximate, check_choice
from equilibrax._core.status import Status
from equilibrax.games._options import Quantal, Rationality, Response, TieBreak
from equilibrax.games.markets.anonymous import solved_fields
from equilibrax.games.markets.game import MarketDynamics, MarketGame
from equilibrax.games.markets.profiles import PostingGame
from equilibrax.games.markets.rules import MarketRules, RuleList, list_rules
from equilibrax.games.obedient import Obedient
from equilibrax.games.selection import Selection
from equilibrax.problems.market import Market
from equilibrax.problems.persuasion import PersuasionGame
from equilibrax.problems.tables import UtilityTables, table_id_words

MAX_VECTORS = 2**20
"""Most vectors of rules of one provider that are listed in a general market."""


def is_selection(market: Market) -> bool:
    """Whether users' games are selection games."""
    return market.separable and market.same_sight()


@dataclass(frozen=True)
class Personalized(MarketGame):
    """Of many users, each takes the provider that is best for her; a provider has a rule for each of them.

    2602.13451, Definition 2.2.

    Example:
        >>> import equilibrax as eq
        >>> eq.solve(eq.problems.theorem_4_1_market(), eq.Personalized(), committees=[0b11]).worst_utility.tolist()
        [[[0.5, 0.5]]]
    """

    name: ClassVar[str] = "personalized"
    per_user: ClassVar[bool] = True

    protocol: MarketRules = "obedience"
    """What providers post: partitions, and each user learns its refinement with what she sees herself and responds
    (obedience), or maps from what they see to actions, and users do what they are told (delegation)."""
    tie_break: TieBreak = "lowest_index"
    """Who wins users who are indifferent: the lowest index (Definition 2.5), or never the deviator (incumbent), where
    users' games are selection games."""
    response: Response = "best"
    """How users act in a cell: the best action, ties to the lowest, or quantally."""
    dynamics: MarketDynamics = True
    """Whether to run best-response dynamics: in turn a provider moves to the first of its best rules. Of a Dynamics,
    the step limit counts."""
    profiles: bool = True
    """Whether to list and compare all profiles; markets that are too large for it have dynamics only."""

    def __post_init__(self) -> None:
        super().__post_init__()
        check_choice("protocol", self.protocol, get_args(MarketRules))
        check_choice("tie_break", self.tie_break, get_args(TieBreak))
        if self.protocol == "delegation" and self.how.quantal:
            raise ValueError(f'response: expected "best" with protocol="delegation", got {self.response!r}')

    @property
    def delegation(self) -> bool:
        """Whether users do what they are told."""
        return self.protocol == "delegation"

    def check(self, market: Market) -> None:
        """A tie rule of selection games needs them; where they are solved, nothing is listed anyway."""
        selection = is_selection(market)
        if not selection and self.tie_break != "lowest_index":
            raise ValueError(
                f'tie_break: expected "lowest_index" except in personalized separable markets whose providers see the '
                f"same, got {self.tie_break!r}"
            )
        if selection and not self.profiles:
            raise ValueError("profiles: expected True in a market of selection games, which are not listed, got False")

    def suited(self, problem: Any) -> Personalized:
        """Where users' games are selection games nothing is listed, so dynamics are not all there is."""
        return replace(self, profiles=True) if is_selection(problem) else self

    def counts(self, market: Market) -> str:
        """The rules that a user may end up with, in selection games."""
        return "rules" if is_selection(market) else "profiles"

    def fields(self, market: Market, masks: np.ndarray, how: Rationality, mesh: Mesh | None) -> dict[str, Any]:
        """A batch of selection games, or all profiles of all users' games."""
        if is_selection(market):
            return _solve_selections(self, market, masks, how, mesh)
        if not market.separable:
            return solved_fields(self, self.postings(market, how), masks, mesh)
        return _solve_users(self, market, masks, how, mesh)

    def postings(self, market: Market, how: Rationality) -> PostingGame:
        """A provider's strategy is a vector of rules, one for each user."""
        return vector_game(market, self.delegation, how)


def _solve_users(
    options: Personalized, market: Market, masks: np.ndarray, how: Rationality, mesh: Mesh | None
) -> dict[str, Any]:
    """The users' own games, all profiles of each."""
    b, n = len(market), market.users
    whole: dict[str, Any] = {}
    for users, game in games_of_users(market, options.delegation, how):
        part = solved_fields(options, game, masks, mesh)
        for name, values in part.items():
            if values is None:
                whole[name] = None
                continue
            if name == "status":
                of_users = values.reshape(b, len(users), -1)
                whole[name] = whole.get(name, 0) | np.bitwise_or.reduce(of_users, axis=1)
                continue
            if name == "worst_choice":
                values = values[..., 0]
            of_users = np.moveaxis(values[:, :, 0].reshape(b, len(users), *values.shape[1:2], *values.shape[3:]), 1, 2)
            if name not in whole:
                whole[name] = np.empty((*of_users.shape[:2], n, *of_users.shape[3:]), values.dtype)
            whole[name][:, :, users] = of_users
    choice = whole["worst_choice"]
    return whole | {"worst_choice": np.broadcast_to(choice[:, :, None], (*choice.shape, n))}


def vector_game(market: Market, delegation: bool, how: Rationality) -> PostingGame:
    """A provider's strategy is a vector of rules, one for each user; in lexicographic order."""
    rules, n = list_rules(market.provider_sees, market.actions if delegation else None), market.users
    count = rules.own.shape[1]
    if count**n > MAX_VECTORS:
        raise ValueError(
            f"market: expected at most {MAX_VECTORS:,} vectors of rules of a provider in a general market, got "
            f"{approximate(count**n)} ({count:,} rules for each of {n} users)"
        )
    which = np.indices((count,) * n).reshape(n, -1)  # [N, M]
    own = np.stack([of_provider[which] for of_provider in rules.own])
    exists = np.stack([of_provider[which].all(axis=0) for of_provider in rules.exists])
    return PostingGame(market, rules, own, exists, delegation, how)


def games_of_users(market: Market, delegation: bool, how: Rationality):
    """`(users, game)`: users whose games have the same rules, and these games (markets first, then users)."""
    rules: RuleList = list_rules(market.provider_sees, market.actions if delegation else None)
    sights = [() if delegation else row for row in market.user_sees]
    for sight in dict.fromkeys(sights):
        users = [i for i, row in enumerate(sights) if row == sight]
        alone = _one_user_each(market, users)
        yield users, PostingGame(alone, rules, rules.own[:, None], rules.exists, delegation, how)


def _one_user_each(market: Market, users: list[int]) -> Market:
    """`B len(users)` markets of one user; a provider's weight is 1, or 0 if it is indifferent."""
    b, k = len(market), market.num_providers

    def rows(array: Any) -> np.ndarray:
        return np.asarray(array)[:, users].reshape(b * len(users), 1, *array.shape[2:])

    def of_providers(array: Any) -> np.ndarray:
        chosen = np.moveaxis(np.asarray(array)[:, :, users], 2, 1)
        return chosen.reshape(b * len(users), k, 1, *array.shape[3:])

    return replace(
        market,
        prior=np.repeat(np.asarray(market.prior), len(users), axis=0),
        user=rows(market.user),
        available=rows(market.available),
        components=of_providers(market.components),
        weights=(of_providers(market.weights) > 0).astype(np.int64),
        market_id=np.arange(b * len(users)),
        user_sees=(market.user_sees[users[0]],),
        weight_resolution=1,
        labels=None,
    )


# --- one batch of selection games -------------------------------------------------------------------------------------


def _solve_selections(options: Personalized, market: Market, masks: np.ndarray, how: Rationality, mesh: Mesh | None):
    turns: Any = options.turns or False
    if options.delegation:
        game = Selection(options.tie_break, turns, misalignment=False)
        tables = selection_tables(market)
        found = game.solve_cpu(tables, masks) if mesh is None else game.solve_xla(tables, masks, mesh)
        worst, end = found.worst_scheme, found.dynamics_scheme
    else:
        response: Any = Quantal(how.values[0], how.tolerance) if how.quantal else "best"
        found = Obedient(options.tie_break, response, turns).solve_xla(obedient_games(market), masks, mesh)
        worst, end = found.worst_partition, found.dynamics_partition
    b, n, c, k = len(market), market.users, len(masks), market.num_providers

    def by_market(values: np.ndarray) -> np.ndarray:
        return np.moveaxis(values.reshape(b, n, *values.shape[1:]), 1, 2)

    row = np.array(market.provider_sees[0])
    member = (masks[:, None] >> np.arange(k)) & 1 == 1  # [C, K]
    lowest = member.argmax(axis=1).astype(np.int32)
    small = np.int8 if market.actions <= 127 else np.int16

    def posted(rules: np.ndarray) -> np.ndarray:
        """`[B, C, N, K, X]`; in memory the games are the last axis, as in `rules`, so long runs are copied."""
        seen = np.moveaxis(rules, 0, -1).astype(small)  # [C, cells, B N]
        seen = seen if market.states == seen.shape[1] else seen[:, row]
        of_members = np.empty((c, k, market.states, b * n), small)
        for at in np.ndindex(c, k):  # long runs
            of_members[at] = seen[at[0]] if member[at] else -1
        return np.transpose(of_members.reshape(c, k, market.states, b, n), (3, 0, 4, 1, 2))

    flags = by_market(found.status) & ~int(Status.COUNT_SATURATED)
    saturated = found.status & int(Status.COUNT_SATURATED)
    status = np.bitwise_or.reduce(flags, axis=2)
    if saturated.any():
        status = status | np.bitwise_or.reduce(by_market(saturated), axis=2)
    fields = {
        "worst_value": by_market(found.worst_value),
        "best_value": by_market(found.best_value),
        "equilibria": by_market(found.equilibria),
        "worst_rules": posted(worst),
        "worst_choice": np.broadcast_to(lowest[:, None, None], (b, c, n, n)),
        "dynamics_value": None,
        "dynamics_rules": None,
        "dynamics_choice": None,
        "dynamics_steps": None,
        "status": status,
    }
    if end is not None and found.dynamics_value is not None and found.dynamics_steps is not None:
        fields |= {
            "dynamics_value": by_market(found.dynamics_value),
            "dynamics_rules": posted(end),
            "dynamics_choice": np.broadcast_to(lowest[:, None], (b, c, n)),
            "dynamics_steps": by_market(found.dynamics_steps).astype(np.int64, copy=False),
        }
    return fields


def selection_tables(market: Market) -> UtilityTables:
    """`B N` tables, all users of a market one after the other; an indifferent provider has utility 0."""
    b, n, x, a = market.user.shape
    prior = np.repeat(np.asarray(market.prior), n, axis=0)
    user, providers = np.asarray(market.user), _indifferent(market)
    row = np.array(market.provider_sees[0])
    cells = int(row.max()) + 1
    if cells < x:  # what providers cannot tell apart is summed up, and the prior with it
        user, providers = _summed(market, user, row, cells), _summed(market, providers, row, cells)
        largest = max(int(np.abs(user).max()), int(np.abs(providers).max()))
        if largest >= 2**31:
            raise ValueError(
                f"market: expected sums over the states that providers cannot tell apart that fit in 32 bits, got "
                f"{largest}; use a smaller resolution or smaller prior weights"
            )
        prior, x = np.ones((b * n, cells), np.int64), cells
    available = np.asarray(market.available)
    return UtilityTables(
        user=user.reshape(b * n, x, a).astype(np.int32, copy=False),
        providers=np.ascontiguousarray(np.swapaxes(providers, 1, 2), np.int32).reshape(b * n, -1, x, a),
        prior=prior.astype(np.int32),
        available=np.broadcast_to(available[:, :, None], (b, n, x, a)).reshape(b * n, x, a),
        table_id_words=table_id_words(np.arange(b * n)),
        resolution=market.resolution,
    )


def obedient_games(market: Market) -> PersuasionGame:
    """`B N` games of information; users who observe less than others have signals that never come."""
    b, n, x, a = market.user.shape
    prior = np.asarray(market.prior)
    row = np.array(market.provider_sees[0])
    cells = int(row.max()) + 1
    sees = np.array(market.user_sees)  # [N, X]
    signals = int(sees.max()) + 1
    signal = (sees[:, None] == np.arange(signals)[:, None]).astype(np.int64)  # [N, Z, X]
    into = (row[:, None] == np.arange(cells)).astype(np.int64)  # [X, cells]
    weights = np.einsum("bx,nzx,xc->bnzc", prior, signal, into)
    utilities = np.asarray(market.user).astype(np.int64) * prior[:, None, :, None]
    components = _indifferent(market).astype(np.int64) * prior[:, None, None, :, None]
    if signals == 1 and cells == x:
        user, providers = utilities[:, :, None], components[:, :, :, None]
    else:
        user = np.einsum("bnxa,nzx,xc->bnzca", utilities, signal, into)
        providers = np.einsum("bknxa,nzx,xc->bknzca", components, signal, into)
    available = np.asarray(market.available)
    return PersuasionGame(
        weights=weights.reshape(b * n, signals, cells),
        user=user.reshape(b * n, signals, cells, a),
        providers=np.swapaxes(providers, 1, 2).reshape(b * n, -1, signals, cells, a),
        available=np.broadcast_to(available[:, :, None], (b, n, cells, a)).reshape(b * n, cells, a),
        table_id=np.arange(b * n, dtype=np.int64),
        resolution=market.resolution,
    )


def _indifferent(market: Market) -> np.ndarray:
    """The components, zero where the weight is."""
    components, cares = np.asarray(market.components), np.asarray(market.weights) > 0
    return components if cares.all() else np.where(cares[..., None, None], components, 0)


def _summed(market: Market, utilities: np.ndarray, row: np.ndarray, cells: int) -> np.ndarray:
    """`[B, ..., cells, A]`: prior weight times utility, summed over the states of every cell."""
    prior = np.asarray(market.prior).reshape(len(market), *[1] * (utilities.ndim - 3), -1, 1)
    into = (row[:, None] == np.arange(cells)).astype(np.int64)
    return np.einsum("...xa,xc->...ca", utilities * prior, into)
