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
from jax.sharding import Mesh
from jaxtyping import Bool, Float

from equilibrax._core.batching import batch_mesh, by_rows, chunk_size, cores, over_batch, run_in_chunks
from equilibrax._core.checks import approximate
from equilibrax._core.linear_programs import LinearPrograms, UnsolvedProgram
from equilibrax._core.loops import loops_available
from equilibrax._core.status import SolveError
from equilibrax.fits.chebyshev import TOLERANCE
from equilibrax.games._oblivious_rules import MAX_TABLEAU, certify_rule, highs_rule
from equilibrax.games.lotteries.profiles import after_others, swing
from equilibrax.problems.persuasion import PersuasionGame

_STRICT = 1e-9  # what some weights of the states must make a plan better than lower actions, each in its own range
_AROUND, _STEP = 24, 1e-3  # so many weights, about so far from those of a rule, are tried before a program is asked
_CHANCE = 1e-9  # plans with less are not used
_ITERATIONS = 4000
_FIELDS = ("rule", "value", "bound", "violation")


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
        self.allowed = ~_same_as_lower(user, available, plans)
        self.known = np.zeros_like(self.allowed)  # of these plans it was looked at whether they can be strict
        self.units = [swing(values, available) for values in (own, user)]

    def solve(self, devices: Sequence[Any] | None) -> dict[str, np.ndarray]:
        """Until every plan that is used can be made strict."""
        mesh, solver = batch_mesh(devices), LinearPrograms(presolve=False)
        raw: dict[str, np.ndarray] = {}
        again = np.arange(len(self.user))
        while len(again):
            part = self._by_loops(again) if loops_serve(mesh) else self._by_kernels(again, mesh)
            for name, values in part.items():
                raw.setdefault(name, np.empty((len(self.user), *values.shape[1:]), values.dtype))[again] = values
            for r in again[~self.certified(raw)[again]]:
                self._on_host(raw, int(r))
            again = self._drop(raw["rule"], again, solver)
        return raw

    def of(self, provider: int, providers: int) -> Programs:
        """Those of one provider, of as many for every game."""
        mine = slice(provider, None, providers)
        return Programs(self.user[mine], self.own[mine], self.available[mine], self.plans)

    def replies(self, margin: float) -> list[np.ndarray]:
        """Of every program the best rule `[X, S]` that makes the user prefer what she is to do by this margin, in units
        of the most that she can; without any plan where there is none."""
        every = np.arange(len(self.user))
        rules = np.zeros((len(every), self.user.shape[2], len(self.plans)))
        if loops_available():
            found = self._persuaded(every, margin)
            rules, every = found.rule, np.flatnonzero(found.status)
        for r in every.tolist():
            inputs = self.user[r], self.own[r], self.available[r], self.plans, self.allowed[r]
            try:
                rules[r], _ = highs_rule(*inputs, margin=margin)
            except SolveError:
                rules[r] = 0.0
        return list(rules)

    def _persuaded(self, at: np.ndarray, margin: float = 0.0) -> Any:
        from equilibrax_kernels.lotteries.loops import persuade_all  # compiled when it is needed

        inputs = self.user[at], self.own[at], self.available[at], self.plans, self.allowed[at]
        return persuade_all(*inputs, iteration_limit=_ITERATIONS, margin=margin, threads=cores())

    def _by_loops(self, at: np.ndarray) -> dict[str, np.ndarray]:
        found = self._persuaded(at)
        return {name: getattr(found, name) for name in _FIELDS}

    def _by_kernels(self, at: np.ndarray, mesh: Mesh) -> dict[str, np.ndarray]:
        (_, q, x, a), s = self.user.shape, len(self.plans)
        size = 24 * (x + s * q * a) * x * s
        batched = self.user[at], self.own[at], self.available[at], self.allowed[at]
        shared = jnp.asarray(self.plans), jnp.int32(_ITERATIONS)
        with jax.enable_x64(True):
            return run_in_chunks(_compiled(mesh), batched, shared, chunk_size(len(at), size, mesh), mesh)

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

    def _drop(self, rules: np.ndarray, at: np.ndarray, solver: LinearPrograms) -> np.ndarray:
        """Leave plans out that are used and cannot be strict; the programs, of those at these places, that had some."""
        used = (rules[at].sum(axis=1) > _CHANCE) & ~self.known[at]
        r, s = at[np.nonzero(used)[0]], np.nonzero(used)[1]
        self.known[r, s] = True
        lost = [
            i
            for i in np.flatnonzero(~self._is_strict(r, s, rules[r, :, s]))
            if not self._can_be_strict(int(r[i]), int(s[i]), solver)
        ]
        self.allowed[r[lost], s[lost]] = False
        return np.unique(r[lost])

    def _gains(self, r: Any, s: Any) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        """Of N programs and plans: `[N, Q, X, A]` what following them gains, in its own range; `[N, X]` the states that
        they are for; and `[N, Q, A]` whether the other action is lower."""
        follows = self.plans[s]  # [N, Q]
        exists = np.all(np.take_along_axis(self.available[r], follows[:, None], axis=2), axis=2)  # [N, X]
        counts = exists[:, :, None] & self.available[r]
        actions = np.arange(self.user.shape[3])
        here = counts[:, None] & (follows[:, :, None, None] != actions)
        chosen = np.take_along_axis(self.user[r], follows[:, :, None, None], axis=3)
        gain = np.where(here, chosen - self.user[r], 0.0)
        unit = np.abs(gain).max(axis=2, keepdims=True)
        lower = (actions < follows[:, :, None]) & here.any(axis=2)
        return gain / np.where(unit > 0, unit, 1.0), exists, lower

    def _is_strict(self, r: np.ndarray, s: np.ndarray, weights: np.ndarray) -> Bool[np.ndarray, " N"]:
        """Whether plans are best for these weights of the states, or some around them, and better than all lower
        actions. A program's optimum is where the user is indifferent, so the weights themselves seldom are such."""
        gain, exists, lower = self._gains(r, s)
        steps = np.random.default_rng(0).normal(size=(_AROUND, weights.shape[1]))
        steps[0] = 0.0
        near = np.maximum(weights / weights.sum(axis=1, keepdims=True) + _STEP * steps[:, None], 0.0) * exists
        mean = np.einsum("nqxa,dnx->dnqa", gain, near)
        return ((mean > -_STRICT) & (~lower | (mean > _STEP**2))).all(axis=(2, 3)).any(axis=0)

    def _can_be_strict(self, r: int, s: int, solver: LinearPrograms) -> bool:
        """Whether some weights of the states make a plan best everywhere, and better than all lower actions."""
        gain, exists, lower = (values[0] for values in self._gains(np.array([r]), np.array([s])))
        gain, lower = np.moveaxis(gain, 1, 2).reshape(-1, len(exists)), lower.reshape(-1)
        empty = (gain == 0).all(axis=1)
        if (empty & lower).any():
            return False
        gain, lower, exists = gain[~empty], lower[~empty], exists.astype(float)
        rows = np.column_stack([gain, np.where(lower, -1.0, 0.0)])
        rows = np.vstack([rows, np.append(exists, 0.0)])
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


