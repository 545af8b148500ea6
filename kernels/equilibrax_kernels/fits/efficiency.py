"""Is an outcome efficient, with which weights, and if not by how much: one small program per lane.

Agents i have payoffs in cells s (a state; or, in a game in normal form, the only one) from actions a. An outcome is a
lottery over actions in every cell. Everything is measured from an action of reference in each cell that the outcome
takes: `gains[i, s, a]` is what i has from a beyond that, and `excess[i]` what i has from the outcome beyond that.

*Weights.* The outcome maximizes `sum_i w_i payoff_i`, w > 0, iff no action gains in any cell (Negishi weights):

    minimize sum_i w_i unit_i   over   w_i unit_i >= 1,   sum_i w_i gains[i, s, a] <= 0   for all s and a,

with equality for actions that the outcome takes. Divided by their sum, the weights `w_i unit_i` have the largest least
one. If there are none, some combination of rows raises nobody's payoff but those that are not to fall: it dominates.

*Gap.* The largest d such that some lottery gives every agent i `d unit_i` more than the outcome. By duality it is

    minimize sum_s max_a sum_i w_i gains[i, s, a] - sum_i w_i excess[i]   over   w >= 0,   sum_i w_i unit_i = 1.

Both are solved by a dual simplex with an explicit inverse of the basis, of the order of the agents, and both are priced
by a reduction over the actions of every cell, so nothing of the size of rows by columns is written. A row of the gap's
program is a choice of an action in every cell: of these there are many, and the basis keeps the few that it needs.
Results are floating point, and proofs are up to the caller: whom the weights favour, and what the lottery gives.

Letters: N agents, S cells, A actions, L lanes. Needs `jax.enable_x64(True)`.
"""

from __future__ import annotations

from typing import NamedTuple

import jax
import jax.numpy as jnp
from jax import lax
from jaxtyping import Array, Bool, Float, Int

EFFICIENT, DOMINATED, UNDECIDED = 0, 1, 2

ZERO = 1e-10  # violations closer to zero than this (unit scale) count as none
PIVOT = 1e-9
LARGEST = 1e9  # weights that grow beyond are left undecided
PATIENCE = 12  # pivots before the first violated row is taken, not the worst


class Weighed(NamedTuple):
    """Per lane, what was found.

    Attributes:
        status: `[L]` int32, EFFICIENT (weights were found), DOMINATED (there are none), UNDECIDED (not within the
            limit of pivots, or of the size of weights).
        weights: `[N, L]` w of the first program; 0 for those who take no part.
        inner: `[N, L]` a direction in which every basic row of it gets slack.
        basis: `[N, L]` int32, its basic rows: i for `w_i unit_i >= 1`; N + s A + a for an action that does not gain;
            N + S A + s A + a for one that loses nothing; -1 for those who take no part.
        entering: `[L]` int32, the row that shows that there are no weights, or -1.
        gap_weights: `[N, L]` w of the second program; meaningless for lanes that are EFFICIENT.
        move: `[S, A, L]` the lottery that attains the gap, without its part that is the outcome itself
        stay: `[L]` the probability of that part.
        ended: `[L]` whether the second program was solved within the limit.
        pivots: `[L]` int32, of both.
    """

    status: Int[Array, " L"]
    weights: Float[Array, "N L"]
    inner: Float[Array, "N L"]
    basis: Int[Array, "N L"]
    entering: Int[Array, " L"]
    gap_weights: Float[Array, "N L"]
    move: Float[Array, "S A L"]
    stay: Float[Array, " L"]
    ended: Bool[Array, " L"]
    pivots: Int[Array, " L"]


