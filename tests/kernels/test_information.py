"""Information markets as loops and as a JAX kernel: against the oracle in fractions, and against each other."""

from __future__ import annotations

from fractions import Fraction
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import oracles_information as oracle
import pytest
from equilibrax_kernels.information import loops, market as kernel
from equilibrax_kernels.information.loops import information_markets
from equilibrax_kernels.information.market import information_market

SMALL: dict[str, Any] = {"states": 5, "acts": 2, "items": 3}
WHOLE: dict[str, Any] = {"states": 8, "acts": 3, "items": 4}
BUYERS = {"face value": (False, 0), "one round": (True, 0), "fixed point": (True, 1000)}
KINDS: list[dict[str, Any]] = [
    {},
    {"most": 3, "costs": True, "labels": 3},
    {"costs": True, "owners": True, "stakes": True},
    {"most": 4, "owners": True, "stakes": True},
]


def given(problems: list[oracle.Problem]) -> dict[str, Any]:
    """What the loops take."""
    first = problems[0]
    w, a, m = len(first.prior), len(first.utility[0]), len(first.items)
    stakes = np.array([p.stakes for p in problems], np.int64).reshape(len(problems), -1, w, a)
    return {
        "prior": np.array([p.prior for p in problems]),
        "utility": np.array([p.utility for p in problems]),
        "items": np.array([p.items for p in problems]),
        "costs": np.array([[int(p.cost(i)) for i in range(m)] for p in problems]),
        "owners": [first.owner(i) for i in range(m)],
        "stakes": stakes,
        "sellers": first.sellers,
    }


def by_loops(problems: list[oracle.Problem], depth: int, buyer: str) -> dict[str, np.ndarray]:
    bayesian, rounds = BUYERS[buyer]
    return information_markets(**given(problems), depth=depth, bayesian=bayesian, most_rounds=rounds, threads=2)


def by_kernel(problems: list[oracle.Problem], depth: int, buyer: str) -> dict[str, np.ndarray]:
    (bayesian, rounds), arrays = BUYERS[buyer], given(problems)
    options = {"owners": tuple(arrays.pop("owners")), "sellers": arrays.pop("sellers"), "depth": depth}
    options |= {"bayesian": bayesian, "most_rounds": rounds}
    with jax.enable_x64(True):
        lanes = {name: jnp.moveaxis(jnp.asarray(array, jnp.int64), 0, -1) for name, array in arrays.items()}
        found = jax.jit(lambda lanes: information_market(**lanes, **options))(lanes)
        return {name: np.moveaxis(np.asarray(array), -1, 0) for name, array in found._asdict().items()}


def check(found: dict[str, np.ndarray], problems: list[oracle.Problem], depth: int, buyer: str) -> None:
    """Every problem and depth: values, items that are shown, prices, revenues, and whether choices settle."""
    for i, problem in enumerate(problems):
        total = sum(problem.prior)
        choice, settled = oracle.face_value_choice(problem, depth), [True] * (depth + 1)
        if buyer == "fixed point":
            choice, settled = oracle.fixed_points(problem, depth)
        reader = (oracle.FaceValue if buyer == "face value" else oracle.Bayesian)(problem, choice)
        assert found["converged"][i].tolist() == settled
        for d in (d for d in range(depth + 1) if settled[d]):
            expected = oracle.bazaar(reader, d)
            assert found["value"][i, d] == expected.utility * total
            assert found["shown"][i, d].tolist() == [sum(1 << m for m in known) for known in expected.shown]
            prices = zip(found["price"][i, d].tolist(), found["weight"][i, d].tolist())
            assert [Fraction(value, weight) for value, weight in prices] == expected.price
            revenue = [float(paid * total) for paid in expected.revenue]
            np.testing.assert_allclose(found["revenue"][i, d], revenue, rtol=1e-12)


@pytest.mark.parametrize("buyer", BUYERS)
@pytest.mark.parametrize("kind", KINDS, ids=lambda kind: "-".join(kind) or "plain")
def test_loops_agree_with_the_oracle(kind, buyer):
    problems = [oracle.random_problem((i, "loops"), **SMALL, **kind) for i in range(12)]
    check(by_loops(problems, 3, buyer), problems, 3, buyer)


