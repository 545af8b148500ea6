"""The selection game: the engine against the oracle, the laws of the game, tables too large for any oracle."""

from __future__ import annotations

import itertools
import random
import re
from dataclasses import replace

import equilibrax as eq
import equilibrax._core.batching as batching
import equilibrax.games.selection_engine as selection
import numpy as np
import oracles
import pytest
from equilibrax import Status
from hypothesis import given, settings, strategies as st
from hypothesis.extra.numpy import arrays

RULES = ("incumbent", "lowest_index")
METHODS = ("dense", "frontier")
BACKENDS = ("cpu", "xla")
WAYS = (("dense", "xla"), ("frontier", "xla"), ("auto", "cpu"))
INTEGERS = ("optimum_value", "worst_value", "best_value", "equilibria", "worst_scheme", "status")
DYNAMICS = ("dynamics_value", "dynamics_scheme", "dynamics_steps")


def random_games(seed: int, count: int, states: int, actions: int, providers: int) -> list[oracles.Table]:
    rng = random.Random(seed)
    games = [oracles.random_table(rng, states, actions, providers) for _ in range(count)]
    full = [[True] * actions] * states  # one table with all actions, so that batches of any seed have one shape
    return [replace(games[0], available=full), *games[1:]]


def assert_same(
    one: eq.games.SelectionResult, other: eq.games.SelectionResult, names=INTEGERS + DYNAMICS, rows=slice(None)
):
    for name in names:
        np.testing.assert_array_equal(getattr(one, name), getattr(other, name)[rows], err_msg=name)


def unit(result: eq.games.SelectionResult, game: oracles.Table, i: int) -> int:
    """Weights of the prior without a common factor are smaller by this factor."""
    return game.total // int(np.asarray(result.tables.prior)[i].sum())


def assert_dynamics(result: eq.games.SelectionResult, games, tie_break: str, deviation: str = "best") -> None:
    """Schemes, steps and values where best-response dynamics ends are the oracle's."""
    for i, game in enumerate(games):
        for c, committee in enumerate(result.committees.tolist()):
            scheme, steps, _ = oracles.dynamics(game, committee, tie_break, deviation)
            assert tuple(result.dynamics_scheme[i, c].tolist()) == scheme, (game, committee)
            assert result.dynamics_steps[i, c] == steps, (game, committee)
            assert result.dynamics_value[i, c] * unit(result, game, i) == oracles.value_of(game, scheme)[0]
            if deviation == "best":
                assert scheme in oracles.equilibria(game, committee, tie_break)


def assert_equilibria(result: eq.games.SelectionResult, games, tie_break: str) -> None:
    """Optimum, worst, best, number and first worst scheme of every table and committee are the oracle's."""
    for i, game in enumerate(games):
        for c, committee in enumerate(result.committees.tolist()):
            expected = oracles.solve(game, committee, tie_break)
            came = {
                "optimum": result.optimum_value[i] * unit(result, game, i),
                "worst": result.worst_value[i, c] * unit(result, game, i),
                "best": result.best_value[i, c] * unit(result, game, i),
                "count": result.equilibria[i, c],
                "worst_scheme": tuple(result.worst_scheme[i, c].tolist()),
            }
            assert came == expected, (game, committee)


# --- the tables of the paper ------------------------------------------------------------------------------------------


