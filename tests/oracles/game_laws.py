"""What every game keeps to, whatever it is.

A batch is its tables one by one; names of states, actions and providers do not matter; nor do the units of utilities;
labels and slices are kept; rows say what the result says; everything can be pickled and written down; and every row
that is not solved says why.
"""

from __future__ import annotations

import itertools
import pickle
from collections.abc import Callable
from dataclasses import dataclass, fields, is_dataclass, replace
from functools import cache
from typing import Any

import equilibrax as eq
import numpy as np
import pytest
from equilibrax.games import Game, GameResult, JointLotteries, Result, game_from


@dataclass(frozen=True)
class Law:
    """A test of one game.

    Attributes:
        holds: what must not fail.
        over_tables: whether it is about games over tables only.
        options: whether other options than the defaults are worth what they take to compile.
    """

    holds: Callable[[Any], None]
    over_tables: bool
    options: bool


LAWS: dict[str, Law] = {}


def law(over_tables: bool = False, options: bool = False) -> Callable[[Callable[[Any], None]], Callable[[Any], None]]:
    """Add a function to the laws."""

    def added(function: Callable[[Any], None]) -> Callable[[Any], None]:
        LAWS[function.__name__] = Law(function, over_tables, options)
        return function

    return added


QUANTAL = eq.Quantal([0.5, 4.0])
SEARCH = eq.GradientSearch(messages=2, starts=1, steps=20, polish=0)


def variants(kind: type[Game[Any]]) -> list[Game[Any]]:
    """The defaults, and another choice for every option that several games have."""
    names = {f.name for f in fields(kind)}  # pyright: ignore[reportArgumentType]
    found = [kind()]
    found += [kind(dynamics=False)] if "dynamics" in names else []
    found += [kind(response=QUANTAL)] if "response" in names else []
    found += [kind(tie_break="lowest_index")] if "tie_break" in names else []
    found += [kind(rules="lotteries", **({"search": SEARCH} if "search" in names else {}))] if "rules" in names else []
    found += [kind(buyer="bayesian"), kind(buyer="bayesian", rounds="fixed_point")] if "buyer" in names else []
    found += [kind(mechanism="naive")] if "mechanism" in names else []
    return list(dict.fromkeys(found))


COUNT = 4  # of all batches, so that little is compiled


def tables(count: int = COUNT, size: int = 2**20) -> eq.UtilityTables:
    """Tables without ties, so that names decide nothing; with names of their own."""
    rng = np.random.default_rng(11)
    drawn = eq.from_integers(rng.integers(0, size, (count, 3, 3)), rng.integers(0, size, (count, 3, 3, 3)))
    named = [f"table {b}" for b in range(count)]
    return replace(drawn, labels=eq.Labels(("x", "y", "z"), ("a", "b", "c"), ("Ann", "Bob", "Cid"), tuple(named)))


PROBLEMS: dict[type[Any], Callable[[int], Any]] = {
    eq.UtilityTables: tables,
    eq.Market: lambda count: eq.random_markets(count, 2, 2, 3, 2, seed=4),
    eq.DecisionProblem: lambda count: eq.random_problems("costly", count, states=4, items=2, acts=2, seed=4),
    eq.NormalForm: lambda count: eq.random_games("congestion", count, (3, 2, 2), seed=4),
}
"""What games are played over, each of the kinds with some that have equilibria."""


def problem(game: Game[Any], count: int = COUNT) -> Any:
    return next(made(count) for kind, made in PROBLEMS.items() if kind in game.over)


@cache
def solved(game: Game[Any]) -> GameResult:
    return eq.solve(problem(game), game)


def arrays(result: GameResult) -> dict[str, np.ndarray]:
    """Everything that a result says of its tables, by name."""
    names = [f.name for f in fields(result)] + ["worst_utility", "best_utility", "solved", "optimum", "table_id"]
    found = {name: getattr(result, name, None) for name in names}
    count = len(result.problem)
    return {
        name: value
        for name, value in found.items()
        if isinstance(value, np.ndarray) and name != "committees" and len(value) == count
    }


def same(found: np.ndarray, expected: np.ndarray, name: str) -> None:
    if found.dtype.kind == "f":
        np.testing.assert_allclose(
            found, expected, rtol=0, atol=1e-6 * max(1.0, np.nanmax(np.abs(expected), initial=0))
        )
    else:
        np.testing.assert_array_equal(found, expected, err_msg=name)


