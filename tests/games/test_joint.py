"""Games over partitions: the engine against the oracle, the laws of the games, and what is refused."""

from __future__ import annotations

import itertools
import math
import random
from dataclasses import replace
from functools import cache

import equilibrax as eq
import jax
import jax.numpy as jnp
import numpy as np
import oracles_persuasion as oracle
import pytest
from equilibrax import PersuasionGame, Status
from equilibrax_kernels.partitions.splits import best_splits, supported

LAMBDAS = (0.0, 2.5, math.inf)
SHAPES = {  # signals, states, actions, providers, number of games
    "alone": (1, 4, 3, 3, 104),
    "informed": (2, 3, 2, 2, 104),
    "large": (1, 5, 3, 2, 16),
}


@cache
def games(shape: str) -> list[oracle.Game]:
    *sizes, count = SHAPES[shape]
    rng = random.Random(shape)
    return [oracle.random_game(rng, *sizes, high=rng.choice((1, 2, 5))) for _ in range(count)]


def batch(of: list[oracle.Game]) -> PersuasionGame:
    arrays = {name: np.array([getattr(g, name) for g in of], np.int64) for name in ("weights", "user", "providers")}
    available = np.array([g.available for g in of], bool)
    return PersuasionGame(**arrays, available=available, table_id=np.arange(len(of)), resolution=1)


@cache
def solved(shape: str, game: eq.games.Game | str) -> eq.games.PartitionResult:
    return eq.solve(batch(games(shape)), game)


def assert_summary(
    result: eq.games.PartitionResult, at: tuple, game: oracle.Game, found: list, how: float | None
) -> None:
    """Worst, best, number and first worst partition are those of the equilibria `found`."""
    expected = oracle.summary(game, found, how)
    assert result.equilibria[at] == expected["count"]
    assert oracle.from_labels(result.worst_partition[at]) == expected["worst_partition"]
    for name in ("worst", "best"):
        came = getattr(result, f"{name}_value")[at]
        assert abs(came - expected[name]) <= (0 if how is None else 1e-8 * game.unit), name
        assert abs(getattr(result, f"{name}_utility")[at] - float(expected[name]) / game.unit) < 1e-8


def assert_end(result: eq.games.PartitionResult, at: tuple, game: oracle.Game, path, how: float | None) -> None:
    """Dynamics ends with the oracle's partition after as many moves."""
    assert oracle.from_labels(result.dynamics_partition[at]) == path.partition
    assert result.dynamics_steps[at] == path.steps
    value = oracle.values(game, how)[path.partition][0]
    assert abs(result.dynamics_value[at] - value) <= (0 if how is None else 1e-8 * game.unit)


def cases(shape: str, result: eq.games.PartitionResult):
    """Every (position, game, committee, lambda) whose comparisons are not at the mercy of rounding."""
    skipped = 0
    for i, game in enumerate(games(shape)):
        for r, how in enumerate(result.rationalities):
            if oracle.ambiguous(game, how):
                skipped += 1
                continue
            for c, committee in enumerate(result.committees.tolist()):
                yield ((i, r, c) if isinstance(result.rationality, tuple) else (i, c)), game, committee, how
    assert skipped <= 0.05 * len(games(shape)) * len(result.rationalities)


# --- the oracle -------------------------------------------------------------------------------------------------------

QUANTAL = eq.Quantal(LAMBDAS)
JOINT = [(shape, response) for shape in SHAPES for response in ("best", QUANTAL)]


@pytest.mark.slow
@pytest.mark.parametrize(("shape", "response"), JOINT)
def test_joint_game_agrees_with_the_oracle(shape, response):
    """Equilibria among all profiles of partitions, or (five states) among those in which all post the same."""
    equilibria = oracle.joint_symmetric if shape == "large" else oracle.joint_by_profiles
    result = solved(shape, eq.Joint(response))
    assert not result.status.any()
    for at, game, committee, how in cases(shape, result):
        assert_summary(result, at, game, equilibria(game, committee, how), how)
        assert_end(result, at, game, oracle.joint_dynamics(game, committee, how), how)
        assert result.near_ties[at[:-1]].tolist() == oracle.near_ties(game, how)
        assert result.optimum_value[at[0]] == oracle.first_best(game)