@pytest.mark.slow
@pytest.mark.parametrize(("method", "backend"), WAYS)
@pytest.mark.parametrize("tie_break", RULES)
@pytest.mark.parametrize(("name", "committees"), [("synthetic-1", 31), ("synthetic-2", 31), ("movielens", 63)])
def test_paper_tables_agree_with_the_oracle(name, committees, tie_break, method, backend):
    result, game = (
        eq.solve(eq.load_paper_table(name), eq.Selection(tie_break=tie_break, method=method), backend=backend),
        oracles.paper_table(name),
    )
    assert result.committees.tolist() == list(range(1, committees + 1))
    assert_equilibria(result, [game], tie_break)
    assert_dynamics(result, [game], tie_break)
    assert not result.status.any()
    scale = game.total * oracles.PAPER_SCALE
    assert result.worst_utility[0].tolist() == [v / scale for v in result.worst_value[0].tolist()]
    expected = [oracles.misalignment(game, c, tie_break=tie_break) / oracles.PAPER_SCALE for c in result.committees]
    np.testing.assert_allclose(result.misalignment[0], expected, rtol=0, atol=1e-9)
    assert (result.worst_utility >= result.bound - 1e-12).all()  # Theorem 6

    everybody = {"synthetic-1": 0.576667, "synthetic-2": 0.92, "movielens": 0.85}[name]
    assert round(result.optimum[0, -1], 6) == round(result.worst_utility[0, -1], 6) == everybody
    tight = (np.abs(result.worst_utility - result.bound) < 1e-9) & (result.misalignment > 1e-9)
    assert tight.sum() == (2 if name == "synthetic-2" else 0)
    np.testing.assert_allclose(result.misalignment[tight], 0.07, rtol=0, atol=1e-9)


# --- small tables full of ties ----------------------------------------------------------------------------------------


@st.composite
def small_games(draw, states: int, actions: int, providers: int, width: int, count: int = 8) -> list[oracles.Table]:
    """Few distinct utilities, priors that are not uniform, at most `actions` of `width` actions in each state.

    The first table has `actions` of them in its first state, so that every batch has the same shape.
    """

    def integers(shape, low, high):  # without a fill value, which would make most tables constant
        return draw(arrays(np.int64, shape, elements=st.integers(low, high), fill=st.nothing()))

    utilities = integers((count, providers + 1, states, width), -2, 2)
    prior = integers((count, states), 1, 3)
    places = integers((count, states, actions), 0, width - 1)
    places[0, 0] = np.arange(actions)
    available = np.zeros((count, states, width), bool)
    np.put_along_axis(available, places, True, axis=2)
    return [oracles.Table(u[0].tolist(), u[1:].tolist(), p.tolist(), a) for u, p, a in zip(utilities, prior, available)]


@pytest.mark.slow
@pytest.mark.parametrize("tie_break", RULES)
@pytest.mark.parametrize(("shape", "width"), [((2, 3, 3), 3), ((3, 2, 2), 4)])
@settings(max_examples=30)
@given(data=st.data())
def test_small_tables_agree_with_the_oracle(tables_of, shape, width, tie_break, data):
    games = data.draw(small_games(*shape, width))
    tables = tables_of(games)
    dense, frontier, loops = (
        eq.solve(tables, eq.Selection(tie_break=tie_break, method=method), backend=backend) for method, backend in WAYS
    )
    assert not dense.status.any()
    assert_equilibria(dense, games, tie_break)
    assert_dynamics(dense, games, tie_break)
    for other in (frontier, loops):
        assert_same(other, dense)
        np.testing.assert_allclose(other.misalignment, dense.misalignment, rtol=0, atol=1e-9)
    assert (dense.worst_utility >= dense.bound - 1e-9).all()
    for i, committee in itertools.product(range(0, len(games), 3), dense.committees.tolist()):
        listed = eq.games.equilibrium_schemes(tables[i], committee, tie_break=tie_break)
        assert list(map(tuple, listed.tolist())) == oracles.equilibria(games[i], committee, tie_break)


