"""A game of one's own is its class and its solver; rows, sweeps, comparisons, commands and conformance come with it.

In the game "veto" the state is revealed unless a member of the committee loses by it, and the user responds best.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, ClassVar

import equilibrax as eq
import numpy as np
import pyarrow.parquet as pq
import pytest
from equilibrax.cli import main
from equilibrax.games import GameLine, PartitionGame, PartitionResult, _game, register_bounds
from equilibrax.theory import Bound
from game_laws import LAWS

SIZES = ["--states", "2", "--actions", "2", "--providers", "2", "--tables", "8", "--shard-size", "8"]


@dataclass(frozen=True)
class Veto(PartitionGame):
    """The members of a committee tell the whole truth, unless one of them objects."""

    name: ClassVar[str] = "veto"

    eager: bool = True
    """Whether a provider that does not care lets the state be revealed."""

    def solve_xla(self, problem: eq.PersuasionGame, masks: np.ndarray, mesh: Any) -> PartitionResult:
        """Silence or truth, for C committees."""
        x = problem.states
        values = [self._values(problem, labels) for labels in (np.zeros(x, int), np.arange(x))]  # [B, K + 1] each
        silent, truth = (value[:, 1:] for value in values)
        content = (truth > silent) | ((truth == silent) & self.eager)
        member = (masks[:, None] >> np.arange(problem.num_providers)) & 1 == 1  # [C, K]
        chosen = (content[:, None] | ~member).all(axis=2)  # [B, C]
        user = np.where(chosen, values[1][:, :1], values[0][:, :1])
        count = np.ones(user.shape, np.int64)
        return PartitionResult(
            game=self,
            committees=masks,
            optimum_value=problem.optimum_value,
            worst_value=user,
            best_value=user,
            equilibria=count,
            worst_partition=np.where(chosen[..., None], np.arange(x), 0).astype(np.int8),
            status=np.zeros(user.shape, np.int32),
            retries=np.zeros(len(problem), np.int32),
            tables=problem,
        )

    def _values(self, problem: eq.PersuasionGame, labels: np.ndarray) -> np.ndarray:
        """`[B, K + 1]` what the user and the providers have."""
        user, providers = np.asarray(problem.user), np.asarray(problem.providers)
        everybody = np.concatenate([user[:, None], providers], axis=1).sum(axis=2)  # [B, P, X, A], over signals
        total = 0
        for cell in range(labels.max() + 1):
            within = everybody[:, :, labels == cell].sum(axis=2)
            best = within[:, 0].argmax(axis=1)
            total = total + np.take_along_axis(within, best[:, None, None], axis=2)[..., 0]
        return np.asarray(total)


@pytest.fixture(autouse=True)
def _registered(monkeypatch):
    """The game is there in this file only."""
    monkeypatch.setitem(_game.GAMES, "veto", Veto)


_game.GAMES.pop("veto")


@pytest.mark.parametrize("law", LAWS.values(), ids=LAWS)
def test_it_keeps_to_what_every_game_keeps_to(law):
    law.holds(Veto())


def test_it_is_solved_by_name_and_by_object():
    court = eq.from_integers([[1, 0], [0, 1]], [[[1, 0], [1, 0]], [[1, 0], [0, 1]]], prior=[7, 3], resolution=1)
    assert eq.solve(court, "veto").worst_utility.tolist() == [[0.7, 1.0, 0.7]]
    result = eq.solve(court, Veto(), committees=[("provider 2",), 3])
    assert result.worst_partition.tolist() == [[[0, 1], [0, 0]]]
    with pytest.raises(ValueError, match=r"'aligned', 'personalized', 'anonymous', .*'veto'"):
        eq.solve(court, "monarch")


def test_it_is_in_comparisons_with_a_line_of_its_own(tmp_path):
    tables = eq.sample_tables("uniform", 4, states=2, actions=2, providers=2, seed=3)
    found = eq.compare(tables, rationality=())
    line = found.index("veto")
    assert found.lines[line] == GameLine("veto", "veto")
    assert found.worst[:, line].tolist() == eq.solve(tables, Veto(), committees=[3]).worst_utility[:, 0].tolist()
    assert found.bound_sources[line] == ""
    eq.figures.comparison_figure(found, tmp_path / "veto.png")


def test_theory_can_say_something_of_it(monkeypatch):
    bounds = eq.bounds  # what the other games have is registered with it, and stays
    monkeypatch.setattr(_game.BOUNDS, "known", dict(_game.BOUNDS.known))
    result = eq.solve(eq.sample_tables("uniform", 4, states=2, actions=2, providers=2, seed=3), Veto())
    with pytest.raises(ValueError, match="result: expected a game with bounds, got the veto game"):
        bounds(result)

    @register_bounds(Veto)
    def nothing_is_certain(result: PartitionResult, **options: Any) -> dict[str, Bound]:
        return {}

    assert len(bounds(result)) == 0


def test_sweeps_and_commands_have_it(tmp_path, capsys):
    args = ["sweep", "--out", str(tmp_path / "sweep"), *SIZES, "--game", "veto", "--no-eager"]
    assert main(args) == 0
    rows = eq.rows.read_committees(tmp_path / "sweep")
    tables = eq.sample_tables("uniform", 8, states=2, actions=2, providers=2, seed=0)
    expected = eq.solve(tables, Veto(eager=False))
    assert rows["worst_utility"].to_pylist() == expected.worst_utility.reshape(-1).tolist()
    assert main(args) == 0  # it continues: nothing to do
    assert eq.verify(tmp_path / "sweep").holds
    out = tmp_path / "rows.parquet"
    assert main(["solve", "synthetic-1", "--game", "veto", "--out", str(out)]) == 0
    assert pq.read_table(out)["game"].unique().to_pylist() == ["veto"]
    assert main(["solve", "synthetic-1", "--tie-break", "incumbent", "--game", "veto"]) == 2
    assert "--tie-break: expected a flag of `equilibrax solve --game veto`" in capsys.readouterr().err
    with pytest.raises(SystemExit):
        main(["solve", "--game", "veto", "--help"])
    shown = capsys.readouterr().out
    assert "--eager" in shown
    assert "Whether a provider that does not care" in shown
    assert "--rationality NUMBER" not in shown