@law(options=True)
def a_batch_is_its_tables_one_by_one(game: Any) -> None:
    batch = problem(game)
    together = solved(game)
    assert isinstance(together, GameResult)
    assert together.game == game
    for name, values in arrays(eq.solve(batch[2], game)).items():
        same(values, arrays(together)[name][2:3], name)
    backwards = eq.solve(batch[::-1], game)
    for name, values in arrays(backwards).items():
        same(values[::-1], arrays(together)[name], name)


@law()
def names_are_kept_and_committees_have_them(game: Any) -> None:
    batch, whole = problem(game), solved(game)
    assert whole.problem.names() == batch.names()
    assert whole.table_id.tolist() == list(range(COUNT))
    if not isinstance(whole, Result) or game.committees_of(batch.num_providers) == 1:
        return
    names = batch.provider_names()
    some = eq.solve(batch, game, committees=[names[:2], 1])
    assert some.committees.tolist() == [0b11, 1]
    assert some.index(names[:2]) == 0
    axis = whole.status.ndim - 1
    for name in ("worst_utility", "best_utility", "status"):
        expected = np.take(getattr(whole, name), [whole.index(0b11), whole.index(1)], axis=axis)
        same(getattr(some, name), expected, name)
    with pytest.raises(ValueError, match="committee: expected providers among"):
        eq.solve(batch, game, committees=[("nobody",)])


@law(over_tables=True)
def names_of_states_actions_and_providers_do_not_matter(game: Any) -> None:
    before, turned = solved(game), [2, 0, 1]
    given = tables()
    moved = eq.from_integers(
        np.asarray(given.user)[:, turned][:, :, [1, 2, 0]],
        np.asarray(given.providers)[:, turned][:, :, turned][:, :, :, [1, 2, 0]],
    )
    after = eq.solve(moved, game)
    place = [0] * len(before.committees)
    for c, mask in enumerate(before.committees.tolist()):
        renamed = sum(1 << new for new, old in enumerate(turned) if mask >> old & 1)
        place[c] = after.index(renamed) if len(before.committees) > 1 else 0
    for name in ("worst_value", "best_value", "equilibria"):
        same(np.take(getattr(after, name), place, axis=after.status.ndim - 1), getattr(before, name), name)


@law(over_tables=True)
def units_of_the_providers_utilities_do_not_matter(game: Any) -> None:
    before, given = eq.solve(tables(size=1000), game), tables(size=1000)
    factor, constant = np.array([2, 7, 1])[:, None, None], np.array([-3, 0, 11])[:, None, None]
    after = eq.solve(eq.from_integers(given.user, np.asarray(given.providers) * factor + constant), game)
    for name in ("worst_value", "best_value", "equilibria", "optimum"):
        same(getattr(after, name), getattr(before, name), name)


@law(over_tables=True, options=True)
def rows_say_what_the_result_says(game: Any) -> None:
    result = solved(game)
    rows = eq.rows.committee_rows(result)
    assert rows.num_rows == result.status.size
    assert rows["committee"].to_pylist()[: len(result.committees)] == result.committees.tolist()
    for column in result.columns:
        value = getattr(result, column.name, None)
        if column.type == "float64" and (value is None or np.shape(value) == result.status.shape):
            expected = [None] * result.status.size if value is None else value.reshape(-1).tolist()
            assert [np.nan if v is None else v for v in rows[column.name].to_pylist()] == pytest.approx(
                [np.nan if v is None else v for v in expected], abs=0, rel=0, nan_ok=True
            )
    assert rows["optimum"].to_pylist() == result.optimum.reshape(-1).tolist()
    assert isinstance(result, JointLotteries) or rows["worst_utility"].null_count == 0
    assert rows["family"].to_pylist()[0] == "table 0"
    assert rows["status"].to_pylist() == result.status_names.reshape(-1).tolist()
    if "game" in rows.column_names:
        assert set(rows["game"].to_pylist()) == {game.name}