@pytest.mark.slow
@pytest.mark.parametrize("backend", BACKENDS)
@pytest.mark.parametrize("deviation", ["best", "minimal"])
@pytest.mark.parametrize("tie_break", RULES)
def test_random_tables_agree_with_the_oracle(tables_of, tie_break, deviation, backend):
    """Many games with long dynamics at once, in a committee order of one's own."""
    games, masks = random_games(1, 160, 3, 3, 3), [7, 5, 1, 6, 3]
    result = eq.solve(
        tables_of(games),
        eq.Selection(tie_break=tie_break, misalignment=False, dynamics=eq.Dynamics(deviation=deviation)),
        committees=masks,
        backend=backend,
    )
    assert result.committees.tolist() == masks
    assert_equilibria(result, games, tie_break)
    assert_dynamics(result, games, tie_break, deviation)
    assert result.dynamics_steps.max() >= 3
    assert result.index(6) == 3
    with pytest.raises(ValueError, match=r"^committee: expected one of those solved, got 2$"):
        result.index(2)
    if deviation == "minimal":  # the selected provider passes although it may have more to gain
        ends = [[oracles.dynamics(g, c, tie_break, deviation)[0] for c in masks] for g in games]
        stable = [
            [end in oracles.equilibria(g, c, tie_break) for end, c in zip(row, masks)] for g, row in zip(games, ends)
        ]
        assert not np.all(stable)


def stable_bits(table: eq.UtilityTables) -> tuple[np.ndarray, np.ndarray]:
    """`(user [S], stable [S, K])` of one table by comparing every pair of schemes, in the order of the schemes."""
    utilities = np.concatenate([np.asarray(table.user), np.asarray(table.providers)[0]]).astype(np.int64)
    utilities *= np.asarray(table.prior)[0][:, None]
    schemes = np.array(list(itertools.product(range(table.actions), repeat=table.states)))
    values = utilities[:, np.arange(table.states), schemes].sum(axis=2)
    better = values[:, None] > values[:, :, None]  # [P, f, g]: g is better than f
    return values[0], ~(better[0] & better[1:]).any(axis=2).T


def test_sixteen_providers_have_65535_committees():
    rng = np.random.default_rng(16)
    table = eq.from_integers(rng.integers(0, 9, (4, 2)), rng.integers(0, 9, (16, 4, 2)), prior=[1, 2, 3, 4])
    result = eq.solve(table, eq.Selection(misalignment=False, dynamics=False))
    user, stable = stable_bits(table)
    member = (result.committees[:, None] >> np.arange(16)) & 1 == 1
    several = member.sum(axis=1) > 1
    equilibrium = ~(member[several] @ ~stable.T)  # [C, S]: no member objects
    assert result.equilibria.shape == (1, 2**16 - 1)
    np.testing.assert_array_equal(result.equilibria[0, several], equilibrium.sum(axis=1))
    np.testing.assert_array_equal(result.worst_value[0, several], np.where(equilibrium, user, user.max()).min(axis=1))
    assert len(set(result.worst_value[0].tolist())) > 3  # a table with something to tell
    # What was not asked for is None.
    assert result.fit is result.misalignment is result.bound is None
    assert result.dynamics_value is result.dynamics_scheme is result.dynamics_steps is result.dynamics_utility is None


# --- laws of the game -------------------------------------------------------------------------------------------------


def law_tables(seed: int = 3) -> eq.UtilityTables:
    rng = np.random.default_rng(seed)
    return eq.from_integers(
        rng.integers(0, 4, (16, 3, 3)), rng.integers(0, 4, (16, 3, 3, 3)), rng.integers(1, 4, (16, 3))
    )


def solve_plainly(tables: eq.UtilityTables, tie_break: str) -> eq.games.SelectionResult:
    return eq.solve(tables, eq.Selection(tie_break=tie_break, misalignment=False))


def renamed_states_and_actions(tables):
    states, actions = [2, 0, 1], [1, 2, 0]

    def rename(u):
        return np.asarray(u)[..., states, :][..., actions]

    return replace(tables, user=rename(tables.user), providers=rename(tables.providers), prior=tables.prior[:, states])


def scaled_user(tables):
    return replace(tables, user=tables.user * 7 - 11)


def scaled_providers(tables):
    factor, shift = np.array([2, 3, 5], np.int32), np.array([-9, 4, 0], np.int32)
    return replace(tables, providers=tables.providers * factor[:, None, None] + shift[:, None, None])


def scaled_prior(tables):
    return replace(tables, prior=tables.prior * 5)


