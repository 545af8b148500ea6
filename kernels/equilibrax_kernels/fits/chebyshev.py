"""The misalignment score: a Chebyshev fit of the user's utility by providers' utilities, many at a time.

For outcomes r (an action in a state), utilities u_0(r) of the user and u_j(r) of the providers, a set U of outcomes
that bound the fit from above and a set L that bound it from below (2509.15090, Definition 1 and Remark 5):

    minimize eps over w >= 0, c, eps >= 0    subject to    w.u(r) + c <= u_0(r) + eps   for r in U
                                                           w.u(r) + c >= u_0(r) - eps   for r in L

optionally with `sum w = 1`. With residuals d = u_0 - w.u this is `eps = max(0, max_L d - min_U d) / 2`, so every w has
its own exact eps and the primal is feasible by construction. The dual is a pair of measures, lambda on L and mu on U,
of equal mass theta <= 1/2 with E_lambda[u_j] <= E_mu[u_j] for every provider, and `eps >= E_lambda[u_0] - E_mu[u_0]`.

The solver is a primal simplex on the K + 2 variables with an explicit basis inverse: the basis is tiny, so one pivot
costs about two passes over the outcomes. Unlike the other kernels it takes its batch, the lanes, as the last axis: with
K around 5 only the lanes are long enough to fill vector registers, which is worth a factor of about ten on a CPU.

Letters: K providers, R outcomes, N = K + 2 basic constraints, L lanes. Needs `jax.enable_x64(True)`.
"""

from __future__ import annotations

from typing import NamedTuple

import chex
import jax.numpy as jnp
from jax import lax, tree
from jaxtyping import Array, Bool, Float, Int

OPTIMAL, ITERATION_LIMIT = 0, 1

_PIVOT = 1e-11  # rates and multipliers closer to zero than this (unit scale) count as zero
_TIE = 1e-12
_BLOCKS = 4  # of lanes that are left after the first pivots; more blocks are too narrow to vectorize well


class Fit(NamedTuple):
    """Per lane, a fit and the proof of how good it is.

    Attributes:
        eps: `[L]` misalignment of the weights found; attained exactly, so an upper bound on the minimum.
        weights: `[K, L]` non-negative; zero for providers that take no part.
        offset: `[L]` c.
        lower: `[R, L]` multipliers lambda on the outcomes of L.
        upper: `[R, L]` multipliers mu on the outcomes of U, with the same sum as lambda, at most 1/2.
        gap: `[L]` eps minus the lower bound that the multipliers prove.
        violation: `[L]` largest E_lambda[u_j] - E_mu[u_j] for measures of mass one, each in units of provider j's own
            range on the outcomes; zero for exact dual feasibility (and for `simplex`).
        iterations: `[L]` int32 pivots.
        status: `[L]` int32, OPTIMAL or ITERATION_LIMIT.
    """

    eps: Float[Array, " L"]
    weights: Float[Array, "K L"]
    offset: Float[Array, " L"]
    lower: Float[Array, "R L"]
    upper: Float[Array, "R L"]
    gap: Float[Array, " L"]
    violation: Float[Array, " L"]
    iterations: Int[Array, " L"]
    status: Int[Array, " L"]


class _Problem(NamedTuple):
    """Data in unit scale. Constraint ids: w_j >= 0 is j, eps >= 0 is K, outcome r of U is K+1+r, of L is K+1+R+r."""

    user: Float[Array, "R L"]
    providers: Float[Array, "K R L"]
    above: Bool[Array, "R L"]
    below: Bool[Array, "R L"]
    member: Bool[Array, "K L"]


class _Units(NamedTuple):
    """How unit scale relates to the utilities given: `user = user_shift + unit * scaled` and so on."""

    unit: Float[Array, " L"]
    user_shift: Float[Array, " L"]
    spread: Float[Array, "K L"]
    shift: Float[Array, "K L"]


class _State(NamedTuple):
    inverse: Float[Array, "N N L"]  # column k: how (w, c, eps) moves per unit of slack of basic constraint k
    basis: Int[Array, "N L"]  # ids of the basic constraints; -1 for those that never leave
    weights: Float[Array, "K L"]
    offset: Float[Array, " L"]
    eps: Float[Array, " L"]
    residual: Float[Array, "R L"]
    stalled: Int[Array, " L"]  # pivots in a row that did not lower eps
    iterations: Int[Array, " L"]
    running: Bool[Array, " L"]