@law(options=True)
def games_and_results_can_be_pickled_and_games_written_down(game: Any) -> None:
    result = solved(game)
    again = pickle.loads(pickle.dumps(result))
    assert again.game == game
    for name, values in arrays(result).items():
        np.testing.assert_array_equal(arrays(again)[name], values, err_msg=name)
    assert pickle.loads(pickle.dumps(game)) == game
    assert game_from(game.described()) == game
    assert hash(game) == hash(game_from(game.described()))
    assert is_dataclass(game)
    with pytest.raises(AttributeError):
        game.name = "another"


@law(options=True)
def intervals_are_disjoint_and_end_at_the_worst_and_the_best(game: Any) -> None:
    """Where a result knows all utilities in equilibrium, of rules that may be lotteries."""
    result, batch = solved(game), problem(game)
    if not hasattr(result, "intervals"):
        pytest.skip("knows the worst and the best alone")
    listed = eq.rows.committee_rows(result)["intervals"].to_pylist()
    names, k = batch.provider_names(), len(result.committees)
    for b in range(COUNT):
        for c, mask in enumerate(result.committees.tolist()):
            ends = result.intervals(b, mask)
            flat = [end for interval in ends for end in interval]
            assert flat == sorted(flat)
            assert all(low > high for (_, high), (low, _) in itertools.pairwise(ends))
            assert (ends[0][0], ends[-1][1]) == (result.worst_utility[b, c], result.best_utility[b, c])
            assert ends == result.intervals(b, [n for j, n in enumerate(names) if mask >> j & 1])
            assert listed[b * k + c] == [list(interval) for interval in ends]
    with pytest.raises(ValueError, match="table: expected a position below"):
        result.intervals(COUNT, 1)
    rules = result.worst_rule
    np.testing.assert_array_equal(rules.sum(axis=-1), 1.0)
    gained = np.einsum("bcxa,bxa,bx->bc", rules, np.asarray(batch.user, float), np.asarray(batch.prior, float))
    same(gained / result.scale[:, None], result.worst_utility, "worst_rule")


@law()
def every_row_that_is_not_solved_says_why(game: Any) -> None:
    """Where a dynamics or a frontier is given no room, a status of the game's own says so; so does the error."""
    batch, result = problem(game), solved(game)
    assert not (result.status & ~int(game.statuses)).any()
    assert result.failures == 0
    stopped = [replace(game, dynamics=eq.Dynamics(step_limit=0))] if getattr(game, "dynamics", False) else []
    stopped += [replace(game, method="frontier", capacity=1, max_capacity=1)] if hasattr(game, "max_capacity") else []
    for tight in stopped:
        found = eq.solve(batch, tight, throw=False)
        assert not (found.status & ~int(game.statuses)).any()
        if found.failures:
            with pytest.raises(eq.SolveError, match=r"are not solved; the first is .*Status\."):
                eq.solve(batch, tight)
        worst: Any = getattr(found, "worst_utility", None)
        if worst is not None:
            lost = found.status & int(eq.Status.FRONTIER_OVERFLOW) > 0
            assert np.isnan(worst[lost]).all()
            known = found.solved.reshape(*found.solved.shape, *[1] * (worst.ndim - found.solved.ndim))
            np.testing.assert_array_equal(np.isnan(worst), np.broadcast_to(~known, worst.shape))


@law()
def what_a_game_is_not_played_over_is_refused_in_one_line(game: Any) -> None:
    other = next(made(1) for kind, made in PROBLEMS.items() if kind not in game.over)
    for given, message in ((other, f"in the {game.name} game, got "), (problem(game)[:0], "at least one")):
        with pytest.raises(ValueError, match=message) as caught:
            eq.solve(given, game)
        assert "\n" not in str(caught.value)
    missing = game.without_loops(game.accept(problem(game, 1)))
    if missing:
        with pytest.raises(ValueError, match=f'backend: expected "auto" or "xla" {missing}, got "cpu"'):
            eq.solve(problem(game, 1), game, backend="cpu")


@law(options=True)
def every_backend_says_the_same(game: Any) -> None:
    batch = problem(game)
    if game.without_loops(game.accept(batch)):
        pytest.skip("has no loops")
    expected = arrays(eq.solve(batch, game, backend="xla"))
    for name, values in arrays(eq.solve(batch, game, backend="cpu")).items():
        if name != "retries":
            same(values, expected[name], name)
