"""The one-sender persuasion problem as a linear program: a primal simplex that starts from full revelation.

A provider who is heard alone recommends something to the user; without loss of generality what she will do for each of
her signals, a plan s. With `pi(s|x)` the chance of recommending s in state x (2509.15090, Definition 19; Kamenica and
Gentzkow 2011):

    maximize  sum_{x, s} pi(s|x) c(x, s)     subject to   pi >= 0,   sum_s pi(s|x) = 1 for every x,
              sum_x pi(s|x) g(x; s, z, b) >= 0 for every plan s, signal z and action b   (obedience)

where c(x, s) is the provider's contribution if the user follows s, and g the user's from doing s_z rather than b after
signal z. Ties go to the recommended action. For any multipliers `m(s, z, b) >= 0`,

    bound = sum_x max_s [ c(x, s) + sum_{z, b} m(s, z, b) g(x; s, z, b) ]

is at least the optimum, so a rule carries its own proof: obedience up to `violation`, and `bound - value`.

Full revelation is a vertex, so there is no search for a feasible one. From an optimal vertex the simplex goes on along
the optimal face (variables of reduced cost zero only): first as far away from this vertex as it can, which is nowhere
iff the optimum is unique; then to the rule that is best (or worst) for the user.

Letters: Z signals, X states, A actions, S plans (for Z = 1 the actions themselves), N = X S columns, M = X + S Z A
rows. Needs `jax.enable_x64(True)`.
"""

from __future__ import annotations

from typing import NamedTuple

import chex
import jax.numpy as jnp
from jax import lax
from jaxtyping import Array, Bool, Float, Int

_RATE = 1e-11  # entries closer to zero than this (unit scale) are no pivots and do not improve anything
_FACE = 1e-9  # reduced costs closer to zero than this (unit scale) are zero: the variable may be part of an optimum
_TIE = 1e-12
_CAUTION = 12  # pivots in a row that improve nothing before Bland's rule takes over

OPTIMAL, ITERATION_LIMIT = 0, 1


class PersuasionRule(NamedTuple):
    """A rule and the proof of how good it is, in the units of the contributions given.

    Attributes:
        rule: `[X, S]` chances of plans, each row a distribution.
        multipliers: `[S, Z, A]` of the obedience constraints, not negative.
        value: the provider's value if the user obeys.
        bound: what no rule exceeds, by the multipliers.
        violation: by how much the user would gain from disobeying some recommendation, at most; 0 if obedient.
        user_value: the user's value if she obeys.
        unique: whether no other rule is optimal (up to `_FACE`).
        iterations: int32 pivots.
        status: int32, OPTIMAL or ITERATION_LIMIT.
    """

    rule: Float[Array, "X S"]
    multipliers: Float[Array, "S Z A"]
    value: Float[Array, ""]
    bound: Float[Array, ""]
    violation: Float[Array, ""]
    user_value: Float[Array, ""]
    unique: Bool[Array, ""]
    iterations: Int[Array, ""]
    status: Int[Array, ""]


class _Problem(NamedTuple):
    provider: Float[Array, "X S"]
    user: Float[Array, "X S"]
    gain: Float[Array, "X S Z A"]
    exists: Bool[Array, "X S"]


class _State(NamedTuple):
    table: Float[Array, "M N"]  # basic variables are `right - table @ (the others)`
    right: Float[Array, " M"]
    costs: Float[Array, "3 N"]  # reduced costs of the provider's value, of distance from a vertex, of the user's value
    rows: Int[Array, " M"]  # ids of basic variables: x S + s for pi(s|x), N + r for the slack of obedience r
    columns: Int[Array, " N"]  # ids of the others; -1 for columns that stay out
    phase: Int[Array, ""]
    moved: Float[Array, ""]  # distance gone in phase 1
    stalled: Int[Array, ""]
    iterations: Int[Array, ""]


