"""Cases for `gpu.py`: kernels on utility tables, the fits of misalignment and least squares, and random tables."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from equilibrax_kernels import random_tables as families
from equilibrax_kernels.fits.chebyshev import certified_fit, misalignment_lanes
from equilibrax_kernels.fits.efficiency import EFFICIENT, weigh_lanes
from equilibrax_kernels.fits.nnls import nonnegative_lanes, prefix_lanes
from equilibrax_kernels.primitives.sorting import sort_lanes
from equilibrax_kernels.selection.dense import dense_schemes
from equilibrax_kernels.selection.frontier import frontier_schemes
from equilibrax_kernels.selection.lotteries import lottery_equilibria
from equilibrax_kernels.selection.monopoly import monopoly
from equilibrax_kernels.selection.ordering import order_schemes
from equilibrax_kernels.selection.solve import solve_listed

RESOLUTION = 10_000
CERTIFIED = 1e-9


@dataclass(frozen=True)
class Case:
    """A kernel over a batch of tables.

    Attributes:
        name: of the case.
        kernel: from arrays `[B, ...]` to a pytree of arrays; utilities and errors in floating point of about unit
            scale. Leaves called `pivots` are not compared: rounding may lead to the same optimum another way.
        inputs: from B to NumPy arrays.
        check: tables in the comparison with the CPU.
        batch: tables when it is timed; 0: it is not.
    """

    name: str
    kernel: Callable[..., Any]
    inputs: Callable[[int], tuple[np.ndarray, ...]]
    check: int
    batch: int = 0

    @cached_property
    def compiled(self) -> Any:
        return jax.jit(self.kernel)


def lanes(array: Any) -> Any:
    """The batch from the first to the last axis."""
    return jnp.moveaxis(array, 0, -1)


def uniform_tables(
    count: int, states: int, actions: int, providers: int, resolution: int = RESOLUTION
) -> tuple[np.random.Generator, np.ndarray]:
    """Randomness for more, and `[B, K + 1, X, A]` int32."""
    rng = np.random.default_rng(0)
    return rng, rng.integers(0, resolution + 1, (count, providers + 1, states, actions), dtype=np.int32)


def selection(
    states: int,
    actions: int,
    providers: int,
    check: int,
    batch: int = 0,
    *,
    label: str = "selection",
    capacity: int = 0,
    hashed: bool = False,
    ties: bool = False,
    dynamics: bool = False,
    minimal: bool = False,
    random: bool = False,
    outcomes: bool = False,
    uneven: bool = False,
    resolution: int = RESOLUTION,
) -> Case:
    """All committees of the selection game.

    Args:
        states, actions, providers, check, batch: sizes.
        label: of the case.
        capacity: of the frontier; 0 lists all schemes.
        hashed, ties, dynamics, minimal: as in the kernels.
        random: whether deviators are drawn.
        outcomes: whether outcomes are collected.
        uneven: with prior weights, and without some of the actions.
        resolution: the largest utility; small ones make ties.
    """
    masks = np.arange(1, 2**providers, dtype=np.int32)
    value_bits = (4 * states * resolution).bit_length() + 2

    def kernel(tables, prior, available, keys):
        dtype = jnp.int32 if value_bits <= 32 else jnp.int64
        contributions = lanes(tables).astype(dtype) * lanes(prior)[:, None]
        if capacity:
            listed = frontier_schemes(
                contributions,
                lanes(available),
                capacity=capacity,
                value_bits=value_bits,
                with_outcomes=outcomes,
                hashed=hashed,
            )
        else:
            listed = dense_schemes(contributions, lanes(available), with_outcomes=outcomes)
        return solve_listed(
            listed,
            contributions,
            lanes(available),
            jnp.asarray(masks),
            lanes(keys) if random else None,
            value_bits=value_bits,
            ties=ties,
            dynamics=dynamics,
            minimal=minimal,
            step_limit=1_000_000,
        )

    def inputs(count: int) -> tuple:
        rng, tables = uniform_tables(count, states, actions, providers, resolution)
        prior = rng.integers(1, 5, (count, states), dtype=np.int32) if uneven else np.ones((count, states), np.int32)
        available = rng.random((count, states, actions)) < (0.7 if uneven else 1.1)
        available[..., 0] = True
        return tables, prior, available, rng.integers(0, 2**32, (count, 2), dtype=np.uint32)

    method = f"frontier-{capacity}" if capacity else "dense"
    return Case(f"{label}-{states}x{actions}x{providers}-{method}", kernel, inputs, check, batch)


def alone(states: int, actions: int, providers: int, check: int) -> Case:
    """Monopolists' optima, with many ties."""

    def kernel(tables):
        contributions = lanes(tables)
        return monopoly(contributions[0], contributions[1:], jnp.ones(contributions.shape[1:], bool))

    return Case("monopoly", kernel, lambda count: uniform_tables(count, states, actions, providers, 3)[1:], check)