LAWS = [
    (renamed_states_and_actions, ("optimum_value", "worst_value", "best_value", "equilibria")),
    (scaled_user, ("equilibria", "worst_scheme", "dynamics_scheme", "dynamics_steps")),
    (scaled_providers, INTEGERS + DYNAMICS),
    (scaled_prior, ("equilibria", "worst_scheme", "dynamics_scheme", "dynamics_steps")),
]


@pytest.mark.slow
@pytest.mark.parametrize("tie_break", RULES)
def test_what_names_and_units_do_not_change(tie_break):
    tables = law_tables()
    before = solve_plainly(tables, tie_break)
    for change, unchanged in LAWS:
        after = solve_plainly(change(tables), tie_break)
        assert_same(after, before, unchanged)
        if change is scaled_prior:
            np.testing.assert_array_equal(after.worst_utility, before.worst_utility)
        if change is scaled_user:
            shift = 11 * tables.prior.sum(axis=1)[:, None]
            np.testing.assert_array_equal(after.worst_value, before.worst_value * 7 - shift)

    # Providers by other names are the same committees by other names, as long as names do not break ties.
    names = [2, 0, 1]
    after = solve_plainly(replace(tables, providers=tables.providers[:, names]), tie_break)
    old_mask = [sum(1 << names[j] for j in range(3) if mask >> j & 1) for mask in after.committees.tolist()]
    columns = np.array(old_mask) - 1
    same = [getattr(after, n) == getattr(before, n)[:, columns] for n in ("worst_value", "best_value", "equilibria")]
    assert all(s.all() for s in same) == (tie_break == "incumbent")

    # Another provider can only object: equilibria become fewer and the worst of them better.
    joined = 0
    for mask, provider in itertools.product(before.committees.tolist(), range(3)):
        lowest_stays = tie_break == "incumbent" or 1 << provider > mask & -mask
        if mask.bit_count() > 1 and not mask >> provider & 1 and lowest_stays:
            small, large = mask - 1, (mask | 1 << provider) - 1
            assert (before.worst_value[:, large] >= before.worst_value[:, small]).all()
            assert (before.equilibria[:, large] <= before.equilibria[:, small]).all()
            joined += (before.worst_value[:, large] > before.worst_value[:, small]).sum()
    assert joined > 0


# --- batches ----------------------------------------------------------------------------------------------------------


@pytest.mark.slow
def test_a_batch_is_its_tables_one_by_one(monkeypatch):
    """Each row is a different game with its own draws: nothing leaks between rows, chunks or committees."""
    tables = law_tables(4)
    game = eq.Selection(dynamics=eq.Dynamics("random", seed=5))
    together = eq.solve(tables, game)
    alone = [eq.solve(table, game) for table in tables]
    assert len({r.worst_value.tobytes() for r in alone}) > 10
    for i, one in enumerate(alone):
        assert_same(one, together, rows=slice(i, i + 1))
        np.testing.assert_allclose(one.misalignment, together.misalignment[i : i + 1], rtol=0, atol=1e-12)
        assert one.table_id.tolist() == [i]
    monkeypatch.setattr(batching, "_CHUNK_BYTES", {"cpu": 1})  # one table per chunk
    assert_same(eq.solve(tables, game, backend="xla"), together)


def test_a_second_batch_compiles_nothing(monkeypatch):
    traces = []

    def counted(*args, **options):
        traces.append(options)
        return real(*args, **options)

    real = selection.solve_listed
    monkeypatch.setattr(selection, "solve_listed", counted)
    rng = np.random.default_rng(0)
    for size, high in ((8, 3), (5, 30), (7, 300), (8, 3000)):
        tables = eq.from_integers(rng.integers(0, high, (size, 2, 3)), rng.integers(0, high, (size, 2, 2, 3)))
        game = eq.Selection(dynamics=eq.Dynamics(step_limit=12345), misalignment=False)
        eq.solve(tables, game, committees=[3], backend="xla")
        assert len(traces) == 1, f"traced again for {size} tables with utilities up to {high}"