def weigh_lanes(
    gains: Float[Array, "N S A L"],
    available: Bool[Array, "S A L"],
    held: Bool[Array, "S A L"],
    excess: Float[Array, "N L"],
    unit: Float[Array, "N L"],
    member: Bool[Array, "N L"],
    limit: int,
) -> Weighed:
    """Solve the first program of every lane, and the second of those that are not EFFICIENT.

    Args:
        gains: of about unit scale.
        available: which actions exist; at least one in every cell.
        held: which the outcome takes, the reference among them.
        excess, unit: see above; units are positive.
        member: who takes part; at least one.
        limit: most pivots of each program.
    """
    gains = jnp.where(member[:, None, None] & available, gains, 0.0)

    def one(gains, available, held, excess, unit, member):
        first = _weights(gains, available, held, unit, member, limit)
        gap_weights, move, stay, ended, more = _gap(
            gains, available, jnp.where(member, excess, 0.0), unit, member, first["status"] != EFFICIENT, limit
        )
        pivots = first.pop("pivots") + more
        return Weighed(**first, gap_weights=gap_weights, move=move, stay=stay, ended=ended, pivots=pivots)

    return jax.vmap(one, in_axes=-1, out_axes=-1)(gains, available, held, excess, unit, member)


def _pivoted(inverse, duals, leaves, alpha):
    """The inverse and the multipliers when a row with these coefficients in the basis enters for row `leaves`."""
    column = inverse[:, leaves] / alpha[leaves]
    swapped = (inverse - column[:, None] * alpha[None]).at[:, leaves].set(column)
    share = duals[leaves] / alpha[leaves]
    return swapped, (duals - share * alpha).at[leaves].set(share), column


def _leaving(duals, alpha, basis, cautious):
    """The basic row with the smallest ratio (of several the largest coefficient, or Bland's); whether there is one."""
    open_ = (alpha > PIVOT) & (basis >= 0)
    ratio = jnp.where(open_, jnp.maximum(duals, 0.0) / jnp.where(open_, alpha, 1.0), jnp.inf)
    tied = open_ & (ratio <= ratio.min() + 1e-14)
    first = jnp.argmin(jnp.where(tied, basis, jnp.iinfo(jnp.int32).max))
    return jnp.where(cautious, first, jnp.argmax(jnp.where(tied, alpha, -1.0))), open_.any()


def _weights(gains, available, held, unit, member, limit):
    agents, cells, actions = gains.shape
    size = jnp.abs(gains).sum(axis=0)
    rows = gains / jnp.where(size > 0, size, 1.0)
    counted = available & (size > 0)
    lowest = jnp.where(member, 1 / unit, 0.0)
    start = {
        "inverse": jnp.eye(agents),
        "duals": jnp.where(member, unit, 0.0),
        "weights": lowest,
        "basis": jnp.where(member, jnp.arange(agents, dtype=jnp.int32), -1),
        "entering": jnp.int32(-1),
        "status": jnp.int32(UNDECIDED),
        "pivots": jnp.int32(0),
        "running": jnp.bool_(True),
    }

    def step(now):
        weights, scale = now["weights"], jnp.abs(now["weights"]).max()
        value = jnp.tensordot(weights, rows, axes=1)
        rising = jnp.where(counted, value, 0.0).reshape(-1)
        falling = jnp.where(counted & held, -value, 0.0).reshape(-1)
        short = jnp.concatenate([lowest - weights, rising, falling]) / scale
        cautious = now["pivots"] >= PATIENCE
        entering = jnp.where(cautious, jnp.argmax(short > ZERO), jnp.argmax(short)).astype(jnp.int32)
        feasible = short.max() <= ZERO
        place = (entering - agents) % (cells * actions)
        row = rows.reshape(agents, -1)[:, place]
        sign = jnp.where(entering < agents + cells * actions, -1.0, 1.0)
        gradient = jnp.where(entering < agents, jnp.eye(agents)[jnp.minimum(entering, agents - 1)], sign * row)
        alpha = gradient @ now["inverse"]
        leaves, some = _leaving(now["duals"], alpha, now["basis"], cautious)
        none = ~feasible & ~some
        going = ~feasible & some & (now["pivots"] < limit) & (scale < LARGEST)
        inverse, duals, column = _pivoted(now["inverse"], now["duals"], leaves, jnp.where(going, alpha, 1.0))
        moved = {
            "inverse": inverse,
            "duals": duals,
            "weights": weights + short[entering] * scale * column,
            "basis": now["basis"].at[leaves].set(entering),
            "pivots": now["pivots"] + 1,
        }
        after = {name: jnp.where(going, moved[name], now[name]) for name in moved}
        return after | {
            "running": going,
            "entering": jnp.where(none, entering, -1),
            "status": jnp.where(feasible, EFFICIENT, jnp.where(none, DOMINATED, UNDECIDED)).astype(jnp.int32),
        }

    end = lax.while_loop(lambda now: now["running"], step, start)
    inner = end["inverse"] @ jnp.where(end["basis"] >= agents, 1.0, 0.0)
    return {name: end[name] for name in ("status", "weights", "basis", "entering", "pivots")} | {"inner": inner}


