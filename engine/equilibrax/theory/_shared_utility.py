"""The shared benchmark u_i(C*_S,T): what a user has from rules that every provider of a committee could implement.

A T-shared rule depends on a common garbling z of what the members of T observe (2602.13451, Definitions 2.8 to 2.12);
the best one is what a perfectly aligned provider would do who knows only what all members know. `common_garbling` has
the linear program and says what is assumed about the user's own information. Most committees do not need it:

- A member who sees more than another one (a finer partition) can do whatever the other can, so only the members whose
  partitions are coarsest matter. If that is one partition, the best rule reveals it.
- If what these members see is a function of the outcome and of what the user sees, z has one law on every cell of
  every one of them, so on every cell of the finest partition that is coarser than all of theirs (what is common
  knowledge among them). The best rule reveals that: for independent coordinates, those that all of them see.

Rounds and messages do not matter here: one message that tells z is enough, and no rule tells more.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Literal, NamedTuple, get_args

import numpy as np
from jaxtyping import Bool, Float, Int

from equilibrax._core.checks import as_classes, check_choice, check_whole, expect
from equilibrax._core.committees import committee_masks
from equilibrax._core.partitions import all_partitions
from equilibrax._core.status import SolveError
from equilibrax.fits.chebyshev import TOLERANCE
from equilibrax.problems.market import Market
from equilibrax.theory._common_garbling import MESSAGE_LIMIT, Garbling, cells, common_garbling
from equilibrax.theory._market_alignment import extent

_CELLS = 8  # 4,140 partitions

RESIDUAL = 1e-12
"""Largest difference between the laws of two providers' messages in a certified benchmark."""

SharedRules = Literal["obedience", "delegation"]


@dataclass(frozen=True)
class SharedUtility:
    """Benchmarks of B markets, C committees T and N users.

    Attributes:
        utility: `[B, C, N]` u_i(C*_S,T), attained by explicit maps of all members.
        partitions: `[B, C, N]` the same for members who may not randomize, as in the finite games: the best of the
            partitions that all can post with the same joint law with (y, x_U). No more than `utility`. If a member sees
            more than 8 cells, `public`.
        public: `[B, C, N]` what the user has if all that is common knowledge among the members is revealed. No more
            than `partitions`, and the same except for accidents of the prior.
        gap: `[B, C, N]` the proved upper bound minus `utility`; 0 where there is a closed form.
        residual: `[B, C, N]` largest difference between the laws of the members' messages; 0 in closed form.
        certified: `[B, C, N]` whether the gap is within 1e-9 times the range of the user's utilities, and the residual
            within 1e-12.
        public_rule: `[C, X]` labels, what is common knowledge among the members.
        committees: `[C]` bitmasks.
        garblings: the solutions of the linear programs, by (market, committee, user).
        solved: how many different programs there were.
    """

    utility: Float[np.ndarray, "B C N"]
    partitions: Float[np.ndarray, "B C N"]
    public: Float[np.ndarray, "B C N"]
    gap: Float[np.ndarray, "B C N"]
    residual: Float[np.ndarray, "B C N"]
    certified: Bool[np.ndarray, "B C N"]
    public_rule: Int[np.ndarray, "C X"]
    committees: Int[np.ndarray, " C"]
    garblings: Mapping[tuple[int, int, int], Garbling] = field(repr=False)
    solved: int = 0