OBEDIENT = [
    ("alone", eq.Obedient(tie_break="incumbent")),
    ("alone", eq.Obedient(tie_break="lowest_index")),
    ("informed", eq.Obedient(tie_break="lowest_index", response=QUANTAL)),
]


@pytest.mark.slow
@pytest.mark.parametrize(("shape", "options"), OBEDIENT)
def test_obedient_selection_agrees_with_the_oracle(shape, options):
    """Partitions selected in equilibrium: among all profiles, or (three providers of four states) if all post them."""
    equilibria = oracle.selection_by_profiles if shape == "informed" else oracle.selection_equilibria
    result = solved(shape, options)
    ties = options.tie_break
    assert not result.status.any()
    for at, game, committee, how in cases(shape, result):
        assert_summary(result, at, game, equilibria(game, committee, ties, how), how)
        assert_end(result, at, game, oracle.selection_dynamics(game, committee, ties, how), how)


# What "better" means if values differ by about the tolerance: by more than it, pair by pair.


def by_pairs(values, committee, ties, slack):
    """Positions of the equilibria among value vectors (user first), from the definition."""
    team, several = oracle.members(committee), committee & (committee - 1)

    def beaten(f, j):
        if not several:
            return any(g[1 + j] > f[1 + j] + slack for g in values)
        weak = ties == "lowest_index" and j == team[0]
        return any(
            (g[0] >= f[0] - slack if weak else g[0] > f[0] + slack) and g[1 + j] > f[1 + j] + slack for g in values
        )

    return [n for n, f in enumerate(values) if not any(beaten(f, j) for j in team)]


def stepwise(values, committee, ties, slack):
    """Where best-response dynamics ends and after how many moves, from the definition."""
    team = oracle.members(committee)

    def first_best(chosen, *players):
        for p in players:
            top = max(values[n][p] for n in chosen)
            chosen = [n for n in chosen if values[n][p] >= top - slack]
        return chosen[0]

    posts = {j: first_best(range(len(values)), 1 + j) for j in team}
    top = max(values[n][0] for n in posts.values())
    selected = next(j for j in team if values[posts[j]][0] >= top - slack)
    now, turn, steps, quiet = posts[selected], 0, 0, 0
    while quiet < len(values[0]):
        j, turn, quiet = turn, (turn + 1) % (len(values[0]) - 1), quiet + 1
        if j in team and j != selected and steps < 200:
            wins = ties == "lowest_index" and j < selected
            user, own = values[now][0], values[now][1 + j]
            gains = [
                n
                for n, g in enumerate(values)
                if (g[0] >= user - slack if wins else g[0] > user + slack) and g[1 + j] > own + slack
            ]
            if gains:
                now, selected, steps, quiet = first_best(gains, 1 + j, 0), j, steps + 1, 0
    return now, steps


@pytest.mark.parametrize("ties", ["incumbent", "lowest_index"])
@pytest.mark.parametrize(("rationality", "tolerance"), [(10.0, 0.02), (2.5, 0.05), (40.0, 0.005)])
def test_quantal_values_do_not_chain(rationality, tolerance, ties):
    """52 partitions, many closer to the next than the tolerance, and the ends of the chain far apart."""
    rng = random.Random(7)
    chosen = [oracle.random_game(rng, 1, 5, 3, 2, high=5) for _ in range(6)]
    result = eq.solve(batch(chosen), eq.Obedient(ties, eq.Quantal(rationality, tolerance)), throw=False)
    chained = 0
    for i, game in enumerate(chosen):
        of = oracle.values(game, rationality)
        order = sorted(of, key=lambda p: p)  # the list of the engine: by cells, in lexicographic order
        values, slack = [of[p] for p in order], tolerance * game.unit
        for player, column in enumerate(zip(*values)):
            ordered = sorted(column)
            close = sum(b - a <= slack for a, b in itertools.pairwise(ordered))
            assert result.near_ties[i, player] == close
            chained += close and ordered[-1] - ordered[0] > 10 * slack
        for c, committee in enumerate(result.committees.tolist()):
            found = by_pairs(values, committee, ties, slack)
            assert result.equilibria[i, c] == len(found), (i, committee)
            if not found:
                assert result.status[i, c] == Status.NO_EQUILIBRIUM
                continue
            worst = min(values[n][0] for n in found)
            assert result.worst_value[i, c] == pytest.approx(worst, abs=1e-9 * game.unit)
            assert result.best_value[i, c] == pytest.approx(max(values[n][0] for n in found), abs=1e-9 * game.unit)
            first = next(n for n in found if values[n][0] <= worst + slack)
            assert oracle.from_labels(result.worst_partition[i, c]) == order[first]
            end, steps = stepwise(values, committee, ties, slack)
            if steps < 200:
                assert (oracle.from_labels(result.dynamics_partition[i, c]), result.dynamics_steps[i, c]) == (
                    order[end],
                    steps,
                )
    assert chained >= 6