def sorting(size: int, runs: int, dtype: Any, check: int, batch: int = 0) -> Case:
    """Lists of integers, of which `runs` at a time are in order."""

    def inputs(count: int) -> tuple:
        limit = np.iinfo(dtype).max
        keys = np.random.default_rng(0).integers(-limit, limit, (count, size), dtype=dtype)
        return (np.sort(keys.reshape(count, -1, runs), axis=2).reshape(count, size),)

    name = f"sorting-{size}-{np.dtype(dtype).name}" + (f"-runs-{runs}" if runs > 1 else "")
    return Case(name, lambda keys: sort_lanes(lanes(keys), runs), inputs, check, batch)


def ordering(size: int, providers: int, check: int) -> Case:
    """Schemes in the user's order with all responses, with many ties and some entries that hold none."""

    def kernel(values, valid):
        values = lanes(values)
        return order_schemes(
            values[0], values[1:].swapaxes(0, 1), lanes(valid), value_bits=6, ties=True, responses=True
        )

    def inputs(count: int) -> tuple:
        rng = np.random.default_rng(0)
        valid = rng.random((count, size)) < 0.8
        valid[:, 0] = True
        return rng.integers(-15, 16, (count, providers + 1, size), dtype=np.int32), valid

    return Case("ordering", kernel, inputs, check)


# --- fits -------------------------------------------------------------------------------------------------------------


def misalignment(
    states: int, actions: int, providers: int, check: int, batch: int = 0, *, simplex: bool = False, some: bool = False
) -> Case:
    """Misalignment with every outcome on both sides, or with some outcomes and some providers."""

    def kernel(utilities, above, below, member):
        user, *others = lanes(utilities).reshape(providers + 1, -1, len(utilities)).astype(jnp.float64) / RESOLUTION
        sides = (lanes(above), lanes(below), lanes(member))
        fit = misalignment_lanes(user, jnp.stack(others), *sides, simplex=simplex, iteration_limit=400)
        certified = (fit.gap <= CERTIFIED) & (fit.violation <= CERTIFIED)
        return {"misalignment": fit.eps, "certified": certified, "status": fit.status, "pivots": fit.iterations}

    name = f"misalignment-{providers}x{2 * states * actions}" + "-simplex" * simplex + "-some" * some
    return Case(name, kernel, lambda count: _sides(count, states, actions, providers, some), check, batch)


def given_fit(states: int, actions: int, providers: int, check: int) -> Case:
    """What given weights and multipliers prove: all of it is determined, and compared."""

    def kernel(utilities, above, below, member, weights, lower, upper):
        user, *others = lanes(utilities).reshape(providers + 1, -1, len(utilities)).astype(jnp.float64) / RESOLUTION
        given = map(lanes, (above, below, member, weights, lower, upper))
        return certified_fit(user, jnp.stack(others), *given, simplex=False)

    def inputs(count: int) -> tuple:
        rng, rows = np.random.default_rng(1), states * actions
        found = (rng.random((count, size)) - 0.2 for size in (providers, rows, rows))
        return *_sides(count, states, actions, providers, True), *found

    return Case("misalignment-given", kernel, inputs, check)


def efficiency(states: int, actions: int, providers: int, check: int, batch: int = 0) -> Case:
    """Whether an outcome is efficient, by which weights, and what it lacks: of a user's optimum every other one."""

    def kernel(utilities, chosen):
        real = lanes(utilities).astype(jnp.float64) / (RESOLUTION * states)
        held = lanes(chosen)[:, None] == jnp.arange(actions)[:, None]
        gains = real - jnp.sum(jnp.where(held, real, 0.0), axis=2, keepdims=True)
        ones = jnp.ones((providers + 1, len(utilities)))
        found = weigh_lanes(gains, jnp.ones(held.shape, bool), held, 0 * ones, ones, ones > 0, 400)
        efficient = found.status == EFFICIENT
        gap = jnp.sum(found.gap_weights[:, None, None] * gains, axis=0).max(axis=1).sum(axis=0)
        wanted = {"status": found.status, "gap": jnp.where(efficient, 0.0, gap)}
        return wanted | {"certified": efficient | found.ended, "pivots": found.pivots}

    def inputs(count: int) -> tuple:
        rng, tables = uniform_tables(count, states, actions, providers)
        chosen = rng.integers(0, actions, (count, states), dtype=np.int32)
        chosen[::2] = tables[::2, 0].argmax(axis=2)
        return tables, chosen

    return Case(f"efficiency-{states}x{actions}x{providers}", kernel, inputs, check, batch)


def _sides(count: int, states: int, actions: int, providers: int, some: bool) -> tuple:
    """Tables, the outcomes on either side, and who takes part."""
    rng, tables = uniform_tables(count, states, actions, providers)
    share = 0.6 if some else 1.1
    sides = [rng.random((count, size)) < share for size in (states * actions, states * actions, providers)]
    for side in sides:
        side[:, 0] = True
    return tables, *sides