def persuasion_rule(
    user: Float[Array, "Z X A"],
    provider: Float[Array, "Z X A"],
    available: Bool[Array, "X A"],
    plans: Int[Array, "S Z"],
    ties: Float[Array, ""],
    iteration_limit: Int[Array, ""],
    allowed: Bool[Array, " S"] | None = None,
) -> PersuasionRule:
    """An optimal rule of one provider heard alone.

    Args:
        user: `[Z, X, A]` the user's contributions.
        provider: `[Z, X, A]` the provider's contributions.
        available: `[X, A]`; two states must have the same actions or none in common.
        plans: `[S, Z]` the action of every plan for every signal.
        ties: of several optimal rules, take one that gives the user most (1.0) or least (-1.0).
        iteration_limit: pivots before giving up with ITERATION_LIMIT (the rule is still obedient).
        allowed: `[S]` plans that may be recommended at all, among them a best one for every state; None is all.
    """
    problem = _problem(user, provider, available, plans, allowed)
    swing, unit, row_unit = _units(problem)
    state = _full_revelation(problem, swing, unit, row_unit, ties)
    state = lax.while_loop(
        lambda s: (s.phase < 3) & (s.iterations < iteration_limit), lambda s: _pivot(s, problem.exists.size), state
    )
    x, s = problem.exists.shape
    solution = jnp.zeros(x * s + state.rows.size - x).at[state.rows].set(state.right)
    prices = (
        jnp.zeros(x * s + state.rows.size - x)
        .at[state.columns]
        .add(jnp.where(state.columns >= 0, jnp.maximum(-state.costs[0], 0.0), 0.0))
    )
    multipliers = prices[x * s :].reshape(row_unit.shape) * swing / row_unit
    result = _certified(problem, solution[: x * s].reshape(x, s), multipliers)
    return result._replace(
        unique=(state.phase >= 2) & (state.moved <= _FACE),
        iterations=state.iterations,
        status=jnp.where(state.phase < 3, ITERATION_LIMIT, OPTIMAL).astype(jnp.int32),
    )


def certified_rule(
    user: Float[Array, "Z X A"],
    provider: Float[Array, "Z X A"],
    available: Bool[Array, "X A"],
    plans: Int[Array, "S Z"],
    rule: Float[Array, "X S"],
    multipliers: Float[Array, "S Z A"],
    allowed: Bool[Array, " S"] | None = None,
) -> PersuasionRule:
    """What a rule is worth and what multipliers prove about it, whoever found them.

    Args:
        user, provider, available, plans, allowed: as for `persuasion_rule`.
        rule: `[X, S]`; negative chances are set to zero and rows divided by their sums.
        multipliers: `[S, Z, A]`; negative ones are set to zero.
    """
    return _certified(_problem(user, provider, available, plans, allowed), rule, multipliers)


def _problem(user, provider, available, plans, allowed) -> _Problem:
    chex.assert_equal_shape([user, provider])
    chex.assert_shape(available, user.shape[1:])
    chex.assert_shape(plans, (None, len(user)))
    signals = jnp.arange(plans.shape[1])
    followed = user[signals, :, plans]  # [S, Z, X]
    exists = available[:, plans].all(axis=2)
    exists = exists if allowed is None else exists & allowed
    # What she would do anyway gains her nothing, exactly: where a compiler fuses these subtractions with what comes
    # before, they can leave a rounding error, which `_units` would blow up to a constraint of its own.
    other = plans[..., None] != jnp.arange(user.shape[2])  # [S, Z, A]
    gain = jnp.moveaxis(followed[..., None] - user[None], 2, 0)  # [X, S, Z, A]
    return _Problem(
        provider=jnp.where(exists, provider[signals, :, plans].sum(axis=1).T, 0.0),
        user=jnp.where(exists, followed.sum(axis=1).T, 0.0),
        gain=jnp.where(exists[:, :, None, None] & available[:, None, None] & other, gain, 0.0),
        exists=exists,
    )


def _units(problem: _Problem):
    """Scales of the provider's value, of the user's, and of every obedience constraint."""

    def or_one(scale):
        return jnp.where(scale > 0, scale, 1.0)

    def range_of(values):
        high = jnp.where(problem.exists, values, -jnp.inf).max(axis=1)
        return or_one((high - jnp.where(problem.exists, values, jnp.inf).min(axis=1)).max())

    return range_of(problem.provider), range_of(problem.user), or_one(jnp.abs(problem.gain).max(axis=0))