class _End(NamedTuple):
    """What is wanted of the last state."""

    basis: Int[Array, "N L"]
    duals: Float[Array, "N L"]  # the eps row of the inverse
    weights: Float[Array, "K L"]
    iterations: Int[Array, " L"]
    running: Bool[Array, " L"]


def misalignment_lanes(
    user: Float[Array, "R L"],
    providers: Float[Array, "K R L"],
    above: Bool[Array, "R L"],
    below: Bool[Array, "R L"],
    member: Bool[Array, "K L"],
    *,
    simplex: bool,
    iteration_limit: int,
) -> Fit:
    """Fit every lane.

    Args:
        user: `[R, L]` utilities of the user.
        providers: `[K, R, L]` utilities of the providers.
        above: `[R, L]` outcomes in U; at least one per lane.
        below: `[R, L]` outcomes in L; at least one per lane.
        member: `[K, L]` providers that take part; at least one per lane if `simplex`.
        simplex: whether the weights sum to one.
        iteration_limit: pivots before a lane gives up with ITERATION_LIMIT (its fit is still feasible).
    """
    problem, units = _to_unit_scale(user, providers, above, below, member, simplex)
    # Most lanes are done after about K pivots. Those that are not are then brought together, so that the others do not
    # have to be carried along.
    state = _pivots(problem, _start(problem, simplex), min(max(4, providers.shape[0]), iteration_limit))
    end = _stragglers(problem, state, iteration_limit)
    lower, upper = _multipliers(problem, end)
    return _certified(problem, units, end.weights, lower, upper, simplex)._replace(
        iterations=end.iterations,
        status=jnp.where(end.running, ITERATION_LIMIT, OPTIMAL).astype(jnp.int32),
    )


def certified_fit(
    user: Float[Array, "R L"],
    providers: Float[Array, "K R L"],
    above: Bool[Array, "R L"],
    below: Bool[Array, "R L"],
    member: Bool[Array, "K L"],
    weights: Float[Array, "K L"],
    lower: Float[Array, "R L"],
    upper: Float[Array, "R L"],
    *,
    simplex: bool,
) -> Fit:
    """The fit with given weights and what given multipliers prove about it, whoever found them.

    Args:
        user, providers, above, below, member, simplex: as for `misalignment_lanes`.
        weights: `[K, L]`; negative ones are set to zero.
        lower, upper: `[R, L]` multipliers on the outcomes of L and U; negative ones are set to zero and the masses
            brought to the same value.
    """
    problem, units = _to_unit_scale(user, providers, above, below, member, simplex)
    return _certified(problem, units, weights * units.spread / units.unit, lower, upper, simplex)


def _certified(problem: _Problem, units: _Units, weights, lower, upper, simplex: bool) -> Fit:
    weights = jnp.maximum(weights, 0.0) * problem.member
    if simplex:
        weights = weights / weights.sum(axis=0)
    eps, offset = _best_offset(problem, weights)
    # eps >= 0 is a constraint: where the fit is exact, zero multipliers already prove it optimal.
    lower, upper = (jnp.where(eps <= _PIVOT, 0.0, m) for m in _equal_mass(problem, lower, upper))
    gap, violation = _certificate(problem, weights, eps, lower, upper, simplex)
    weights = weights * units.unit / units.spread
    shift = units.user_shift - jnp.sum(weights * units.shift, axis=0)
    nothing = jnp.zeros(eps.shape, jnp.int32)
    return Fit(
        eps=eps * units.unit,
        weights=weights,
        offset=offset * units.unit + shift,
        lower=lower,
        upper=upper,
        gap=gap * units.unit,
        violation=violation,
        iterations=nothing,
        status=nothing,
    )


