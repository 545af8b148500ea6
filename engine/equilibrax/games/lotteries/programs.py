"""The most that a provider could have against a user who responds best: persuasion programs with plans.

Given what the others say, a deviating provider is a single sender, whose receiver has more private information: her own
signal and the others' messages. It may just as well recommend plans: what to do after each of those. So the most that
it can have is a persuasion program (`equilibrax_kernels.persuasion`) with `A^(Z M^(K-1))` plans, whose multipliers
prove it.

The user takes the lowest of her best actions, so a recommendation that she obeys out of indifference counts only if she
can be made to prefer it: a plan is left out if no weights of the states make it as good as all other actions, and
strictly better than all lower ones. With the plans that are left the program is the supremum: mixing in a little of
such weights, and telling the rest of the states, makes all that is recommended strict.

Letters: B games, K providers, Z signals, X states, A actions, M messages, N = M^(K-1) messages of the others together,
Q = Z N, S = A^Q plans.
"""

from __future__ import annotations

from collections.abc import Sequence
from functools import lru_cache
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from equilibrax_kernels.fits.persuasion import persuasion_rule
from jaxtyping import Bool, Float

from equilibrax._core.batching import batch_mesh, by_rows, chunk_size, over_batch, run_in_chunks
from equilibrax._core.checks import approximate
from equilibrax._core.linear_programs import LinearPrograms, UnsolvedProgram
from equilibrax._core.status import SolveError
from equilibrax.fits.chebyshev import TOLERANCE
from equilibrax.games._oblivious_rules import MAX_TABLEAU, certify_rule, highs_rule
from equilibrax.games.lotteries.profiles import after_others, swing
from equilibrax.problems.persuasion import PersuasionGame

_STRICT = 1e-9  # what some weights of the states must make a plan better than lower actions, each in its own range
_CHANCE = 1e-9  # plans with less are not used
_ITERATIONS = 4000


def check_plans(game: PersuasionGame, messages: int) -> None:
    """Refuse games whose programs are too large.

    Raises:
        ValueError: with their size.
    """
    x, others = game.states, game.num_providers - 1
    places = game.signals * messages**others
    number = game.actions**places if places * np.log2(game.actions) < 60 else 2**60
    entries = (x + number * places * game.actions) * x * number
    if entries > MAX_TABLEAU:
        raise ValueError(
            f"rules: expected programs of at most {MAX_TABLEAU:,} entries, got {approximate(entries)} with "
            f"{game.actions}^{places} plans ({game.signals} signals, {messages} messages of each of {others} other "
            f"providers)"
        )


def programs_of(game: PersuasionGame, chances: Float[np.ndarray, "B K X M"]) -> Programs:
    """The program of every provider, given what the others say, B times K; they have the size that is checked."""
    told, own, _ = after_others(game, chances)
    places = told.shape[1]
    plans = np.indices((game.actions,) * places, np.int32).reshape(places, -1).T
    return Programs(told, own, np.repeat(np.asarray(game.available), chances.shape[1], axis=0), plans)