def shared_utility(
    market: Market,
    committees: Literal["all"] | Sequence[int] = "all",
    *,
    rules: SharedRules = "obedience",
    message_limit: int = MESSAGE_LIMIT,
    throw: bool = True,
) -> SharedUtility:
    """u_i(C*_S,T) for every user and committee T (2602.13451, Definitions 2.8 to 2.12), with certificates.

    Args:
        market: B markets, separable or general. Worlds of one outcome (`state_of`) must have the same users' utilities.
        committees: "all" 2**K - 1, or a list of bitmasks.
        rules: "obedience": users combine a message with what they observe. "delegation": they do what it says.
        message_limit: most messages of a program: actions to the power of the number of the user's signals.
        throw: raise if a benchmark is not certified (otherwise `certified` says so).

    Returns:
        A `SharedUtility`.

    Raises:
        ValueError: on an unknown option, a mask outside 1..2**K - 1, utilities that vary within an outcome, or more
            messages than the limit.
        SolveError: with `throw`, if a benchmark is not certified.

    Example:
        >>> import equilibrax as eq
        >>> match = [[1, 0, 0, 0], [0, 1, 0, 0], [0, 0, 1, 0], [0, 0, 0, 1]]
        >>> market = eq.separable_market(  # states are two bits; the providers see the first, the second, both
        ...     [match], [[match]] * 3, [[1]] * 3, provider_sees=[[0, 0, 1, 1], [0, 1, 0, 1], [0, 1, 2, 3]]
        ... )
        >>> eq.theory.shared_utility(market, [0b001, 0b011, 0b100, 0b101]).utility[0, :, 0].tolist()
        [0.5, 0.25, 1.0, 0.5]
    """
    market = expect("market", market, Market)
    check_choice("rules", rules, get_args(SharedRules))
    check_whole("message_limit", message_limit, 1)
    masks = committee_masks(committees, market.num_providers)
    _check_outcomes(market)
    sights = [_sight(market, i, rules) for i in range(market.users)]
    seen = [_coarsest(market.provider_sees, int(mask)) for mask in masks]
    found = {(rows, i): _benchmark(sight, rows, message_limit) for rows in set(seen) for i, sight in enumerate(sights)}

    def by_committee(name: str) -> Float[np.ndarray, "B C N"]:
        every = [[getattr(found[rows, i], name) for i in range(market.users)] for rows in seen]
        return np.moveaxis(np.array(every), 2, 0)

    utility, partitions, public, gap, residual = map(by_committee, _Benchmark._fields[:-1])
    garblings = {
        (b, c, i): garbling
        for c, rows in enumerate(seen)
        for i in range(market.users)
        for b, garbling in enumerate(found[rows, i].garblings)
    }
    exists = np.broadcast_to(np.asarray(market.available)[:, :, None], market.user.shape)
    allowed = TOLERANCE * extent(np.asarray(market.user), exists, axis=(2, 3)) / market.resolution
    certified = (gap <= allowed[:, None]) & (residual <= RESIDUAL)
    if throw and not certified.all():
        b, c, i = np.argwhere(~certified)[0].tolist()
        raise SolveError(
            f"{int((~certified).sum())} of {certified.size} benchmarks are not certified; the first is market "
            f"{int(np.asarray(market.market_id)[b])}, committee {int(masks[c])}, user {i}; throw=False returns the rest"
        )
    return SharedUtility(
        utility=utility,
        partitions=partitions,
        public=public,
        gap=gap,
        residual=residual,
        certified=certified,
        public_rule=np.array([_common_knowledge(rows) for rows in seen]),
        committees=masks,
        garblings=garblings,
        solved=sum(len(one.garblings) for one in found.values()),
    )


def revealed_utility(market: Market, labels: Any) -> Float[np.ndarray, "B N"]:
    """Every user's expected utility if she observes a partition besides what she knows, and then does her best.

    Args:
        market: B markets.
        labels: `[X]` labels of the partition.

    Raises:
        ValueError: if there is not one label for each state.

    Example:
        >>> import equilibrax as eq
        >>> market = eq.separable_market([[[1, 0], [0, 1]]], [[[[1, 0], [1, 0]]]], [[1]])
        >>> eq.theory.revealed_utility(market, [0, 0]).tolist(), eq.theory.revealed_utility(market, [0, 1]).tolist()
        ([[0.5]], [[1.0]])
    """
    market, rule = expect("market", market, Market), as_classes("labels", labels)
    if rule.shape != (market.states,):
        raise ValueError(f"labels: expected {market.states} labels, got shape {list(rule.shape)}")
    sights = (_sight(market, i, "obedience") for i in range(market.users))
    return np.stack([_value(sight, rule) / sight.scale for sight in sights], axis=1)


class _Sight(NamedTuple):
    """One user of B markets: what she wants and what she sees."""

    utility: Int[np.ndarray, "B X A"]
    available: Bool[np.ndarray, "B A"]
    prior: Int[np.ndarray, "B X"]
    own: Int[np.ndarray, " X"]  # labels of what she observes and uses
    outcome: Int[np.ndarray, " X"]
    resolution: int
    scale: Int[np.ndarray, " B"]

    @property
    def state(self) -> Int[np.ndarray, " X"]:
        """y' = (y, x_U)."""
        return cells(cells(self.outcome) * len(self.own) + self.own)


class _Benchmark(NamedTuple):
    """One user's benchmarks in B markets, as in `SharedUtility`, with `Garbling`s where there is no closed form."""

    utility: Float[np.ndarray, " B"]
    partitions: Float[np.ndarray, " B"]
    public: Float[np.ndarray, " B"]
    gap: Float[np.ndarray, " B"]
    residual: Float[np.ndarray, " B"]
    garblings: Sequence[Garbling]


def _sight(market: Market, i: int, rules: SharedRules) -> _Sight:
    user, available, prior = (np.asarray(a) for a in (market.user, market.available, market.prior))
    own = cells(market.user_sees[i]) if rules == "obedience" else np.zeros(market.states, int)
    outcome = np.asarray(market.state_of)
    return _Sight(user[:, i], available[:, i], prior, own, outcome, market.resolution, np.asarray(market.scale))