def _to_unit_scale(user, providers, above, below, member, simplex: bool):
    """Shift and scale so that the user's utilities on the rows lie in [0, 1]; offsets are absorbed by c.

    Without the simplex constraint every provider can have a scale of its own, absorbed by its weight.
    """
    chex.assert_shape([user, above, below], providers.shape[1:])
    chex.assert_shape(member, (*providers.shape[:1], *providers.shape[2:]))
    rows = above | below

    def extent(values):
        low = jnp.min(jnp.where(rows, values, jnp.inf), axis=-2)
        high = jnp.max(jnp.where(rows, values, -jnp.inf), axis=-2)
        return low, jnp.where(high > low, high - low, 1.0)

    user_shift, unit = extent(user)
    shift, spread = extent(providers)
    if simplex:
        spread = jnp.broadcast_to(unit, spread.shape)
    problem = _Problem(
        user=jnp.where(rows, (user - user_shift) / unit, 0.0),
        providers=jnp.where(rows, (providers - shift[:, None]) / spread[:, None], 0.0),
        above=above,
        below=below,
        member=member,
    )
    return problem, _Units(unit, user_shift, spread, shift)


def _first_where(mask: Bool[Array, "R L"]) -> Int[Array, " L"]:
    """Index of the first true entry along axis 0 (0 if there is none): two plain reductions, which vectorize."""
    rows = mask.shape[0]
    places = jnp.arange(rows, dtype=jnp.int32)[:, None]
    return jnp.min(jnp.where(mask, places, rows), axis=0) % rows


def _take(values: Float[Array, "... R L"], row: Int[Array, " L"]) -> Float[Array, "... L"]:
    """`values[..., row[l], l]`."""
    index = jnp.broadcast_to(row, (*values.shape[:-2], 1, row.shape[0]))
    return jnp.take_along_axis(values, index, axis=-2, mode="promise_in_bounds")[..., 0, :]


def _combine(weights: Float[Array, "K L"], values: Float[Array, "K ... L"]) -> Float[Array, "... L"]:
    """`sum_k weights[k] values[k]`, term by term: a reduction over a short first axis does not vectorize on a CPU."""
    total = jnp.zeros(values.shape[1:], values.dtype)
    for k in range(values.shape[0]):
        total = total + weights[k] * values[k]
    return total


def _extremes(problem: _Problem, residual: Float[Array, "R L"]):
    """Largest residual on L and smallest on U."""
    return (
        jnp.max(jnp.where(problem.below, residual, -jnp.inf), axis=0),
        jnp.min(jnp.where(problem.above, residual, jnp.inf), axis=0),
    )


def _best_offset(problem: _Problem, weights):
    """eps and c that are best for given weights."""
    residual = problem.user - _combine(weights, problem.providers)
    top, bottom = _extremes(problem, residual)
    return jnp.maximum(0.0, top - bottom) / 2, (top + bottom) / 2


def _start(problem: _Problem, simplex: bool) -> _State:
    """The vertex w = 0 (or, on the simplex, all weight on the provider that is best alone), with its basis inverse."""
    k, rows, lanes = problem.providers.shape
    eye = jnp.broadcast_to(jnp.eye(k)[:, :, None], (k, k, lanes))
    ids = jnp.broadcast_to(jnp.arange(k, dtype=jnp.int32)[:, None], (k, lanes))
    weights, moves = jnp.zeros((k, lanes)), eye
    basis = jnp.where(problem.member, ids, -1)
    if simplex:
        alone = jnp.stack([jnp.subtract(*_extremes(problem, problem.user - own)) for own in problem.providers])
        alone = jnp.where(problem.member, jnp.maximum(alone, 0.0), jnp.inf)
        leader = ids == _first_where(alone == alone.min(axis=0))
        weights = leader.astype(jnp.float64)
        # Slack in w_j >= 0 is taken from the leader, whose own row is replaced by the equation sum w = 1.
        moves = jnp.where(leader[None], weights[:, None], eye - weights[:, None])
        moves = jnp.where((problem.member | leader)[None], moves, eye - weights[:, None])
        basis = jnp.where(leader, -1, basis)

    residual = problem.user - _combine(weights, problem.providers)
    top, bottom = _extremes(problem, residual)
    at_top = _first_where(problem.below & (residual == top))
    at_bottom = _first_where(problem.above & (residual == bottom))
    u_top, u_bottom = _take(problem.providers, at_top), _take(problem.providers, at_bottom)

    half = jnp.full((lanes,), 0.5)
    by_offset = jnp.concatenate([-jnp.sum((u_top + u_bottom)[:, None] * moves, axis=0) / 2, half[None], -half[None]])
    by_eps = jnp.concatenate([-jnp.sum((u_top - u_bottom)[:, None] * moves, axis=0) / 2, half[None], half[None]])
    by_weights = jnp.concatenate([moves, jnp.zeros((k, 2, lanes))], axis=1)
    eps, offset = (top - bottom) / 2, (top + bottom) / 2
    return _State(
        inverse=jnp.concatenate([by_weights, by_offset[None], by_eps[None]]),
        basis=jnp.concatenate([basis, (k + 1 + rows + at_top)[None], (k + 1 + at_bottom)[None]]),
        weights=weights,
        offset=offset,
        eps=eps,
        residual=residual - offset,
        stalled=jnp.zeros(lanes, jnp.int32),
        iterations=jnp.zeros(lanes, jnp.int32),
        running=eps > 0,
    )