# --- dynamics in random order, and stopped ----------------------------------------------------------------------------


def random_order_ends(game: oracles.Table, committee: int, tie_break: str) -> dict[tuple, float]:
    """Probability of every (last scheme, steps) of best-response dynamics, deviators drawn uniformly."""
    values, every = oracles.values(game), oracles.schemes(game)
    team = oracles.members(game, committee)
    posted = {j: every.index(oracles.monopoly_scheme(game, j)) for j in team}
    leader = max(team, key=lambda j: (values[posted[j]][0], -j))
    ends: dict[tuple, float] = {}
    open_ = [(posted[leader], leader, 0, 1.0)]
    while open_:
        at, selected, steps, probability = open_.pop()
        moves = []
        for j in team:
            enough = values[at][0] + (not (tie_break == "lowest_index" and j < selected))
            better = [g for g, v in enumerate(values) if v[0] >= enough and v[1 + j] > values[at][1 + j]]
            if j != selected and better:
                moves.append((max(better, key=lambda g, j=j: (values[g][1 + j], values[g][0], -g)), j))
        for scheme, j in moves:
            open_.append((scheme, j, steps + 1, probability / len(moves)))
        if not moves:
            end = (every[at], steps)
            ends[end] = ends.get(end, 0.0) + probability
    return ends


@pytest.mark.slow
@pytest.mark.parametrize("tie_break", RULES)
def test_random_order_draws_uniformly_and_ends_in_equilibrium(tables_of, tie_break):
    # Games whose outcome is most open, 64 copies each: the copies differ in their ids alone.
    candidates = random_games(9, 60, 3, 3, 3)[1:]
    games = sorted(candidates, key=lambda g: -len(random_order_ends(g, 7, tie_break)))[:4]
    assert len(random_order_ends(games[0], 7, tie_break)) >= 3
    tables = tables_of([game for game in games for _ in range(64)])

    def drawn(seed):
        return eq.Selection(tie_break, eq.Dynamics("random", seed=seed), misalignment=False)

    result = eq.solve(tables, drawn(1))
    for g, game in enumerate(games):
        for c, committee in enumerate(result.committees.tolist()):
            copies = range(64 * g, 64 * g + 64)
            came = [(tuple(result.dynamics_scheme[i, c].tolist()), int(result.dynamics_steps[i, c])) for i in copies]
            expected = random_order_ends(game, committee, tie_break)
            assert set(came) <= set(expected)
            for end, p in expected.items():
                assert abs(came.count(end) - 64 * p) <= 4.5 * np.sqrt(64 * p * (1 - p)) + 1e-9, (end, p)
                assert end[0] in oracles.equilibria(game, committee, tie_break)

    # Draws depend on key, id and committee, not on the company.
    assert_same(eq.solve(tables, drawn(1)), result)
    assert (eq.solve(tables, drawn(2)).dynamics_scheme != result.dynamics_scheme).any()
    backwards = eq.solve(tables[::-1], drawn(1), committees=[7, 6, 5, 4, 3, 2, 1])
    np.testing.assert_array_equal(backwards.dynamics_scheme[::-1, ::-1], result.dynamics_scheme)
    np.testing.assert_array_equal(backwards.dynamics_steps[::-1, ::-1], result.dynamics_steps)
    fewer = eq.solve(tables, drawn(1), committees=[7, 7, 7, 6, 6, 3, 3])
    np.testing.assert_array_equal(fewer.dynamics_scheme, result.dynamics_scheme[:, [6, 6, 6, 5, 5, 2, 2]])
    round_robin = [[oracles.dynamics(g, c, tie_break)[0] for c in result.committees.tolist()] for g in games]
    assert (result.dynamics_scheme.reshape(4, 64, 7, 3) != np.array(round_robin)[:, None]).any()


