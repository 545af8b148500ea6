"""Cases for `gpu.py`: kernels of games in normal form."""

from __future__ import annotations

import itertools
import math
from functools import partial
from typing import Any

import jax
import numpy as np
from equilibrax_kernels.normal_form.logit import logit_branch
from equilibrax_kernels.normal_form.pure import commitment, pure_equilibria, symmetric_games
from equilibrax_kernels.normal_form.replies import replies
from gpu_tables import RESOLUTION, Case, lanes

RATES = (0.0, 1.0, 10.0, 100.0)


def _payoffs(count: int, actions: tuple[int, ...]) -> np.ndarray:
    rng = np.random.default_rng(0)
    return rng.integers(0, RESOLUTION + 1, (count, len(actions), math.prod(actions)))


def _named(case: str, actions: tuple[int, ...]) -> str:
    return f"{case}-{'x'.join(map(str, actions))}"


def pure(actions: tuple[int, ...], check: int, batch: int = 0) -> Case:
    """Pure equilibria, commitment in all orders, and best-response dynamics."""
    orders = list(itertools.permutations(range(len(actions))))

    def kernel(payoffs: jax.Array) -> dict[str, Any]:
        turned = lanes(payoffs)
        follow = partial(replies, actions=actions, start=0, step_limit=1000)
        return {
            "stable": pure_equilibria(turned, actions),
            "symmetric": symmetric_games(turned, actions),
            "committed": commitment(turned, actions, orders),
            "dynamics": jax.vmap(follow, in_axes=-1)(turned)._asdict(),
        }

    return Case(_named("pure", actions), kernel, lambda count: (_payoffs(count, actions),), check, batch)


def logit(actions: tuple[int, ...], check: int, batch: int = 0) -> Case:
    """The principal branch of quantal-response equilibria; how many steps it takes depends on rounding."""

    def kernel(payoffs: jax.Array, rates: jax.Array) -> dict[str, Any]:
        found = jax.vmap(partial(logit_branch, actions=actions))(payoffs, rates)
        return {"strategy": found.strategy, "certified": found.reached & (found.residual < 1e-9)}

    def inputs(count: int) -> tuple[np.ndarray, ...]:
        return _payoffs(count, actions) / RESOLUTION, np.tile(RATES, (count, 1))

    return Case(_named("logit", actions), kernel, inputs, check, batch)