def _pivot(problem: _Problem, state: _State, iteration_limit: int) -> _State:
    """One step along an edge that lowers eps: Dantzig's rule, Bland's rule after a few steps that lowered nothing."""
    k, rows, _ = problem.providers.shape
    cautious = state.stalled > 6

    # The constraint to leave: slack in it lowers eps. The eps row of the inverse is the vector of multipliers.
    multiplier = jnp.where(state.basis >= 0, state.inverse[-1], 0.0)
    improving = multiplier < -_PIVOT
    most = jnp.min(multiplier, axis=0)
    lowest_id = jnp.min(jnp.where(improving, state.basis, 2**30), axis=0)
    leaves = jnp.where(cautious, _first_where(improving & (state.basis == lowest_id)), _first_where(multiplier == most))
    going = state.running & (most < -_PIVOT) & (state.iterations < iteration_limit)

    direction = _take(state.inverse, leaves)  # [N, L]
    by_weight, by_offset, by_eps = direction[:k], direction[k], direction[k + 1]
    drift = -(_combine(by_weight, problem.providers) + by_offset)  # of the residuals

    # The constraint to enter: the first to be met along the way.
    slack = jnp.concatenate(
        [
            state.weights,
            state.eps[None],
            jnp.where(problem.above, state.residual + state.eps, jnp.inf),
            jnp.where(problem.below, state.eps - state.residual, jnp.inf),
        ]
    )
    rate = jnp.concatenate([by_weight, by_eps[None], drift + by_eps, by_eps - drift])
    closing = rate < -_PIVOT
    reach = jnp.where(closing, jnp.maximum(slack, 0.0) / -rate, jnp.inf)
    step = jnp.min(reach, axis=0)
    tied = closing & (reach <= step + _TIE)
    steepest = jnp.min(jnp.where(tied, rate, jnp.inf), axis=0)
    enters = jnp.where(cautious, _first_where(tied), _first_where(tied & (rate == steepest)))
    going = going & jnp.isfinite(step)
    step = jnp.where(going, step, 0.0)

    # Gradient of the entering constraint, and the rank-one update of the inverse.
    is_above, is_below = (enters > k) & (enters <= k + rows), enters > k + rows
    sign = jnp.where(is_above, -1.0, jnp.where(is_below, 1.0, 0.0))
    row = jnp.where(is_above, enters - k - 1, jnp.where(is_below, enters - k - 1 - rows, 0))
    bounds = (jnp.arange(k, dtype=jnp.int32)[:, None] == enters).astype(jnp.float64)
    on_eps = (enters >= k).astype(jnp.float64)
    gradient = jnp.concatenate([bounds + sign * _take(problem.providers, row), sign[None], on_eps[None]])
    products = _combine(gradient, state.inverse)  # [N, L]
    size = products.shape[0]
    leaving = jnp.arange(size, dtype=jnp.int32)[:, None] == leaves
    pivot = jnp.sum(jnp.where(leaving, products, 0.0), axis=0)
    column = direction / jnp.where(going, pivot, 1.0)
    inverse = jnp.where(leaving, column[:, None], state.inverse - column[:, None] * products)

    return _State(
        inverse=jnp.where(going, inverse, state.inverse),
        basis=jnp.where(going & leaving, enters, state.basis),
        weights=state.weights + step * by_weight,
        offset=state.offset + step * by_offset,
        eps=state.eps + step * by_eps,
        residual=state.residual + step * drift,
        stalled=jnp.where(-step * by_eps > 1e-13, 0, state.stalled + 1),
        iterations=state.iterations + going,
        running=state.running & (going | (state.iterations >= iteration_limit)),
    )


