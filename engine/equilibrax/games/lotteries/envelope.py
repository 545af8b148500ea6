"""The most that a provider could have against a user who responds quantally: concave envelopes, bounded on a grid.

Given what the others say, a deviator splits the prior into posteriors, and what it has is the average of a function f
of them. The most of that is the concave envelope of f at the prior: the least that a linear function which is nowhere
below f has there. For linear functions c that are above f at the corners of cells that cover all posteriors,

    no rule has more than   c . prior + max over cells of (the most that f - c has at its corners + the cell's error),

where the error is what f can be above its interpolation (`equilibrax_kernels.lotteries.envelope`, with the proof). The
least c of that kind is a small linear program, whose other half is a rule: at most X corners, and how often each is
reached. Cells in which the sum is too large are cut in half where their error comes from, and the program goes on from
where it was, until rule and bound meet. States of different actions are never told together: each such group has
cells of its own.

Letters: R programs, Q things that the user may know besides (her signal, the others' messages), X states, A actions,
N cells, n corners of a cell.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import lru_cache
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from equilibrax_kernels.lotteries.envelope import quantal_cell
from jaxtyping import Bool, Float

from equilibrax._core.batching import batch_mesh, by_rows, chunk_size, over_batch, run_in_chunks

MOST_CELLS = 2**16
"""Of one program; where more are needed the bound is what these prove, and is not certified."""

GAP = 1e-7
"""Bounds are certified when they are this near to what a rule has, times the provider's range."""

_ROUNDS, _PIVOTS = 400, 60  # far more than are needed
_CHUNK = 1024  # cells at once, of whatever program
_SINGULAR = 1e-8  # weights in a basis that are zero


@dataclass(frozen=True)
class Senders:
    """R programs of one sender each.

    Attributes:
        user, own: contributions, the user's and the sender's.
        chance: of (state, what the user knows besides), so it sums to the prior over Q.
        available: which actions exist in which state; two states have the same ones or none in common.
    """

    user: Float[np.ndarray, "R Q X A"]
    own: Float[np.ndarray, "R Q X A"]
    chance: Float[np.ndarray, "R Q X"]
    available: Bool[np.ndarray, "R X A"]

    def __getitem__(self, at: Any) -> Senders:
        return Senders(self.user[at], self.own[at], self.chance[at], self.available[at])

    def __len__(self) -> int:
        return len(self.user)

    @property
    def prior(self) -> Float[np.ndarray, "R X"]:
        """Chances of states."""
        return self.chance.sum(axis=1)

    @property
    def groups(self) -> Bool[np.ndarray, "R X X"]:
        """Which states have the same actions, so that they may be told together."""
        return (self.available[:, :, None] == self.available[:, None]).all(axis=3)

    def by_posterior(self) -> Senders:
        """The same, by chances of states rather than with them."""
        prior = self.prior[:, None, :]
        return replace(
            self, user=self.user / prior[..., None], own=self.own / prior[..., None], chance=self.chance / prior
        )


@dataclass(frozen=True)
class Envelopes:
    """What rules have, and what no rule has more than.

    Attributes:
        rule: chances of at most X messages.
        bound: what no rule has more than.
        closed: whether the grid's part of it is as small as asked for.
    """

    rule: Float[np.ndarray, "R X X"]
    bound: Float[np.ndarray, " R"]
    closed: Bool[np.ndarray, " R"]