def test_random_order_needs_a_key():
    with pytest.raises(ValueError, match=r"^seed: expected a JAX random key or an integer seed"):
        eq.solve(law_tables(), eq.Selection(dynamics=eq.Dynamics(order="random")))


def test_a_stopped_dynamics_says_so(tables_of):
    games = random_games(6, 16, 2, 3, 3)
    full = [[oracles.dynamics(g, c) for c in range(1, 8)] for g in games]
    steps = np.array([[s for _, s, _ in row] for row in full])
    assert steps.max() > 1
    game = eq.Selection(dynamics=eq.Dynamics(step_limit=1), misalignment=False)
    result = eq.solve(tables_of(games), game, throw=False)
    np.testing.assert_array_equal(result.status, np.where(steps > 1, int(Status.DYNAMICS_LIMIT), 0))
    np.testing.assert_array_equal(result.dynamics_steps, np.minimum(steps, 1))
    assert_equilibria(result, games, "incumbent")  # the rest does not suffer
    with pytest.raises(eq.SolveError, match="DYNAMICS_LIMIT"):
        eq.solve(tables_of(games), game)


# --- beyond enumeration -----------------------------------------------------------------------------------------------


def constant_table(states: int, actions: int, providers: int = 3) -> eq.UtilityTables:
    return eq.from_integers(np.full((states, actions), 3), np.full((providers, states, actions), 2))


@pytest.mark.slow
@pytest.mark.parametrize(
    ("states", "count", "status"), [(15, 10**15, Status.OK), (20, 2**63 - 1, Status.COUNT_SATURATED)]
)
@pytest.mark.parametrize("backend", BACKENDS)
def test_equal_schemes_are_merged_and_counted(states, count, status, backend):
    game = eq.Selection(method="frontier", capacity=1, max_capacity=1, misalignment=False)
    result = eq.solve(constant_table(states, 10), game, backend=backend)
    assert (result.equilibria == count).all()
    assert (result.status == int(status)).all()
    assert (result.worst_value == 3 * states).all()
    assert not result.worst_scheme.any()
    assert result.retries.tolist() == [0]


@pytest.mark.slow
def test_dense_and_frontier_agree_on_65536_schemes():
    rng = np.random.default_rng(8)
    tables = eq.from_integers(
        rng.integers(0, 12, (2, 8, 4)), rng.integers(0, 12, (2, 2, 8, 4)), rng.integers(1, 4, (2, 8))
    )
    options = {"tie_break": "lowest_index", "misalignment": False}
    dense, frontier, loops = (
        eq.solve(tables, eq.Selection(method=method, **options), backend=backend) for method, backend in WAYS
    )
    assert_same(frontier, dense)
    assert_same(loops, dense)
    assert dense.equilibria[:, 2].max() > 1


@pytest.mark.slow
@pytest.mark.parametrize("backend", BACKENDS)
def test_tables_of_1e20_schemes(backend):
    """Nothing can be enumerated here, but everything that is claimed can be attacked."""
    rng = np.random.default_rng(20)
    table = eq.from_arrays(
        rng.random((20, 10)), rng.random((5, 20, 10)), prior=rng.integers(1, 9, 20), resolution=10_000
    )
    result = eq.solve(table, eq.Selection(misalignment=False), backend=backend)
    assert not result.status.any()
    utilities = np.concatenate([np.asarray(table.user), np.asarray(table.providers)[0]]).astype(np.int64)
    contributions = utilities * np.asarray(table.prior)[0][:, None]  # [P, X, A]

    def value(schemes):
        return contributions[:, np.arange(20), schemes].sum(axis=-1)  # [P, ...]

    assert result.optimum_value[0] == contributions[0].max(axis=1).sum()
    np.testing.assert_array_equal(value(result.worst_scheme[0])[0], result.worst_value[0])
    np.testing.assert_array_equal(value(result.dynamics_scheme[0])[0], result.dynamics_value[0])
    mixtures = [
        [(contributions[0] * (steps - t) + contributions[1 + j] * t).argmax(axis=1) for t in range(steps + 1)]
        for j in range(5)
        for steps in (64,)
    ]
    greedy = np.concatenate(mixtures)  # Pareto schemes of the user and each provider
    for c, committee in enumerate(result.committees.tolist()):
        if committee.bit_count() == 1:
            assert value(result.worst_scheme[0, c])[committee.bit_length()] == (
                contributions[committee.bit_length()].max(axis=1).sum()
            )
            continue
        for scheme in (result.worst_scheme[0, c], result.dynamics_scheme[0, c]):
            neighbours = np.repeat(scheme[None], 2000, axis=0)
            changed = rng.random(neighbours.shape) < rng.random((2000, 1)) / 2
            neighbours = np.where(changed, rng.integers(0, 10, neighbours.shape), neighbours)
            found, mine = value(np.concatenate([greedy, neighbours])), value(scheme)
            for j in range(5):
                if committee >> j & 1:
                    assert not ((found[0] > mine[0]) & (found[1 + j] > mine[1 + j])).any()
    # The attack has teeth: it breaks what is stable for one provider only.
    assert any(
        ((value(greedy)[0] > value(s)[0]) & (value(greedy)[1 + j] > value(s)[1 + j])).any()
        for s in greedy
        for j in range(5)
    )