@pytest.mark.parametrize("seed", range(3))
def test_a_chain_of_values_is_not_one_value(seed):
    """No two neighbours of the 52 values are further apart than the tolerance: still only the top is a monopolist's."""
    game = oracle.random_game(random.Random(seed), 1, 5, 3, 1, high=5)
    column = sorted(value[1] for value in oracle.values(game, 4.0).values())
    slack = 1.001 * max(b - a for a, b in itertools.pairwise(column))
    result = eq.solve(batch([game]), eq.Obedient(response=eq.Quantal(4.0, slack / game.unit), dynamics=False))
    top = sum(value >= column[-1] - slack for value in column)
    assert result.equilibria[0, 0] == top < len(column)
    assert result.near_ties[0, 1] == len(column) - 1


def test_aligned_provider_agrees_with_the_oracle():
    quantal = solved("informed", eq.Aligned(QUANTAL))
    for i, r in itertools.product(range(104), range(3)):
        game = games("informed")[i]
        value, partition = oracle.aligned(game, LAMBDAS[r])
        assert abs(quantal.worst_value[i, r, 0] - value) <= 1e-8 * game.unit
        if not oracle.ambiguous(game, LAMBDAS[r]):
            assert quantal.best_value[i, r, 0] == pytest.approx(quantal.worst_value[i, r, 0], abs=1e-8 * game.unit)
            reached = oracle.values(game, LAMBDAS[r])[oracle.from_labels(quantal.worst_partition[i, r, 0])][0]
            assert abs(reached - oracle.values(game, LAMBDAS[r])[partition][0]) <= 1e-8 * game.unit
    assert quantal.tables.committee_name(1) == "provider 1"


# --- laws -------------------------------------------------------------------------------------------------------------

FIELDS = ("worst_value", "best_value", "equilibria", "dynamics_steps", "dynamics_value")
SOLVE = [eq.Joint(), eq.Obedient()]


@pytest.mark.parametrize("game", SOLVE)
def test_affine_payoffs_of_providers_change_nothing(game):
    before, tables = solved("alone", game), batch(games("alone"))
    factor, constant = np.array([2, 7, 1])[:, None, None, None], np.array([-3, 0, 11])[:, None, None, None]
    shifted = tables.providers * factor + constant * tables.weights[:, None, :, :, None]
    after = eq.solve(replace(tables, providers=shifted), game)
    for name in (*FIELDS, "worst_partition", "dynamics_partition", "near_ties"):
        np.testing.assert_array_equal(getattr(after, name), getattr(before, name), err_msg=name)


@pytest.mark.parametrize("game", SOLVE)
def test_names_of_states_and_providers_do_not_matter(game):
    before, tables = solved("alone", game), batch(games("alone"))
    states = [2, 0, 3, 1]
    moved = replace(
        tables,
        weights=tables.weights[:, :, states],
        user=tables.user[:, :, states],
        providers=tables.providers[:, [1, 2, 0]][:, :, :, states],
        available=tables.available[:, states],
    )
    after = eq.solve(moved, game)
    position = [
        int(np.flatnonzero(after.committees == ((c >> 1) | (c & 1) << 2))[0]) for c in before.committees.tolist()
    ]
    for name in FIELDS[:3]:
        np.testing.assert_array_equal(getattr(after, name)[:, position], getattr(before, name), err_msg=name)


def test_with_two_providers_telling_everything_is_an_equilibrium():
    for shape in ("alone", "informed"):
        result = solved(shape, "joint")
        several = (result.committees & (result.committees - 1)) != 0
        for values in (result.best_value[:, several],):
            np.testing.assert_array_equal(values, np.broadcast_to(result.optimum_value[:, None], values.shape))