def envelopes(
    senders: Senders, rationality: float, units: Float[np.ndarray, " R"], devices: Sequence[Any] | None
) -> Envelopes:
    """The concave envelope of every program at its prior.

    Args:
        senders: R programs.
        rationality: lambda of the user's response, finite.
        units: the range of what every sender has; bounds are to be right to `GAP` of it.
        devices: JAX devices for the cells.
    """
    given, work = _Cells(senders.by_posterior(), rationality, devices), _Basis(senders.prior)
    corners, owner = _first_cells(senders.groups)
    value, error, edge = given.look_at(corners, owner)
    at = corners.argmax(axis=2)
    for i in range(corners.shape[1]):
        work.height[owner, at[:, i]] = value[:, i]
    slack, closed = np.full(len(senders), np.inf), np.zeros(len(senders), bool)
    for _ in range(_ROUNDS):
        above = work.climb(corners, value, owner, GAP / 16 * units)
        most = above + error
        programs, starts = np.unique(owner, return_index=True)
        slack[programs] = np.maximum(np.maximum.reduceat(most, starts), 0.0)
        closed = slack <= GAP / 2 * units
        full = np.zeros(len(senders), bool)
        full[programs] = np.diff(np.append(starts, len(owner))) >= MOST_CELLS
        keep = ~(closed | full)[owner]
        if not keep.any():
            break
        corners, value, error, edge, owner, most = (part[keep] for part in (corners, value, error, edge, owner, most))
        cut = (most > np.maximum(GAP / 2 * units, slack / 4)[owner]) & (error > 0)
        halves, whose = _halves(corners[cut], edge[cut]), np.repeat(owner[cut], 2)
        new = (halves, *given.look_at(halves, whose), whose)
        parts = [np.concatenate([old[~cut], added]) for old, added in zip((corners, value, error, edge, owner), new)]
        order = parts[4].argsort(kind="stable")
        corners, value, error, edge, owner = (part[order] for part in parts)
    multipliers, mass = work.solved()
    rule = mass[:, None] * np.swapaxes(work.corners, 1, 2) / senders.prior[:, :, None]
    return Envelopes(
        rule=rule / rule.sum(axis=2, keepdims=True),
        bound=(multipliers * senders.prior).sum(axis=1) + slack + given.rounding(multipliers),
        closed=closed,
    )


class _Basis:
    """For every program X posteriors whose average is the prior, and what they are worth: a basis of its program."""

    def __init__(self, prior: Float[np.ndarray, "R X"]):
        self.prior, x = prior, prior.shape[1]
        self.corners = np.broadcast_to(np.eye(x), (len(prior), x, x)).copy()
        self.height = np.zeros(prior.shape)

    def solved(self) -> tuple[Float[np.ndarray, "R X"], Float[np.ndarray, "R X"]]:
        """The linear function through them, and how often each is reached."""
        return self._multipliers(slice(None)), self._mass(slice(None))

    def _multipliers(self, at: Any) -> np.ndarray:
        return np.linalg.solve(self.corners[at], self.height[at][..., None])[..., 0]

    def _mass(self, at: Any) -> np.ndarray:
        found = np.linalg.solve(np.swapaxes(self.corners[at], 1, 2), self.prior[at][..., None])[..., 0]
        return np.maximum(found, 0.0)

    def climb(self, corners: np.ndarray, value: np.ndarray, owner: np.ndarray, enough: np.ndarray) -> np.ndarray:
        """Take posteriors in that are above the linear function, until none is by more than enough.

        Returns:
            `[N]` by how much the highest corner of every cell is above it.
        """
        above = np.empty(len(owner))
        again = np.ones(len(owner), bool)
        for i in range(_PIVOTS + 1):
            programs, starts, place = np.unique(owner[again], return_index=True, return_inverse=True)
            height = value[again] - np.einsum("cnx,cx->cn", corners[again], self._multipliers(programs)[place])
            above[again] = height.max(axis=1)
            top = np.maximum.reduceat(height.max(axis=1), starts)
            enter = top > enough[programs]
            if i == _PIVOTS or not enter.any():
                break
            cells = np.flatnonzero((height.max(axis=1) == top[place]) & enter[place])
            cells = cells[np.unique(place[cells], return_index=True)[1]]
            corner = height[cells].argmax(axis=1)
            chosen = np.flatnonzero(again)[cells]
            self._exchange(programs[enter], corners[chosen, corner], value[chosen, corner])
            again[np.flatnonzero(again)[~enter[place]]] = False
        return above

    def _exchange(self, at: np.ndarray, corner: np.ndarray, height: np.ndarray) -> None:
        """Each of these programs takes a posterior in, and lets one go."""
        weight = np.linalg.solve(np.swapaxes(self.corners[at], 1, 2), corner[..., None])[..., 0]
        usable = weight > _SINGULAR
        ratio = np.where(usable, self._mass(at) / np.where(usable, weight, 1.0), np.inf)
        tied = ratio <= ratio.min(axis=1, keepdims=True) + 1e-15
        leaves = np.where(tied, weight, -1.0).argmax(axis=1)
        self.corners[at, leaves] = corner
        self.height[at, leaves] = height