class Programs:
    """R programs of the same shape: the user's contributions `[R, Q, X, A]`, the deviators' own, and the plans."""

    def __init__(self, user: np.ndarray, own: np.ndarray, available: np.ndarray, plans: np.ndarray):
        self.user, self.own, self.available, self.plans = user, own, available, plans
        self.allowed = np.ones((len(user), len(plans)), bool)
        self.known = np.zeros_like(self.allowed)  # of these plans it was looked at whether they can be strict
        self.units = [swing(values, available) for values in (own, user)]

    def solve(self, devices: Sequence[Any] | None) -> dict[str, np.ndarray]:
        """Until every plan that is used can be made strict."""
        mesh, solver = batch_mesh(devices), LinearPrograms(presolve=False)
        (_, q, x, a), s = self.user.shape, len(self.plans)
        size = 24 * (x + s * q * a) * x * s
        raw: dict[str, np.ndarray] = {}
        again = np.arange(len(self.user))
        while len(again):
            batched = self.user[again], self.own[again], self.available[again], self.allowed[again]
            shared = jnp.asarray(self.plans), jnp.int32(_ITERATIONS)
            with jax.enable_x64(True):
                part = run_in_chunks(_compiled(mesh), batched, shared, chunk_size(len(again), size, mesh), mesh)
            for name, values in part.items():
                raw.setdefault(name, np.empty((len(self.user), *values.shape[1:]), values.dtype))[again] = values
            for r in again[~self.certified(raw)[again]]:
                self._on_host(raw, int(r))
            again = np.array([r for r in again.tolist() if self._drop(raw["rule"][r], r, solver)], int)
        return raw

    def certified(self, raw: dict[str, np.ndarray]) -> Bool[np.ndarray, " R"]:
        """Whether values are proved."""
        closed = np.abs(raw["bound"] - raw["value"]) <= TOLERANCE * self.units[0]
        return closed & (raw["violation"] <= TOLERANCE * self.units[1])

    def _on_host(self, raw: dict[str, np.ndarray], r: int) -> None:
        inputs = self.user[r], self.own[r], self.available[r], self.plans
        try:
            rule, multipliers = highs_rule(*inputs, self.allowed[r])
        except SolveError:
            return  # stays as the batched solver left it, and is not certified
        with jax.enable_x64(True):
            fit = jax.tree.map(np.asarray, certify_rule(*inputs, rule, multipliers, self.allowed[r]))
        before = max(abs(raw["bound"][r] - raw["value"][r]), raw["violation"][r])
        if not before <= max(abs(fit.bound - fit.value), fit.violation):
            for name in raw:
                raw[name][r] = getattr(fit, name)

    def _drop(self, rule: np.ndarray, r: int, solver: LinearPrograms) -> bool:
        """Leave plans out that are used and cannot be strict; whether there are any."""
        dropped = False
        for s in np.flatnonzero((rule.sum(axis=0) > _CHANCE) & ~self.known[r]).tolist():
            self.known[r, s] = True
            if not self._can_be_strict(r, s, rule[:, s], solver):
                self.allowed[r, s] = False
                dropped = True
        return dropped

    def _can_be_strict(self, r: int, s: int, weights: np.ndarray, solver: LinearPrograms) -> bool:
        """Whether some weights of the states make a plan best everywhere, and better than all lower actions."""
        q, a = np.indices((self.plans.shape[1], self.user.shape[3])).reshape(2, -1)
        follows = self.plans[s][q]
        exists = self.available[r][:, self.plans[s]].all(axis=1)
        there = self.available[r][exists].any(axis=0)
        other = (a != follows) & there[a]
        q, a, follows = q[other], a[other], follows[other]
        gain = self.user[r][q, :, follows] - self.user[r][q, :, a]  # [rows, X]
        gain = np.where(exists & self.available[r][:, a].T, gain, 0.0)
        unit = np.abs(gain).max(axis=1)
        lower = a < follows
        if (unit[lower] == 0).any():
            return False
        gain, lower = gain[unit > 0] / unit[unit > 0, None], lower[unit > 0]
        if not lower.any():
            return True
        weights = weights / weights.sum()
        if (gain[lower] @ weights > 1e-6).all() and (gain @ weights > -_STRICT).all():
            return True
        rows = np.column_stack([gain, np.where(lower, -1.0, 0.0)])
        rows = np.vstack([rows, np.append(exists.astype(float), 0.0)])
        low = np.append(np.zeros(len(gain)), 1.0)
        high = np.append(np.full(len(gain), np.inf), 1.0)
        cost = np.append(np.zeros(len(exists)), -1.0)
        lowest, highest = np.append(np.zeros(len(exists)), -2.0), np.append(np.where(exists, np.inf, 0.0), 2.0)
        try:
            found = solver.solve(cost, rows, low, high, lowest, highest)
        except UnsolvedProgram:  # no weights make it best
            return False
        except SolveError:  # not known: what it promises stays in the bound
            return True
        return bool(found.values[-1] > _STRICT)


@lru_cache(maxsize=8)
def _compiled(mesh):
    def one(user, own, available, allowed, plans, limit):
        found = persuasion_rule(user, own, available, plans, jnp.float64(1), limit, allowed)
        return {name: getattr(found, name) for name in ("rule", "value", "bound", "violation")}

    many = jax.vmap(one, in_axes=(0, 0, 0, 0, None, None))
    return over_batch(by_rows(lambda batched, shared: many(*batched, *shared)), mesh)