def _benchmark(sight: _Sight, rows: tuple[tuple[int, ...], ...], message_limit: int) -> _Benchmark:
    """What members of the partitions `rows`, none coarser than another, can share with a user."""
    public, nothing = _value(sight, _common_knowledge(rows)) / sight.scale, np.zeros(len(sight.scale))
    if len(rows) == 1 or all(_refines(sight.state, np.asarray(row)) for row in rows):
        return _Benchmark(public, public, public, nothing, nothing, ())
    real = np.where(sight.available[:, None], sight.utility / sight.resolution, -np.inf)
    given: dict[str, Any] = {"outcome": sight.outcome, "user_sees": sight.own, "message_limit": message_limit}
    found = [common_garbling(own, rows, prior=prior, **given) for own, prior in zip(real, sight.prior)]
    partitions = np.maximum(_by_partitions(sight, rows) / sight.scale, public)
    randomized = np.array([one.utility for one in found])
    utility = np.maximum(randomized, partitions)
    return _Benchmark(
        utility=utility,
        partitions=partitions,
        public=public,
        gap=np.maximum([one.upper for one in found] - utility, 0.0),
        residual=np.where(randomized > partitions, [one.residual for one in found], 0.0),
        garblings=found,
    )


def _value(sight: _Sight, labels: np.ndarray) -> Int[np.ndarray, " B"]:
    """Exact values of a user who acts upon the cells of a partition and upon what she sees."""
    known = cells(cells(labels) * len(sight.own) + sight.own)
    within = (known == np.arange(known.max() + 1)[:, None]).astype(np.int64)  # [cells, X]
    sums = np.einsum("cx,bx,bxa->bca", within, sight.prior.astype(np.int64), sight.utility.astype(np.int64))
    return np.where(sight.available[:, None], sums, np.iinfo(np.int64).min).max(axis=2).sum(axis=1)


def _by_partitions(sight: _Sight, rows: Sequence[Sequence[int]]) -> Int[np.ndarray, " B"]:
    """The best value of a partition that all can post with one joint law with y'; nothing, of too many partitions."""
    best = np.full(len(sight.prior), np.iinfo(np.int64).min)
    if max(max(row) for row in rows) >= _CELLS:
        return best
    state = sight.state
    for b, prior in enumerate(sight.prior):
        laws: list[dict[tuple, np.ndarray]] = []
        for row in rows:
            of_row = {}
            for rule in all_partitions(max(row) + 1)[:, list(row)]:
                law = np.zeros((rule.max() + 1, state.max() + 1), np.int64)
                np.add.at(law, (rule, state), prior)
                of_row[tuple(sorted(map(tuple, law.tolist())))] = rule
            laws.append(of_row)
        shared = [rule for law, rule in laws[0].items() if all(law in others for others in laws[1:])]
        alone = sight._replace(utility=sight.utility[[b]], available=sight.available[[b]], prior=sight.prior[[b]])
        best[b] = max(int(_value(alone, rule)[0]) for rule in shared)
    return best


def _coarsest(provider_sees: Sequence[Sequence[int]], mask: int) -> tuple[tuple[int, ...], ...]:
    """The different partitions of a committee's members that are no finer than another member's."""
    members = sorted({tuple(cells(row).tolist()) for j, row in enumerate(provider_sees) if mask >> j & 1})
    return tuple(
        row for row in members if not any(o != row and _refines(np.asarray(row), np.asarray(o)) for o in members)
    )


def _refines(fine: np.ndarray, coarse: np.ndarray) -> bool:
    """Whether every cell of the one lies in a cell of the other."""
    return len(np.unique(np.stack([fine, coarse]), axis=1).T) == len(np.unique(fine))


def _common_knowledge(rows: Sequence[Sequence[int]]) -> Int[np.ndarray, " X"]:
    """The finest partition that is coarser than all: connected components of states that someone cannot tell apart."""
    labels = np.arange(len(rows[0]))
    changed = True
    while changed:
        before = labels.copy()
        for row in rows:
            lowest = np.full(max(row) + 1, len(labels))
            np.minimum.at(lowest, np.asarray(row), labels)
            labels = lowest[np.asarray(row)]
        changed = bool((labels != before).any())
    return cells(labels)


def _check_outcomes(market: Market) -> None:
    user, number = np.asarray(market.user), cells(market.state_of)
    first = np.unique(number, return_index=True)[1][number]
    same = (user == user[:, :, first]) | ~np.asarray(market.available)[:, :, None]
    if not same.all():
        b, i, x = np.argwhere(~same.all(axis=3))[0].tolist()
        raise ValueError(
            f"state_of: expected utilities that depend on the outcome alone, got different ones of user {i} in states "
            f"{int(first[x])} and {x} of market {b}"
        )