def _full_revelation(problem: _Problem, swing, unit, row_unit, ties) -> _State:
    x, s = problem.exists.shape
    best = jnp.argmax(jnp.where(problem.exists, problem.user, -jnp.inf), axis=1)
    told = jnp.arange(s) == best[:, None]  # [X, S]
    gain = (problem.gain / row_unit).reshape(x, s, -1)  # [X, S, Z A]
    own = jnp.where(told[..., None], gain, 0.0)

    # pi(told|x) = 1 - sum of the others; a slack is what is told, less what the others of the state take away from it,
    # and plus what the others of its own plan bring.
    states = jnp.repeat(jnp.eye(x)[:, :, None], s, axis=2)  # [X, X, S]
    takes = jnp.broadcast_to(jnp.moveaxis(own, 0, -1)[..., None], (s, gain.shape[2], x, s))
    brings = jnp.moveaxis(jnp.where(told[..., None], 0.0, gain), 0, -1)[..., None] * jnp.eye(s)[:, None, None]
    table = jnp.concatenate([states.reshape(x, x * s), (takes - brings).reshape(-1, x * s)])
    right = jnp.concatenate([jnp.ones(x), jnp.maximum(own.sum(axis=0).reshape(-1), 0.0)])

    open_ = (problem.exists & ~told).reshape(-1)
    provider, user = problem.provider / swing, problem.user / unit * ties

    def reduced(values):
        return jnp.where(open_, (values - jnp.where(told, values, 0.0).sum(axis=1, keepdims=True)).reshape(-1), 0.0)

    places = jnp.arange(x * s, dtype=jnp.int32)
    zero = jnp.zeros((), jnp.int32)
    slacks = x * s + jnp.arange(table.shape[0] - x, dtype=jnp.int32)
    return _State(
        table=jnp.where(open_, table, 0.0),
        right=right,
        costs=jnp.stack([reduced(provider), jnp.zeros(x * s), reduced(user)]),
        rows=jnp.concatenate([places.reshape(x, s)[jnp.arange(x), best], slacks]),
        columns=jnp.where(open_, places, -1),
        phase=zero,
        moved=jnp.zeros(()),
        stalled=zero,
        iterations=zero,
    )


def _pivot(state: _State, chances: int) -> _State:
    """One step along an edge that improves the phase's objective, or on to the next phase."""
    far = jnp.int32(2**30)
    cautious = state.stalled > _CAUTION
    cost = state.costs[state.phase]
    on_face = (state.phase == 0) | (state.costs[0] >= -_FACE)
    improving = (cost > _RATE) & (state.columns >= 0) & on_face
    by_id = jnp.argmin(jnp.where(improving, state.columns, far))
    column = jnp.where(cautious, by_id, jnp.argmax(jnp.where(improving, cost, 0.0)))
    going = improving.any() & ((state.phase != 1) | (state.moved <= _FACE))

    direction = state.table[:, column]
    blocking = direction > _RATE
    reach = jnp.where(blocking, state.right / jnp.where(blocking, direction, 1.0), jnp.inf)
    step = reach.min()
    tied = blocking & (reach <= step + _TIE)
    row = jnp.where(cautious, jnp.argmin(jnp.where(tied, state.rows, far)), jnp.argmax(jnp.where(tied, direction, 0.0)))
    step = jnp.where(jnp.isfinite(step), step, 0.0)

    pivot = direction[row]
    leaving = state.table[row] / pivot
    at_column = jnp.arange(state.columns.size) == column
    at_row = jnp.arange(state.rows.size) == row
    swapped = jnp.where(at_column, 1 / pivot, leaving)

    def eliminate(lines, factors):
        return jnp.where(at_column, 0.0, lines) - factors[:, None] * swapped

    table = jnp.where(at_row[:, None], swapped, eliminate(state.table, direction))
    right = jnp.maximum(jnp.where(at_row, step, state.right - step * direction), 0.0)
    moved_on = _State(
        table=table,
        right=right,
        costs=eliminate(state.costs, state.costs[:, column]),
        rows=jnp.where(at_row, state.columns[column], state.rows),
        columns=jnp.where(at_column, state.rows[row], state.columns),
        phase=state.phase,
        moved=state.moved + jnp.where(state.phase == 1, step * cost[column], 0.0),
        stalled=jnp.where(step * cost[column] > 1e-13, 0, state.stalled + 1),
        iterations=state.iterations + 1,
    )
    away = jnp.where((state.columns >= 0) & (state.costs[0] >= -_FACE), 1.0, 0.0)
    next_phase = state._replace(
        phase=state.phase + 1,
        stalled=jnp.zeros_like(state.stalled),
        costs=jnp.where(state.phase == 0, state.costs.at[1].set(away), state.costs),
    )
    return _choose(going & blocking.any(), moved_on, next_phase)