def test_infinite_rationality_is_the_best_response_where_it_is_unique():
    full = [g for g in games("alone") if all(map(all, g.available))] or [oracle.everywhere_available(games("alone")[0])]
    rng = np.random.default_rng(5)
    tables = batch(full[:1] * 96)
    weights = tables.weights[:, :, :, None]
    tables = replace(
        tables,
        user=rng.integers(0, 2**20, tables.user.shape) * weights,
        providers=rng.integers(0, 2**20, tables.providers.shape) * weights[:, None],
    )
    best = eq.solve(tables, "joint")
    quantal = eq.solve(tables, eq.Joint(response=eq.Quantal(LAMBDAS)))
    for name in (*FIELDS, "worst_partition", "dynamics_partition"):
        np.testing.assert_array_equal(getattr(quantal, name)[:, 2], getattr(best, name), err_msg=name)


def test_many_states_against_recursion():
    values = np.random.default_rng(6).integers(-9, 9, (2**7, 2)).astype(np.int32)
    split, best = (np.asarray(found) for found in jax.jit(best_splits, static_argnums=1)(values, 7))

    @cache
    def of(cells: int, lane: int) -> tuple[int, int]:
        """The best split and the best, of a set: over its subsets with its highest bit."""
        rest = cells ^ (1 << (cells.bit_length() - 1))
        parts = [cells ^ s for s in range(1, rest + 1) if s & rest == s]
        found = max((int(values[p, lane]) + of(cells ^ p, lane)[1] for p in parts), default=-(10**9))
        return found, max(found, int(values[cells, lane]))

    for cells, lane in itertools.product(range(1, 2**7), range(2)):
        expected = of(cells, lane)
        assert best[cells, lane] == expected[1]
        if cells.bit_count() > 1:
            assert split[cells, lane] == expected[0]


def test_all_partitions_are_counted():
    zeros, stable = jnp.zeros((2**6, 1), jnp.int32), jnp.ones((2**6, 1), bool)
    program = jax.jit(supported, static_argnums=(2, 3))
    worst, best, count, partition = program(zeros, stable, np.int32, 6, jnp.zeros(1, jnp.int32))
    assert (int(worst[0]), int(best[0]), int(count[0])) == (0, 0, 203)  # the 6th Bell number
    np.testing.assert_array_equal(partition[:, 0], 1 << np.arange(5, -1, -1))  # cells {0}, {1}, ...: smallest bitmasks


def test_rows_of_a_batch_do_not_touch_each_other():
    tables, whole = batch(games("informed")), solved("informed", "joint")
    order = np.random.default_rng(7).permutation(96)
    shuffled = eq.solve(jax.tree.map(lambda leaf: leaf[order], tables), "joint")
    for name in (*FIELDS, "worst_partition", "dynamics_partition", "near_ties", "table_id"):
        np.testing.assert_array_equal(getattr(shuffled, name), getattr(whole, name)[order], err_msg=name)


# --- options and the door ---------------------------------------------------------------------------------------------


def test_step_limit_is_a_status_or_an_error():
    tables = batch(games("alone"))
    result = eq.solve(tables, eq.Joint(dynamics=eq.Dynamics(step_limit=0)), throw=False)
    stopped = result.status == int(Status.DYNAMICS_LIMIT)
    np.testing.assert_array_equal(stopped, solved("alone", "joint").dynamics_steps > 0)
    with pytest.raises(eq.SolveError, match="DYNAMICS_LIMIT"):
        eq.solve(tables, eq.Joint(dynamics=eq.Dynamics(step_limit=0)))