@pytest.mark.slow
@pytest.mark.parametrize("kind", KINDS, ids=lambda kind: "-".join(kind) or "plain")
def test_loops_agree_with_the_oracle_on_500_problems(kind):
    problems = [oracle.random_problem((i, "many"), **WHOLE, **kind) for i in range(125)]
    check(by_loops(problems, 4, "face value"), problems, 4, "face value")
    for buyer, count in (("one round", 40), ("fixed point", 5)):
        check(by_loops(problems[:count], 4, buyer), problems[:count], 4, buyer)


@pytest.mark.parametrize(("kind", "buyer"), [(KINDS[1], "face value"), (KINDS[2], "fixed point")])
def test_the_kernel_says_what_the_loops_say(kind, buyer):
    problems = [oracle.random_problem((i, "both"), **SMALL, **kind) for i in range(100)]
    found = by_kernel(problems, 2, buyer)
    same(found, by_loops(problems, 2, buyer))
    check(found, problems[:30], 2, buyer)


@pytest.mark.slow
@pytest.mark.parametrize("kind", KINDS, ids=lambda kind: "-".join(kind) or "plain")
def test_the_kernel_agrees_with_the_oracle_at_full_size(kind):
    problems = [oracle.random_problem((i, "kernel"), **WHOLE, **kind) for i in range(20)]
    for buyer, count in (("face value", 20), ("one round", 20), ("fixed point", 2)):
        check(by_kernel(problems, 4, buyer), problems[:count], 4, buyer)


@pytest.mark.slow
@pytest.mark.parametrize("buyer", BUYERS)
def test_the_kernel_says_what_the_loops_say_on_many_problems(buyer):
    for kind in (KINDS[1], KINDS[2])[buyer != "face value" :]:
        count = 50 if buyer == "fixed point" else 250
        problems = [oracle.random_problem((i, "many"), **WHOLE, **kind) for i in range(count)]
        same(by_kernel(problems, 4, buyer), by_loops(problems, 4, buyer))


def same(found: dict[str, np.ndarray], expected: dict[str, np.ndarray]) -> None:
    for name, values in expected.items():
        if name == "revenue":
            np.testing.assert_allclose(found[name], values, rtol=1e-12)
        else:
            np.testing.assert_array_equal(found[name], values, err_msg=name)


def test_fractions_are_compared_exactly_where_products_need_two_words():
    rng = np.random.default_rng(5)
    value, other = rng.integers(-(2**62), 2**62, (2, 4000))
    weight, other_weight = rng.integers(1, 2**31, (2, 4000))
    near = rng.random(4000) < 0.7  # the same fraction, or the next
    shrink = np.maximum(np.abs(value) // 2**32, 1) * np.sign(value)
    value = np.where(near, shrink * weight, value)
    other = np.where(near, shrink * other_weight + rng.integers(-1, 2, 4000), other)
    exact = [
        Fraction(int(a), int(b)) > Fraction(int(c), int(d)) for a, b, c, d in zip(value, weight, other, other_weight)
    ]
    assert loops._larger.py_func is not None
    assert [bool(loops._larger.py_func(*row)) for row in zip(value, weight, other, other_weight)] == exact
    with jax.enable_x64(True):
        found = kernel._larger(*map(jnp.asarray, (value, weight, other, other_weight)))
    assert np.asarray(found).tolist() == exact
    assert 1000 < sum(exact) < 3000


def test_large_weights_and_utilities_decide_exactly():
    """Prices whose products need 72 bits: in 64 they would wrap, and the wrong item be shown."""
    rng = np.random.default_rng(6)
    prior, utility = rng.integers(2**28, 2**29, (20, 4)).tolist(), rng.integers(0, 1000, (20, 4, 2)).tolist()
    items = [[0, 1, 1, 1], [0, 0, 1, 1], [0, 1, 0, 1]]
    problems = [oracle.Problem(weights, of_acts, items) for weights, of_acts in zip(prior, utility)]
    check(by_loops(problems, 3, "face value"), problems, 3, "face value")
    same(by_kernel(problems, 3, "face value"), by_loops(problems, 3, "face value"))