# --- capacity ---------------------------------------------------------------------------------------------------------


@pytest.mark.slow
@pytest.mark.parametrize("backend", BACKENDS)
def test_overflow_is_retried_or_reported(backend):
    """Constant tables need room for one scheme, the others for more than four."""
    rng = np.random.default_rng(2)
    user, providers = rng.integers(0, 50, (6, 3, 3)), rng.integers(0, 50, (6, 3, 3, 3))
    user[::2], providers[::2] = 1, 1
    tables = eq.from_integers(user, providers)
    small = {"method": "frontier", "capacity": 4}
    expected = eq.solve(tables, eq.Selection(method="dense"))
    grown = eq.solve(tables, eq.Selection(**small), backend=backend)
    assert_same(grown, expected)
    np.testing.assert_allclose(grown.misalignment, expected.misalignment, rtol=0, atol=1e-9)
    assert (grown.retries > 0).tolist() == [False, backend == "xla"] * 3  # the loops grow within a table

    message = r"^3 of 6 tables are not solved; the first is table 1, committee 1: FRONTIER_OVERFLOW\."
    with pytest.raises(eq.SolveError, match=message):
        eq.solve(tables, eq.Selection(max_capacity=4, **small), backend=backend)
    partial = eq.solve(tables, eq.Selection(max_capacity=4, **small), backend=backend, throw=False)
    assert (partial.status[1::2] == int(Status.FRONTIER_OVERFLOW)).all()
    assert (partial.status_names[1::2] == "FRONTIER_OVERFLOW").all()
    assert not partial.solved[1::2].any()
    for name in ("worst_value", "best_value", "equilibria", "worst_scheme", *DYNAMICS):
        assert (getattr(partial, name)[1::2] == -1).all(), name
        np.testing.assert_array_equal(getattr(partial, name)[::2], getattr(expected, name)[::2])
    for name in ("optimum", "worst_utility", "best_utility", "dynamics_utility", "misalignment", "bound"):
        assert np.isnan(getattr(partial, name)[1::2]).all(), name
        np.testing.assert_allclose(getattr(partial, name)[::2], getattr(expected, name)[::2], rtol=0, atol=1e-12)
    assert not partial.fit.certified[1::2].any()


@pytest.mark.slow
@pytest.mark.parametrize("backend", BACKENDS)
def test_wide_tables_of_large_values_are_exact(backend):
    """Values of 42 bits leave few bits for a position: capacity has to give way, not the values."""
    rng = np.random.default_rng(100)
    high = 2**31 - 1
    tables = eq.from_integers(rng.integers(0, high, (1, 2, 100)), rng.integers(0, high, (1, 2, 2, 100)), [300, 301])
    options = {"dynamics": False, "misalignment": False}
    expected = eq.solve(tables, eq.Selection(method="dense", **options), backend="xla")
    frontier = eq.Selection(method="frontier", capacity=2**16, **options)
    assert_same(eq.solve(tables, frontier, backend=backend), expected, INTEGERS)