def loops_serve(mesh: Mesh) -> bool:
    """Whether programs are solved by loops: on the host, where they can be compiled."""
    return mesh.devices.flat[0].platform == "cpu" and loops_available()


def _same_as_lower(user: np.ndarray, available: np.ndarray, plans: np.ndarray) -> Bool[np.ndarray, "R S"]:
    """Plans with an action that is never better than a lower one, as where nothing is heard: they cannot be strict."""
    both = available[..., :, None] & available[..., None, :]  # [R, X, A, A]
    better = ((user[..., :, None] != user[..., None, :]) & both[:, None]).any(axis=2)  # [R, Q, A, A]
    lower = np.tril(np.ones(both.shape[2:], bool), -1)
    same = np.any(~better & np.asarray(both.any(axis=1))[:, None] & lower, axis=3)
    places = np.arange(plans.shape[1])
    return np.any(np.asarray(same)[:, places, plans], axis=2)


@lru_cache(maxsize=8)
def _compiled(mesh):
    def one(user, own, available, allowed, plans, limit):
        found = persuasion_rule(user, own, available, plans, jnp.float64(1), limit, allowed)
        return {name: getattr(found, name) for name in _FIELDS}

    many = jax.vmap(one, in_axes=(0, 0, 0, 0, None, None))
    return over_batch(by_rows(lambda batched, shared: many(*batched, *shared)), mesh)
