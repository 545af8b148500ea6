"""A family of one's own is one function: drawing, solving, sweeping and describing come with it."""

from __future__ import annotations

import equilibrax as eq
import jax
import numpy as np
import pyarrow.parquet as pq
import pytest
from equilibrax.problems import random_tables


def spiteful(key, states, actions, providers, resolution):
    """every provider wants the opposite of the user"""
    user = jax.random.randint(key, (states, actions), 0, resolution + 1)
    return user, jax.numpy.stack([resolution - user] * providers)


@pytest.fixture
def family(monkeypatch):
    """As in DEVELOPING.md; gone after the test."""
    monkeypatch.setattr(random_tables, "_OWN", dict(random_tables._OWN))
    eq.problems.register_family("spiteful", spiteful)
    return "spiteful"


def test_tables_are_drawn_alike_in_any_batch_and_solved(family):
    sizes = {"states": 2, "actions": 2, "providers": 2, "seed": 3}
    tables = eq.sample_tables(family, 6, **sizes)
    assert (np.asarray(tables.providers) == 10_000 - np.asarray(tables.user)[:, None]).all()
    again = eq.sample_tables(family, 2, **sizes, start=3)
    np.testing.assert_array_equal(again.user, tables[3:5].user)
    result = eq.solve(tables)  # whatever is better for the user is worse for everybody else: all schemes are stable
    assert (result.equilibria[:, result.index(0b11)] == 4).all()


def test_it_is_swept_and_described(family, tmp_path):
    config = eq.SweepConfig(family=family, tables=5, states=2, actions=2, providers=2, shard_size=4)
    assert eq.run_sweep(config, tmp_path).complete
    rows = [pq.read_table(file) for file in sorted((tmp_path / "committees").glob("*.parquet"))]
    assert {name for table in rows for name in table["family"].to_pylist()} == {family}
    assert "opposite" in eq.problems.families()[family]