class _Cells:
    """Looks at cells of posteriors."""

    def __init__(self, senders: Senders, rationality: float, devices: Sequence[Any] | None):
        self.senders, self.rationality, self.mesh = senders, rationality, batch_mesh(devices)

    def look_at(self, corners: np.ndarray, owner: np.ndarray) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        """Values at corners `[N, n]`, errors `[N]`, and the edge where they are made `[N, 2]`."""
        (_, q, x, a), n = self.senders.user.shape, corners.shape[1]
        chunk = chunk_size(_CHUNK, 8 * q * a * (3 * x + n * (n + 8)), self.mesh)
        found = []
        for start in range(0, len(owner), 16 * chunk):
            part = slice(start, start + 16 * chunk)
            own = self.senders[owner[part]]
            batched = corners[part], own.user, own.own, own.chance, own.available
            with jax.enable_x64(True):
                shared = jnp.float64(self.rationality)
                found.append(run_in_chunks(_compiled(self.mesh), batched, shared, chunk, self.mesh))
        if not found:
            return np.zeros((0, n)), np.zeros(0), np.zeros((0, 2), np.int32)
        value, error, edge = (np.concatenate([part[name] for part in found]) for name in ("value", "error", "edge"))
        return value, error, edge

    def rounding(self, multipliers: np.ndarray) -> Float[np.ndarray, " R"]:
        """What rounding can do to a bound: units in the last place of every sum, and of the exponents in the odds."""
        _, q, x, a = self.senders.user.shape
        seen = np.where(self.senders.chance > 0, self.senders.chance, np.inf)[..., None]
        worth, own = (np.abs(part / seen).max(axis=(1, 2, 3)) for part in (self.senders.user, self.senders.own))
        terms = (q + x + a + 2 * self.rationality * x * worth) * own + x * np.abs(multipliers).max(axis=1)
        return 8 * np.finfo(np.float64).eps * terms


@lru_cache(maxsize=8)
def _compiled(mesh):
    many: Any = jax.vmap(quantal_cell, in_axes=(0, 0, 0, 0, 0, None))
    return over_batch(by_rows(lambda batched, shared: many(*batched, shared)._asdict()), mesh)


def _first_cells(groups: Bool[np.ndarray, "R X X"]) -> tuple[np.ndarray, np.ndarray]:
    """One cell for every group of states: what is known of it is the group. Small ones repeat a corner."""
    x = groups.shape[1]
    first = groups.argmax(axis=2) == np.arange(x)  # each group has its lowest state
    owner, lead = np.nonzero(first)
    members = groups[owner, lead]
    states = np.sort(np.where(members, np.arange(x), x), axis=1)[:, : members.sum(axis=1).max()]
    return np.eye(x)[np.where(states < x, states, lead[:, None])], owner


def _halves(corners: np.ndarray, edge: np.ndarray) -> np.ndarray:
    """Two cells for each, with the middle of the edge instead of one of its ends."""
    rows = np.arange(len(corners))
    middle = (corners[rows, edge[:, 0]] + corners[rows, edge[:, 1]]) / 2
    halves = np.repeat(corners, 2, axis=0)
    halves[2 * rows, edge[:, 0]] = middle
    halves[2 * rows + 1, edge[:, 1]] = middle
    return halves