@pytest.mark.parametrize(
    ("game", "message"),
    [
        (lambda: "oblivous", ".* got 'oblivous'; did you mean 'oblivious'"),
        (lambda: eq.Joint(rules="lottery"), "rules: .* got 'lottery'; did you mean 'lotteries'"),  # pyright: ignore
        (lambda: "chess", "game: expected one of 'selection', 'obedient', 'joint', 'oblivious', 'aligned', "),
        (lambda: eq.Joint("nice"), "response: expected \"best\" or a Quantal, got 'nice'"),
        (lambda: eq.Joint(3), 'response: expected "best" or a Quantal, got 3'),
        (lambda: eq.Quantal(-1), "rationality: expected numbers of at least 0"),
        (lambda: eq.Quantal([1, math.nan]), "rationality: expected numbers of at least 0"),
        (lambda: eq.Quantal("high"), "rationality: expected numbers of at least 0"),
        (lambda: eq.Quantal("10"), "rationality: expected numbers of at least 0"),
        (lambda: eq.Quantal([]), "rationality: expected numbers of at least 0"),
        (lambda: eq.Quantal(1, -1), "tolerance: expected a finite number of at least 0"),
        (lambda: eq.Joint(dynamics=eq.Dynamics("random", seed=1)), "dynamics: expected best deviations in turn"),
        (lambda: eq.Joint(dynamics="yes"), "dynamics: expected True, False or a Dynamics, got 'yes'"),
        (lambda: "selection", "tables: expected UtilityTables in the selection game, got PersuasionGame"),
    ],
)
def test_what_makes_no_sense_is_refused_in_one_line(game, message):
    with pytest.raises(ValueError, match=message) as caught:
        eq.solve(batch(games("alone")), game())
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize(
    ("game", "option"),
    [
        (eq.Quantal, {}),
        (eq.Joint, {"misalignment": True}),
        (eq.Joint, {"obedience": True}),
        (eq.Joint, {"tie_break": "lowest_index"}),
        (eq.Joint, {"order": "random"}),
        (eq.Joint, {"method": "dense"}),
        (eq.Aligned, {"dynamics": True}),
        (eq.Selection, {"response": eq.Quantal(1)}),
        (eq.Obedient, {"misalignment": True}),
    ],
)
def test_options_that_do_not_apply_cannot_be_written(game, option):
    with pytest.raises(TypeError, match=next(iter(option), "rationality")):
        game(**option)


@pytest.mark.parametrize(
    ("game", "options", "message"),
    [
        ("joint", {"committees": [8]}, "committees: expected bitmasks from 1 to 7"),
        ("aligned", {"committees": [1]}, 'committees: expected "all" in the aligned game'),
        ("joint", {"backend": "gpu"}, "backend: expected one of 'auto', 'xla', 'cpu', got 'gpu'"),
    ],
)
def test_what_solve_does_not_take_is_refused_in_one_line(game, options, message):
    with pytest.raises(ValueError, match=message) as caught:
        eq.solve(batch(games("alone")), game, **options)
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize(
    ("states", "game", "message"),
    [
        (26, "joint", r"states whose subsets fit in 8 GiB, got 26, which need about [\d,]+ GiB"),
        (12, "obedient", r"at most 11 states in the obedient game, got 12, whose 4,213,597 partitions"),
    ],
)
def test_too_many_states_are_refused_with_the_memory_they_need(states, game, message):
    tables = eq.sample_tables("uniform", 1, states=states, actions=2, providers=2, seed=0)
    with pytest.raises(ValueError, match=message):
        eq.solve(tables, game)


def test_results_can_be_shown(capsys):
    result = solved("informed", eq.Joint(QUANTAL))
    result.show(0, width=160)
    printed = capsys.readouterr().out
    assert "joint, quantal response, tolerance 1e-09" in printed
    assert printed.count("inf") == 3
    assert result.index(("provider 1", "provider 2")) == 2
    assert result.partition_text([0, 1, 0]) == "0 2 | 1"


@pytest.mark.slow
def test_chunks_that_compute_side_by_side_give_what_one_thread_gives(monkeypatch):
    tables = eq.sample_tables("uniform", 150, states=3, actions=2, providers=2, seed=4)
    monkeypatch.setattr("equilibrax.games.joint.chunk_size", lambda rows, bytes_per_row, mesh: 64)
    found = []
    for threads in (1, 3):
        monkeypatch.setattr("equilibrax._core.batching.idle_cores", lambda mesh, threads=threads: threads)
        found.append(eq.solve(tables, eq.Joint(dynamics=False)))
    assert (found[0].worst_value == found[1].worst_value).all()
    assert (found[0].equilibria == found[1].equilibria).all()
    assert (found[0].worst_partition == found[1].worst_partition).all()
    alone = eq.solve(tables[140:], eq.Joint(dynamics=False))
    assert (found[1].worst_value[140:] == alone.worst_value).all()