def _choose(condition, yes: _State, no: _State) -> _State:
    return _State(*(jnp.where(condition, a, b) for a, b in zip(yes, no)))


def _certified(problem: _Problem, rule, multipliers) -> PersuasionRule:
    rule = jnp.where(problem.exists, rule, 0.0)
    rule = jnp.where(rule > _TIE, rule, 0.0)
    rule = rule / rule.sum(axis=1, keepdims=True)
    multipliers = jnp.maximum(multipliers, 0.0)
    worth = problem.provider + jnp.einsum("szb,xszb->xs", multipliers, problem.gain)
    nothing = jnp.zeros((), jnp.int32)
    return PersuasionRule(
        rule=rule,
        multipliers=multipliers,
        value=(rule * problem.provider).sum(),
        bound=jnp.where(problem.exists, worth, -jnp.inf).max(axis=1).sum(),
        violation=jnp.maximum(-jnp.einsum("xs,xszb->szb", rule, problem.gain).min(), 0.0),
        user_value=(rule * problem.user).sum(),
        unique=jnp.zeros((), bool),
        iterations=nothing,
        status=nothing,
    )


def combined_value(
    user: Float[Array, "Z X A"], missing: Float[Array, "X A"], rules: Float[Array, "J X S"]
) -> Float[Array, ""]:
    """The user's value when she hears J providers at once, each drawing its message independently given the state.

    Args:
        user: `[Z, X, A]` contributions.
        missing: `[X, A]` 1 for actions that do not exist in a state, else 0.
        rules: `[J, X, S]` chances of messages. All S^J tuples of messages are summed over.
    """
    chance = jnp.ones((1, user.shape[1]))
    for rule in rules:
        chance = (chance[:, None] * rule.T).reshape(-1, user.shape[1])
    impossible = chance @ missing > 0
    return jnp.where(impossible[:, None], -jnp.inf, jnp.einsum("tx,zxa->tza", chance, user)).max(axis=2).sum()


def refined_value(
    user: Int[Array, "Z X A"],
    available: Bool[Array, "X A"],
    labels: Int[Array, "K X"],
    member: Bool[Array, " K"],
) -> Int[Array, ""]:
    """The user's value when members of a committee each tell the cell of their partition. Exact.

    Args:
        user: `[Z, X, A]` integer contributions.
        available: `[X, A]`; some action must exist in all states of each common cell.
        labels: `[K, X]` a partition per provider.
        member: `[K]` who is heard.
    """
    together = ((labels[:, :, None] == labels[:, None, :]) | ~member[:, None, None]).all(axis=0)  # [X, X]
    first = jnp.argmax(together, axis=1) == jnp.arange(len(together))
    inside = together.astype(user.dtype)
    sums = jnp.einsum("xy,zya->zxa", inside, user)
    exists = (inside @ (~available).astype(user.dtype)) == 0
    best = jnp.where(exists, sums, jnp.iinfo(user.dtype).min).max(axis=2)
    return jnp.where(first, best, 0).sum()
