"""Long sessions: compiled programs do not use up the memory mappings of the process."""

from __future__ import annotations

import chex
import equilibrax as eq
import jax
import jax.numpy as jnp
import pytest
from equilibrax._core import compile_cache as _programs


@pytest.mark.slow
def test_programs_are_forgotten_before_mappings_run_out(monkeypatch):
    count = _programs.mappings
    if not count()[1]:
        pytest.skip("the system does not say how many memory mappings a process may have")

    def solve(states):
        tables = eq.sample_tables("uniform", 2, states=states, actions=2, providers=2, seed=0)
        game = eq.Selection(dynamics=False, misalignment=False)
        return eq.solve(tables, game, backend="xla").worst_value.tolist()  # loops have no programs

    def largest():
        sizes = []
        for states in (3, 4, 5, 6):
            solve(states)
            sizes.append(count()[0])
        return max(sizes)

    first = solve(2)
    with_one = count()[0]
    monkeypatch.setattr(_programs, "_EVERY", 1)
    monkeypatch.setattr(_programs, "mappings", lambda: (count()[0], 2 * with_one))
    forgetting = largest()
    assert solve(2) == first  # compiled again
    monkeypatch.setattr(_programs, "mappings", lambda: (0, 0))
    assert forgetting + 100 < largest()


def test_programs_of_the_user_are_not_forgotten(monkeypatch):
    chex.clear_trace_counter()
    mine = jax.jit(chex.assert_max_traces(lambda x: x + 1, n=1))
    mine(jnp.arange(3))
    ours = _programs.jit(lambda x: x + 2)
    ours(jnp.arange(3))
    monkeypatch.setattr(_programs, "_since", _programs._EVERY)
    monkeypatch.setattr(_programs, "_others", 0)
    monkeypatch.setattr(_programs, "mappings", lambda: (10, 10))
    _programs.make_room()
    assert ours._cache_size() == 0
    mine(jnp.arange(3))  # would be traced a second time