# --- options ----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"tie_break": "user"}, "tie_break: expected one of 'incumbent', 'lowest_index', got 'user'"),
        ({"dynamics": {"order": "given"}}, "order: expected one of 'round_robin', 'random', got 'given'"),
        ({"dynamics": {"deviation": "worst"}}, "deviation: expected one of 'best', 'minimal', got 'worst'"),
        ({"method": "fast"}, "method: expected one of 'auto', 'dense', 'frontier', got 'fast'"),
        ({"committees": "some"}, "committees: expected \"all\" or a list of bitmasks, got 'some'"),
        ({"committees": []}, 'committees: expected "all" or a non-empty list of bitmasks, got []'),
        ({"committees": [1.0]}, 'committees: expected "all" or a non-empty list of bitmasks, got [1.0]'),
        ({"committees": [3, 8]}, "committees: expected bitmasks from 1 to 7 for 3 providers, got 8"),
        ({"committees": [0, 1]}, "committees: expected bitmasks from 1 to 7 for 3 providers, got 0"),
        ({"capacity": 0}, "capacity: expected a whole number from 1 to 2147483647, got 0"),
        ({"capacity": 3.5}, "capacity: expected a whole number from 1 to 2147483647, got 3.5"),
        ({"max_capacity": 0}, "max_capacity: expected a whole number from 1 to 2147483647, got 0"),
        ({"dynamics": {"step_limit": -1}}, "step_limit: expected a whole number from 0 to 2147483647, got -1"),
        (
            {"dynamics": {"step_limit": 2**40}},
            "step_limit: expected a whole number from 0 to 2147483647, got 1099511627776",
        ),
        ({"devices": []}, "devices: expected at least one JAX device, got none"),
    ],
)
def test_unknown_options_are_refused(options, message):
    how = {name: value for name, value in options.items() if name in ("committees", "devices")}
    mine = {name: value for name, value in options.items() if name not in how}

    def solve():
        turns = {"dynamics": eq.Dynamics(**mine.pop("dynamics"))} if "dynamics" in mine else {}
        eq.solve(law_tables(), eq.Selection(**turns, **mine), **how)

    with pytest.raises(ValueError, match=f"^{re.escape(message)}$"):
        solve()


@pytest.mark.parametrize(
    ("name", "choice", "game"),
    [
        ("method", "dense", eq.Selection(method="dense")),
        ("deviation", "minimal", eq.Selection(dynamics=eq.Dynamics(deviation="minimal"))),
    ],
)
def test_lists_that_are_too_long_are_refused(name, choice, game):
    message = f'{name}="{choice}": expected tables of at most 1,048,576 schemes, got about 1e20'
    with pytest.raises(ValueError, match=message):
        eq.solve(constant_table(20, 10), game)


def test_an_empty_batch_is_refused():
    with pytest.raises(ValueError, match=r"^tables: expected at least one table, got an empty batch$"):
        eq.solve(law_tables()[:0])


@pytest.mark.slow
def test_ties_that_do_not_fit_at_first_are_merged_within_the_same_room():
    """Few distinct values, many schemes: at the limit of the room the last try merges all equal partial schemes."""
    rng = np.random.default_rng(8)
    tables = eq.from_integers(rng.integers(0, 2, (4, 8, 3)), rng.integers(0, 2, (4, 2, 8, 3)))
    expected = eq.solve(tables, eq.Selection(misalignment=False, method="dense"), throw=False)
    small = eq.Selection(misalignment=False, method="frontier", capacity=64, max_capacity=64)
    merged = eq.solve(tables, small, backend="xla", throw=False)
    assert merged.solved.all()
    assert merged.retries.any()
    assert_same(merged, expected)