def _pivots(problem: _Problem, state: _State, iteration_limit: int) -> _State:
    """Pivot until all lanes are done or have reached the limit."""
    return lax.while_loop(
        lambda s: jnp.any(s.running & (s.iterations < iteration_limit)),
        lambda s: _pivot(problem, s, iteration_limit),
        state,
    )


def _stragglers(problem: _Problem, state: _State, iteration_limit: int) -> _End:
    """The same with running lanes first, in blocks of lanes of their own; blocks that are done cost nothing."""

    def finish(problem, state):
        state = _pivots(problem, state, iteration_limit)
        return _End(state.basis, state.inverse[-1], state.weights, state.iterations, state.running)

    lanes = state.running.shape[0]
    if lanes % _BLOCKS or lanes < 8 * _BLOCKS:
        return finish(problem, state)
    order = jnp.argsort(~state.running, stable=True)

    def blocks(array):
        return jnp.moveaxis(array[..., order].reshape(*array.shape[:-1], _BLOCKS, lanes // _BLOCKS), -2, 0)

    def rejoin(array):
        return jnp.moveaxis(array, 0, -2).reshape(*array.shape[1:-1], lanes)[..., jnp.argsort(order)]

    return tree.map(rejoin, lax.map(lambda block: finish(*block), tree.map(blocks, (problem, state))))


def _multipliers(problem: _Problem, end: _End):
    """Multipliers of the basic outcomes, `[R, L]` on L and on U."""
    k, rows, _ = problem.providers.shape
    value = jnp.where(end.basis > k, end.duals, 0.0)
    outcomes = jnp.arange(rows, dtype=jnp.int32)[:, None, None]

    def spread(first_id):
        return jnp.sum(jnp.where(end.basis - first_id == outcomes, value, 0.0), axis=1)

    return spread(k + 1 + rows), spread(k + 1)


def _equal_mass(problem: _Problem, lower, upper):
    """Multipliers on the rows alone, non-negative, and of the same mass on L and U, at most 1/2."""
    lower = jnp.where(problem.below, jnp.maximum(lower, 0.0), 0.0)
    upper = jnp.where(problem.above, jnp.maximum(upper, 0.0), 0.0)
    mass = jnp.minimum(jnp.minimum(upper.sum(axis=0), lower.sum(axis=0)), 0.5)

    def scale(measure):
        total = measure.sum(axis=0)
        return measure * jnp.where(total > 0, mass / jnp.where(total > 0, total, 1.0), 0.0)

    return scale(lower), scale(upper)


def _certificate(problem: _Problem, weights, eps, lower, upper, simplex: bool):
    """`(gap, violation)`: what the multipliers leave unproved.

    For any feasible (w, c, eps), `2 theta eps >= E_lambda[u_0] - E_mu[u_0] - sum_j w_j (E_lambda[u_j] - E_mu[u_j])`.
    """
    difference = lower - upper
    mass = 2 * lower.sum(axis=0)
    proved = jnp.sum(difference * problem.user, axis=0)
    excess = jnp.sum(difference * problem.providers, axis=1)
    if simplex:
        proved = proved - jnp.max(jnp.where(problem.member, excess, -jnp.inf), axis=0)
        violation = jnp.zeros_like(proved)
    else:
        excess = jnp.maximum(jnp.where(problem.member, excess, 0.0), 0.0)
        proved = proved - jnp.sum(weights * excess, axis=0)
        violation = jnp.max(excess, axis=0) / jnp.where(mass > 0, mass / 2, 1.0)
    bound = jnp.maximum(0.0, jnp.where(mass > 0, proved / jnp.where(mass > 0, mass, 1.0), 0.0))
    return eps - bound, violation
