"""Datasets of markets: sound ones pass, and whatever is changed is found and named."""

from __future__ import annotations

import json
import shutil
import time
from dataclasses import replace
from pathlib import Path

import equilibrax as eq
import numpy as np
import pytest
from equilibrax.cli import main
from equilibrax.datasets.market_sweep import MarketSweepConfig, run_market_sweep
from equilibrax.problems import random_markets
from equilibrax.verification import NoDataset, verify
from equilibrax.verification.markets.draws import draw_markets
from forging import change, read

SMALL = MarketSweepConfig(
    markets=6, users=2, states=3, actions=2, providers=2, error=0.1, shard_size=4, resolution=24, splits=(1.0, 0.0, 0.0)
)
GAMES = {
    "best": ("personalized", "anonymous"),
    "quantal": (
        eq.Personalized(response=eq.Quantal((0, 5))),
        eq.Anonymous(response=eq.Quantal((float("inf"),))),
    ),
    "delegation": (
        eq.Personalized(protocol="delegation", tie_break="incumbent"),
        eq.Anonymous(dynamics="only"),
    ),
}
RESULTS, MARKETS = "users/train-00000000.parquet", "markets/train-00000000.parquet"
SETTING = ("states", "actions", "num_providers", "users", "committee", "committee_size", "user", "seed", "market")


@pytest.fixture(scope="module")
def made(tmp_path_factory):
    """Folders that are never written to, by name."""
    folders = {}

    def make(name: str) -> Path:
        if name not in folders:
            folders[name] = tmp_path_factory.mktemp("sound")
            games = [eq.games.game_named(game, eq.Market) for game in GAMES[name]]
            run_market_sweep(replace(SMALL, game=games), folders[name])
        return folders[name]

    return make


@pytest.fixture
def dataset(made, tmp_path):
    return Path(shutil.copytree(made("best"), tmp_path / "dataset"))


def found(folder: Path, **options) -> set[tuple]:
    return {(f.check, f.file, f.row, f.column) for f in verify(folder, **options).failures}


@pytest.mark.parametrize("game", ["best", pytest.param("quantal", marks=pytest.mark.slow), "delegation"])
def test_sound_datasets_verify_with_exit_status_0(made, game):
    report = verify(made(game))
    assert report.holds, report.failures
    assert report.complete, report.not_checked
    assert (report.tables, report.tables_checked) == (6, 6)
    assert main(["verify", str(made(game))]) == 0


@pytest.mark.slow
def test_every_column_of_results_is_worked_out_again(dataset):
    """One changed value in each is found in that row and column, though all checksums are right."""
    rows = read(dataset, RESULTS)
    row = rows.num_rows - 1
    missed = []
    for column in rows.column_names:
        old = rows[column][row].as_py()
        if isinstance(old, str):
            new = {"OK": "NO_EQUILIBRIUM", "Theorem 4.3": "Theorem 3.1"}.get(old, "anonymous" * (old != "anonymous"))
        else:
            new = 1 if old is None else old + (1 if column in ("equilibria", "dynamics_steps", *SETTING) else 1e-6)
        change(dataset, RESULTS, column, row, new)
        if not any(where[1:] == (RESULTS, row, column) for where in found(dataset)):
            missed.append(column)
        change(dataset, RESULTS, column, row, old)
    assert missed == []
    assert verify(dataset).holds


@pytest.mark.slow
def test_every_column_of_markets_is_drawn_again(dataset):
    rows = read(dataset, MARKETS)
    missed = []
    for column in rows.column_names:
        old = rows[column][1].as_py()
        if isinstance(old, list):
            new = [not old[0] if isinstance(old[0], bool) else old[0] + 1, *old[1:]]
        else:
            new = [0.0] if old is None else old + ("x" if isinstance(old, str) else 7)
        change(dataset, MARKETS, column, 1, new)
        if not any(where[1] == MARKETS and where[3] == column for where in found(dataset)):
            missed.append(column)
        change(dataset, MARKETS, column, 1, old)
    assert missed == []


@pytest.mark.parametrize("by", [1e-6, -1e-6])
def test_a_bound_that_is_too_good_or_too_bad_is_found_by_highs(dataset, by):
    bounds = read(dataset, RESULTS)["bound"].to_pylist()
    row = next(i for i, bound in enumerate(bounds) if bound is not None)
    change(dataset, RESULTS, "bound", row, bounds[row] + by)
    assert ("programs", RESULTS, row, "bound") in found(dataset)
    assert ("programs", RESULTS, row, "bound") not in found(dataset, programs=0)


def test_numbers_that_are_missing_need_a_reason(dataset):
    change(dataset, RESULTS, "worst_utility", 3, None)
    change(dataset, RESULTS, "bound", 0, None)
    assert {("nulls", RESULTS, 3, "worst_utility"), ("programs", RESULTS, 0, "bound")} <= found(dataset)