def curve(raters: int, items: int, check: int, batch: int = 0) -> Case:
    """Non-negative least squares on the first 1, 2, .., K raters of an order, in one of five folds."""
    pieces = (raters,) if raters <= 64 else (-(-raters // 2), raters)

    def kernel(order, fold, grams, moments):
        def gram_of(first, last):
            return grams[fold[:, None, None], order[:, first:last, None], order[:, None, :last]]

        moment = moments[fold[:, None], order]
        weights, pivots = prefix_lanes(gram_of, moment, pieces=pieces)
        member = jnp.arange(raters) <= jnp.arange(raters)[:, None]
        return _of_fits(weights, gram_of(0, raters), moment, member) | {"pivots": pivots}

    def inputs(count: int) -> tuple:
        order = np.argsort(np.random.default_rng(1).random((count, raters)), axis=1).astype(np.int32)
        return order, np.arange(count, dtype=np.int32) % 5, *_grams(raters, items)

    return Case(f"curve-nnls-{raters}x{items}", kernel, inputs, check, batch)


def least_squares(raters: int, items: int, check: int) -> Case:
    """One fit of some of the raters per lane."""

    def kernel(member, fold, grams, moments):
        gram, moment = grams[fold], moments[fold]
        weights, pivots = nonnegative_lanes(gram, moment, member, step_limit=10 * raters + 20)
        return _of_fits(weights[:, None], gram, moment, member[:, None]) | {"pivots": pivots}

    def inputs(count: int) -> tuple:
        member = np.random.default_rng(1).random((count, raters)) < 0.6
        return member, np.arange(count, dtype=np.int32) % 5, *_grams(raters, items)

    return Case(f"nnls-{raters}x{items}", kernel, inputs, check)


def _of_fits(weights, gram, moment, member) -> dict[str, Any]:
    """Errors, but for the target's square, and whether the KKT conditions hold."""
    applied = jnp.einsum("lmk,lkj->lmj", weights, gram)
    gradient = moment[:, None] - applied
    slack = jnp.where(weights > 0, jnp.abs(gradient), gradient)
    return {
        "error": (weights * (applied - 2 * moment[:, None])).sum(axis=-1),
        "certified": (jnp.where(member, slack, 0.0).max(axis=-1) <= 1e-8).all(axis=-1),
    }


def _grams(raters: int, items: int) -> tuple[np.ndarray, np.ndarray]:
    """`[5, K, K]` and `[5, K]` in unit scale, of simulated raters who err systematically."""
    rng = np.random.default_rng(0)
    user, traits = rng.random((items, 1)), rng.standard_normal((items, 6))
    answers = user + 0.12 * traits @ rng.standard_normal((6, raters)) + 0.2 * rng.standard_normal((items, raters))
    both = np.rint(100 * np.clip(np.concatenate([answers, user], axis=1), 0, 1)) / 100
    both /= np.linalg.norm(both, axis=0)
    products = [both[rows].T @ both[rows] for rows in (np.arange(items) % 5 != f for f in range(5))]
    norms = [np.sqrt(np.diagonal(product)) for product in products]
    scaled = np.stack([product / norm / norm[:, None] for product, norm in zip(products, norms)])
    return scaled[:, :-1, :-1], scaled[:, :-1, -1] / scaled[:, :-1, -1].max(axis=1, keepdims=True)


# --- random tables ----------------------------------------------------------------------------------------------------

FAMILIES = {
    "uniform": (),
    "noisy": (1000,),
    "biased": (1000, 2**30),
    "systematic": (3000,),
    "hull": (),
    "near_hull": (500,),
    "zero_sum": (1000,),
    "senders": (),
}


def sampling(family: str, states: int, actions: int, providers: int, check: int, batch: int = 0) -> Case:
    """Drawing tables of a family from their ids."""
    draw, words = getattr(families, family), np.array([0, 7], np.uint32)

    def kernel(ids):
        def one(table_id):
            key = families.table_key(jnp.asarray(words), jnp.asarray(words), table_id)
            return draw(key, states, actions, providers, RESOLUTION, *FAMILIES[family])

        return jax.vmap(one)(ids)

    def ids(count: int) -> tuple:
        return (np.stack([np.zeros(count, np.uint32), np.arange(count, dtype=np.uint32)], axis=1),)

    return Case(f"sampling-{family}", kernel, ids, check, batch)


def priors(states: int, check: int) -> Case:
    """Drawing weights of states."""

    def kernel(ids):
        words = jnp.array([0, 7], jnp.uint32)
        return jax.vmap(lambda one: families.random_prior(families.table_key(words, words, one), states))(ids)

    return Case("priors", kernel, lambda n: (np.arange(2 * n, dtype=np.uint32).reshape(n, 2),), check)


def drawn(states: int, actions: int, providers: int, check: int, batch: int = 0) -> Case:
    """All committees of the selection game with lotteries."""
    masks = np.arange(1, 2**providers, dtype=np.int32)

    def kernel(tables):
        utilities = lanes(tables)
        there = jnp.ones(utilities.shape[1:], bool)
        found = lottery_equilibria(utilities, utilities, there, jnp.asarray(masks), ties=False, intervals=4)
        return found._asdict()

    def inputs(count: int) -> tuple[np.ndarray, ...]:
        return (uniform_tables(count, states, actions, providers)[1],)

    return Case(f"drawn-{states}x{actions}x{providers}", kernel, inputs, check, batch)