def _gap(gains, available, excess, unit, member, wanted, limit):
    """Basic rows are: the bounds of weights (by number), the cuts (numbers from N), and what never leaves (-1)."""
    agents, cells, actions = gains.shape
    order = agents + 1

    def priced(weights):
        value = jnp.where(available, jnp.tensordot(weights, gains, axes=1), -jnp.inf)
        choice = value.argmax(axis=1).astype(jnp.int32)
        return choice, value.max(axis=1).sum() - weights @ excess

    # The first weight is the agent's whose best outcome is least far away; theta >= 0 is the cut of the outcome itself.
    alone = jnp.where(available, gains, -jnp.inf).max(axis=2).sum(axis=1) - excess
    leader = jnp.argmin(jnp.where(member, alone / unit, jnp.inf))
    inverse = jnp.eye(order).at[leader, :agents].set(-jnp.where(member, unit, 0.0) / unit[leader])
    inverse = inverse.at[leader, leader].set(1 / unit[leader])  # the leader's place is that of the sum
    basis = jnp.where(member, jnp.arange(agents, dtype=jnp.int32), -1).at[leader].set(-1)
    start = {
        "inverse": inverse,
        "duals": jnp.eye(order)[agents],
        "point": inverse[:, leader],
        "basis": jnp.append(basis, jnp.int32(agents)),
        "choice": jnp.full((order, cells), -1, jnp.int32),  # of each basic cut; -1 for the outcome itself
        "pivots": jnp.int32(0),
        "running": wanted,
        "ended": jnp.bool_(False),
    }

    def step(now):
        weights, theta = now["point"][:agents], now["point"][agents]
        choice, most = priced(weights)
        below = jnp.where(member, -weights, -jnp.inf)
        negative = below.max() > ZERO * jnp.abs(weights).max()
        bound = jnp.argmax(below).astype(jnp.int32)
        short = jnp.where(negative, below.max(), most - theta)
        done = ~negative & (short <= 1e-2 * ZERO * jnp.abs(weights).max())
        taken = jnp.take_along_axis(gains, choice[None, :, None], axis=2)[..., 0].sum(axis=1) - excess
        gradient = jnp.where(negative, jnp.eye(order)[bound], jnp.append(-taken, 1.0))
        alpha = gradient @ now["inverse"]
        leaves, some = _leaving(now["duals"], alpha, now["basis"], now["pivots"] >= PATIENCE + agents)
        going = ~done & some & (now["pivots"] < limit)
        swapped, duals, column = _pivoted(now["inverse"], now["duals"], leaves, jnp.where(going, alpha, 1.0))
        moved = {
            "inverse": swapped,
            "duals": duals,
            "point": now["point"] + short * column,
            "basis": now["basis"].at[leaves].set(jnp.where(negative, bound, agents + 1)),
            "choice": now["choice"].at[leaves].set(choice),
            "pivots": now["pivots"] + 1,
        }
        after = {name: jnp.where(going, moved[name], now[name]) for name in moved}
        return after | {"running": going, "ended": done}

    end = lax.while_loop(lambda now: now["running"], step, start)
    shares = jnp.where(end["basis"] >= agents, jnp.maximum(end["duals"], 0.0), 0.0)
    shares = shares / shares.sum()
    itself = end["choice"][:, 0] < 0
    chosen = end["choice"][..., None] == jnp.arange(actions, dtype=jnp.int32)  # [N + 1, S, A]
    move = jnp.tensordot(shares, jnp.where(chosen, 1.0, 0.0), axes=1)
    return end["point"][:agents], move, jnp.sum(jnp.where(itself, shares, 0.0)), end["ended"], end["pivots"]