def test_a_limit_and_a_cycle_of_dynamics_are_replayed(tmp_path):
    """Market 25 of this seed goes round in circles of anonymous partitions."""
    market = random_markets(1, 3, 3, 3, 2, alignment="weak", error=0.1, resolution=1000, seed=165503801317, start=25)
    assert eq.solve(market, eq.Anonymous(), committees=[3], throw=False).status_names.tolist() == [["CYCLE"]]
    config = replace(SMALL, markets=28, users=3, providers=3, resolution=1000, seed=165503801317, shard_size=28)
    games = eq.Anonymous(), eq.Anonymous(dynamics=eq.Dynamics(step_limit=2))
    report = run_market_sweep(replace(config, game=games, promises=False), tmp_path)
    assert {"CYCLE", "DYNAMICS_LIMIT"} <= {flag for name in report.statuses for flag in name.split("|")}
    assert verify(tmp_path).holds
    status = read(tmp_path, RESULTS)["status"].to_pylist()
    for flag in ("CYCLE", "DYNAMICS_LIMIT"):
        row = status.index(flag)
        change(tmp_path, RESULTS, "status", row, "OK")
        assert ("status", RESULTS, row, "status") in found(tmp_path)
        change(tmp_path, RESULTS, "status", row, flag)


def test_what_is_too_large_is_said_and_can_be_allowed(made, monkeypatch):
    monkeypatch.setattr("equilibrax.verification.markets.answers.MOST_PROFILES", 4)
    monkeypatch.setattr("equilibrax.verification.markets.answers.MOST_STATES", 2)
    monkeypatch.setattr("equilibrax.verification.markets.shards.MOST_OUTCOMES", 4)
    report = verify(made("best"))
    assert report.holds, report.failures
    assert not report.complete
    assert report.not_checked["results of markets that are too large to solve again"] == 72
    assert report.not_checked["bounds of markets with too many action profiles"] == 72
    assert main(["verify", str(made("best"))]) == 3
    assert main(["verify", str(made("best")), "--allow", "large"]) == 0


@pytest.mark.parametrize("alignment", ["weak", "strong", "none"])
def test_markets_are_drawn_again_to_the_bit(alignment):
    drawn = draw_markets(np.arange(5, 9), alignment, (3, 2, 4, 2), 0.05, 12345678901, 1000)
    expected = random_markets(
        4, 3, 2, 4, 2, alignment=alignment, error=0.05, seed=12345678901, start=5, resolution=1000
    )
    for name in ("user", "components", "weights"):
        assert np.array_equal(getattr(drawn, name), np.asarray(getattr(expected, name))), name


@pytest.mark.parametrize(
    "said",
    [
        {"markets": 10**15},
        {"users": 10**9},
        {"providers": 30},
        {"states": 10**9},
        {"markets": 10**9, "shard_size": 1},
        {"game": [{"name": "anonymous", "response": {"rationality": [1.0] * 2000, "tolerance": 0.0}}]},
        {"game": 5},
        {"alignment": ["weak"]},
        {"error": "0.1"},
        {"resolution": 0},
    ],
    ids=str,
)
def test_descriptions_that_declare_too_much_are_refused_at_once(dataset, said):
    description = json.loads((dataset / "sweep.json").read_text())
    description["config"] |= said
    (dataset / "sweep.json").write_text(json.dumps(description))
    begun = time.process_time()
    with pytest.raises(NoDataset) as error:
        verify(dataset)
    assert len(str(error.value)) < 600
    assert time.process_time() - begun < 60  # hours, or memory without end, are what it would take


@pytest.mark.slow
@pytest.mark.parametrize(
    "sizes",
    [
        {"states": 1, "actions": 1, "providers": 1, "users": 1, "alignment": "none", "promises": False},
        {"states": 2, "actions": 1, "promises": False},
        {"states": 1, "actions": 2, "alignment": "strong", "resolution": 1},
    ],
    ids=str,
)
def test_constant_utilities_are_no_trouble(tmp_path, sizes):
    run_market_sweep(replace(SMALL, **sizes), tmp_path)
    report = verify(tmp_path)
    assert report.holds, report.failures
    assert report.complete, report.not_checked


@pytest.mark.parametrize("step", range(0, 64, 7))
def test_a_flipped_bit_in_results_of_markets_is_an_error_that_names_the_file(dataset, step):
    file = dataset / RESULTS
    content = bytearray(file.read_bytes())
    content[len(content) * step // 64] ^= 1 << step % 8
    file.write_bytes(content)
    with pytest.raises(ValueError, match=r"train-00000000\.parquet"):
        eq.rows.read_users(dataset)
