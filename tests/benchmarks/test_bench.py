"""The benchmark: engines agree, the harness compares before it times, and what it writes can be read."""

from __future__ import annotations

import doctest
import io
import json
import os
import shutil
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import numpy as np
import oracles_persuasion as oracle
import pytest
import throughput
from bench import BenchOptions, answers, commands, floor, harness, machine, markdown_report, run_bench, targets, worker
from bench.answers import difference
from bench.data import Data, draw
from bench.engines import load_engine
from bench.figure import draw_figure
from bench.process import WorkerFailed, WorkerProcess
from bench.report import exit_status
from bench.worker import calibrated
from bench.workloads import ENGINES, RATIONALITY, USERS, WORKLOADS, Workload, choose, from_json
from rich.console import Console

PACKAGES = {
    "numba_dense": "numba",
    "daqp": "daqp",
    "scipy": "scipy",
    "quantecon": "quantecon",
    "gambit": "pygambit",
}


def run(engine: str, workload: Workload, data: Data, count: int | None = None) -> dict[str, np.ndarray]:
    if engine in PACKAGES:
        pytest.importorskip(PACKAGES[engine])
    if engine.startswith("c_") and shutil.which(os.environ.get("CC", "cc")) is None:
        pytest.skip("no C compiler")
    answer = load_engine(engine).prepare(workload, data)(len(data.prior) if count is None else count)
    return answer() if callable(answer) else answer


def tiny(kind: str, states: int, actions: int, providers: int, tables: int = 6) -> Workload:
    return Workload("tiny", kind, states, actions, providers, (), tables, tables)  # pyright: ignore[reportArgumentType]


GAMES = [(e, "selection") for e in ("equilibrax", "numba_dense", "numpy", "c_dense", "c_frontier")]
GAMES += [(e, "dynamics") for e in ("equilibrax", "equilibrax_xla", "numba_dense", "numpy")]


@pytest.mark.slow
@pytest.mark.parametrize(("engine", "kind"), GAMES)
def test_engines_solve_games_as_the_paper_does(kind, engine):
    workload = tiny(kind, 3, 3, 3)
    data = draw(workload, seed=1)
    data.utilities[3:] //= 2500  # ties
    names = {"worst", "count"} | ({"dynamics", "steps"} if kind == "dynamics" else set())
    answer = run(engine, workload, data)
    assert {name for name in answer if not name.startswith("_")} == names
    assert difference(answer, run("python", workload, data)) is None


@pytest.mark.slow
def test_the_frontier_by_hand_grows_its_room_and_agrees_where_nobody_lists_all_schemes():
    workload = tiny("selection", 7, 3, 3, tables=3)
    data = draw(workload, seed=0)
    assert difference(run("c_frontier", workload, data), run("equilibrax", workload, data)) is None
    all_equal = Data(np.zeros((1, 4, 8, 3), np.int32), np.ones((1, 8), np.int32))
    assert (run("c_frontier", tiny("selection", 8, 3, 3), all_equal)["count"] == 3**8).all()


@pytest.mark.slow
@pytest.mark.parametrize("kind", ["joint", "joint-quantal"])
def test_the_subset_program_by_hand_solves_the_joint_game_as_the_oracle_does(kind):
    workload = tiny(kind, 4, 3, 3, tables=4)
    data = draw(workload, seed=5)
    if kind == "joint":
        data.utilities[2:] //= 2500  # ties: cells that are worth the same whole and split
    how = RATIONALITY if kind == "joint-quantal" else None
    answer = run("c_subsets", workload, data)
    for b, (utilities, prior) in enumerate(zip(data.utilities, data.prior)):
        contributions = utilities.astype(np.int64) * prior[:, None]
        everywhere = np.ones(contributions.shape[1:], bool).tolist()
        game = oracle.Game(prior[None], contributions[0][None], contributions[1:, None], everywhere, resolution=10_000)
        for mask in range(1, 8):
            expected = oracle.summary(game, oracle.joint_symmetric(game, mask, how), how)
            worst = expected["worst"] if how is None else float(expected["worst"]) / game.unit
            assert answer["count"][b, mask - 1] == expected["count"]
            assert abs(answer["worst"][b, mask - 1] - worst) <= (0 if how is None else 1e-9)


@pytest.mark.slow
@pytest.mark.parametrize("kind", ["joint", "joint-quantal"])
def test_the_subset_program_by_hand_agrees_on_more_states_than_partitions_can_be_listed_for(kind):
    workload = tiny(kind, 7, 4, 3, tables=5)
    data = draw(workload, seed=6)
    if kind == "joint":
        data.utilities[3:] //= 2500
    ours = run("equilibrax", workload, data)
    assert int(ours.get("_undecided", 0)) == 0
    assert difference(run("c_subsets", workload, data), ours) is None


@pytest.mark.slow
@pytest.mark.parametrize("engine", ["equilibrax_xla", "c_simplex", "daqp", "highs", "scipy"])
def test_lp_solvers_find_the_same_misalignment(engine):
    workload = tiny("misalignment", 3, 3, 3)
    data = draw(workload, seed=2)
    ours = run("equilibrax", workload, data)
    assert ours["_uncertified"] == 0
    assert difference(run(engine, workload, data), ours) is None


@pytest.mark.parametrize("engine", ["numpy", "quantecon", "gambit"])
@pytest.mark.filterwarnings("ignore")
def test_general_solvers_find_the_same_pure_equilibria(engine):
    workload = tiny("bimatrix", 1, 6, 2, tables=20)
    data = draw(workload, seed=3)
    assert run("jax", workload, data)["pure"].any()
    assert difference(run(engine, workload, data), run("jax", workload, data)) is None


@pytest.mark.parametrize("kind", ["curve-nnls", "curve-simplex"])
def test_loops_over_fits_find_the_same_curve(kind):
    workload = replace(tiny(kind, 33, 1, 5, tables=3), family="systematic")
    data = draw(workload, seed=7)
    assert data.utilities.shape == (1, 6, 33, 1)
    assert data.utilities.min() >= 0
    assert data.utilities.max() <= 100
    ours = run("equilibrax", workload, data, 3)
    assert ours["mse"].shape == (3, 5)
    for engine in ("daqp", "scipy") if kind == "curve-nnls" else ("daqp",):
        two = run(engine, workload, data, 2)
        assert difference(two, ours) is None  # of the permutations that both have
    assert float(np.ptp(ours["mse"][:, 0])) > 1e-3  # which differ


@pytest.mark.slow
def test_a_market_is_the_games_of_its_users():
    workload = tiny("personalized", 3, 2, 2, tables=2 * USERS)
    data = draw(workload, seed=8)
    data.utilities[USERS:] //= 2500  # ties
    found = run("equilibrax", workload, data)
    assert found["worst"].shape == (2 * USERS, 3)
    assert difference(found, run("selection_alone", workload, data)) is None
    # Where nobody is indifferent, that is the paper's own procedure.
    assert difference(run("python", workload, Data(data.utilities[:USERS], data.prior[:USERS])), found) is None


def test_a_loop_is_first_tried_with_as_many_fits_as_it_can_do():
    begun = []
    for workload in (tiny("selection", 2, 2, 2, tables=100), tiny("curve-nnls", 40, 1, 6, tables=100)):
        task, _ = calibrated(lambda count: {}, workload, 64, 0.0)
        begun.append(task.tables)
    assert begun == [64, 64 // 30]


@pytest.mark.slow
def test_a_sweep_writes_what_its_kernels_find():
    workload = tiny("sweep", 2, 2, 2)
    data = draw(workload, 0, 1)
    found = []
    for engine in ("equilibrax", "kernels_alone"):
        answer = load_engine(engine).prepare(workload, data)(workload.tables)
        found.append(answer() if callable(answer) else answer)
    assert found[0]["misalignment"].shape == (6, 3)
    assert difference(found[0], found[1]) is None


def test_answers_are_compared_exactly_on_the_tables_that_both_have():
    one = {"worst": np.array([[1, 2], [3, 4]]), "_retries": np.int64(3)}
    assert difference({"worst": np.array([[1, 2]])}, one) is None
    assert "worst differs in 1 of 2" in (difference({"worst": np.array([[1, 3]])}, one) or "")
    assert difference({"worst": np.array([1, 2])}, one) == "worst has shape (2,), expected (2, 2)"
    assert difference({"other": np.array([1])}, one) == "there is nothing to compare"
    scores = {"misalignment": np.array([0.5])}
    assert difference({"misalignment": np.array([0.5 + 9e-10])}, scores) is None
    assert difference({"misalignment": np.array([0.5 + 2e-9])}, scores) is not None
    assert difference({"misalignment": np.array([np.nan])}, scores) is not None
    undecided = {"count": np.array([[1], [2]]), "undecided": np.array([True, False])}
    assert difference({"count": np.array([[7], [2]])}, undecided) is None
    assert "the first is (1, 0): 7" in (difference({"count": np.array([[7], [7]])}, undecided) or "")
    assert difference({"count": np.array([[7]])}, undecided | {"undecided": np.ones(2, bool)}) is not None
    assert difference(scores | {"_uncertified": np.int64(2)}, scores) == "2 scores are not certified"


@pytest.mark.slow
def test_every_table_of_a_workload_is_the_same_for_any_number_of_tables():
    workload = tiny("selection", 3, 2, 2, tables=5)
    assert (draw(workload, 0).utilities[:2] == draw(workload, 0, 2).utilities).all()
    movielens = draw(next(w for w in WORKLOADS if w.name == "movielens"), 0, 3)
    assert movielens.utilities.shape == (3, 7, 6, 3)
    assert (movielens.utilities == movielens.utilities[0]).all()


def test_workloads_are_chosen_by_name_and_travel_as_json():
    assert choose(()) == list(WORKLOADS)
    for workload in WORKLOADS:
        again = from_json(json.loads(json.dumps(workload.to_json())))
        assert again.to_json() == workload.to_json()
        assert set(workload.engines) <= set(ENGINES)
    with pytest.raises(ValueError, match=r"--workload: expected some of .*, got 'chess'"):
        choose(("chess",))
    with pytest.raises(ValueError, match=r"--engine: expected some of .*, got 'abacus'"):
        run_bench(BenchOptions(engines=("abacus",)))


@pytest.mark.parametrize("module", [answers, harness])
def test_examples_run(module):
    assert doctest.testmod(module, optionflags=doctest.ELLIPSIS).failed == 0


def row(workload: str, engine: str, ratio: float | None = None, peak: float | None = None) -> dict:
    return {"workload": workload, "engine": engine, "answer": "ok", "ratio": ratio, "peak_mb": peak}


def test_targets_are_evaluated_from_ratios_on_the_device_that_they_are_for():
    rows = [
        row("selection-6x3x6", "equilibrax", 1.0),
        row("selection-6x3x6", "c_dense", 0.4),
        row("sweep-3x3x5", "equilibrax", 1.0),
        row("sweep-3x3x5", "kernels_alone", 1.3),
        row("command-warmup-cold", "equilibrax", 1.0) | {"tables_per_second": {"median": 0.05}},
        row("sweep-memory-1e4", "equilibrax", peak=400.0),
        row("sweep-memory-1e6", "equilibrax", peak=420.0),
    ]

    def found(platform: str, **options) -> dict:
        evaluated = targets.evaluate(rows, platform, **options)
        assert len(evaluated) == len(targets.TARGETS)
        return {(t["workload"], t["peer"], t["device"]): t for t in evaluated}

    on_cpu = found("cpu")
    assert on_cpu["selection-6x3x6", "c_dense", "cpu"]["measured"] == 2.5
    assert on_cpu["selection-6x3x6", "c_dense", "cpu"]["holds"] is True
    assert on_cpu["selection-6x3x6", "c_dense", "gpu"]["holds"] is None
    assert on_cpu["sweep-3x3x5", "kernels_alone", "cpu"]["holds"] is False
    assert on_cpu["sweep-3x3x5", "against", "cpu"]["holds"] is None
    assert on_cpu["command-warmup-cold", "", "cpu"]["measured"] == pytest.approx(20)
    assert on_cpu["command-warmup-cold", "", "cpu"]["holds"] is False
    assert on_cpu["sweep-memory-1e6", "sweep-memory-1e4", "cpu"]["measured"] == pytest.approx(1.05)
    assert on_cpu["plot-memory-1e6", "plot-memory-1e4", "cpu"]["holds"] is None
    assert found("gpu")["selection-6x3x6", "c_dense", "gpu"]["holds"] is False
    assert all(t["holds"] is None for t in found("cpu", timed=False).values())


@pytest.mark.slow
def test_the_floor_counts_what_must_be_done():
    rates = {"bytes_per_second": 1e9, "adds_per_second": 1e9}
    workload = tiny("selection", 3, 3, 5)
    data = draw(workload, 0)
    least = floor.per_table(workload, data, rates)
    assert least["bytes"] == 4 * 6 * 9 + 8 * 2 * 31
    assert 2 * 5 * 32 < least["operations"] <= floor.listed(27, 5) + 2 * 5 * 32
    assert least["seconds"] == max(least["bytes"], least["operations"]) / 1e9
    assert floor.operations(tiny("joint", 2, 3, 2), data) == 2 * 9 / 2 + 3 * 3 * 3 / 2
    fits = replace(tiny("curve-nnls", 40, 1, 6, tables=10), family="systematic")
    operations = floor.operations(fits, draw(fits, 0))
    assert 5 * (6 + 7) * 2 <= operations <= 5 * (6 + 7) * 6 * 7
    assert floor.bytes_moved(fits) == 4 * 7 * 40 / 10 + 8 * 3 * 6
    sizes = floor.candidates(draw(tiny("selection", 8, 4, 3), 0).contributions(4))
    assert sizes[0] == 4
    assert sizes[-1] < 4**8 / 10
    assert all(rate > 0 for rate in floor.measure_rates(small=True).values())


def test_commands_run_in_fresh_processes_with_caches_of_their_own(monkeypatch):
    empty = "import os, pathlib; caches = pathlib.Path(os.environ['EQUILIBRAX_CACHE_DIR']); found = os.listdir(caches)"
    code = empty + "; (caches / 'loop').touch(); raise SystemExit(bool(found))"
    monkeypatch.setitem(commands.COMMANDS, "first-solve", [sys.executable, "-c", code])
    workload = next(w for w in WORKLOADS if w.name == "command-first-solve-cold")
    cold, warm = commands.command(workload), replace(workload, name="command-first-solve-warm")
    assert cold(1)()["status"].tolist() == cold(1)()["status"].tolist() == [0]
    run = commands.command(warm, keeps_caches=False)  # nothing is run to fill them
    with pytest.raises(RuntimeError, match="exit status 1"):  # a warm run finds what the cold one has kept
        run(1)
    assert cold(1)()["status"].tolist() == [0]
    with pytest.raises(RuntimeError, match="exit status 1"):  # and is not the first
        commands.command(warm)


def test_another_revision_is_laid_out_whole_or_refused(tmp_path):
    with pytest.raises(ValueError, match=r"--against: expected a git revision of this clone, got 'no-such'"):
        machine.checked_out("no-such", tmp_path / "none")
    if not (Path(__file__).parents[2] / ".git").exists():
        pytest.skip("not a clone")
    engine, kernels = machine.checked_out("HEAD", tmp_path / "head")
    assert Path(engine, "equilibrax", "__init__.py").exists()
    assert Path(kernels, "equilibrax_kernels").is_dir()


def test_a_worker_answers_skips_says_what_is_wrong_and_goes_on(tmp_path):
    with WorkerProcess(patience=60) as held:
        assert held.ask("memory")["peak_mb"] > 1
        reply = held.ask("prepare", engine="abacus", workload=tiny("selection", 2, 2, 2).to_json(), data="", seconds=0)
        assert "is not installed: pip install '.[bench]' in a clone" in reply["skip"]
        with pytest.raises(WorkerFailed, match="KeyError"):
            held.ask("run", engine="numpy")
        assert held.alive


def test_a_run_is_repeated_before_it_counts_only_where_it_took_longer_than_expected(monkeypatch):
    clock = iter(np.cumsum([0, 5, 0, 1, 0, 2, 0, 9, 0, 3]).tolist())  # starts and ends: runs of 5, 1, 2, 9, 3 seconds
    task = worker.Task(lambda count: {}, lambda: next(clock))
    assert task.settle(10) == 1  # compiled for 4 seconds
    assert task.settle(20, expected=2) == 2
    assert task.settle(30, expected=3) == 3  # for 6
    assert task.compile_seconds == 10
    sweep = next(w for w in WORKLOADS if w.name == "sweep-3x3x5")
    assert sweep.start % 4096 == sweep.tables % 4096  # shards of both sizes are solved before the clock starts
    begun = []
    task, _ = calibrated(lambda count: begun.append(count) or {}, sweep, None, 0.5)
    assert (begun, task.tables) == ([sweep.start], sweep.tables)
    task, _ = calibrated(lambda count: begun.append(count) or {}, choose(("command-align-warm",))[0], None, 0.5)
    assert begun == [sweep.start, 1]  # which is timed


def test_an_interrupted_run_leaves_what_was_measured(tmp_path, monkeypatch):
    stored = Path(__file__).parents[2] / "benchmarks" / "results" / "intel-xeon-2-cores.json"
    first = json.loads(stored.read_text())
    first |= {"whole": False, "workloads": first["workloads"][:1], "rows": first["rows"][:1]}

    def run(options, tell, keep):
        keep(first)
        raise KeyboardInterrupt

    monkeypatch.setattr(throughput, "run_bench", run)
    said = io.StringIO()
    assert throughput.Bench(out=tmp_path).run(Console(file=said, width=200)) == 130
    assert f"interrupted; workloads in {tmp_path / 'bench.json'}: 1" in said.getvalue()
    assert json.loads((tmp_path / "bench.json").read_text()) == first


@pytest.mark.slow
def test_a_run_compares_then_times_and_what_it_writes_can_be_read(tmp_path):
    lines: list[str] = []
    options = BenchOptions(workloads=("selection-3x3x5",), engines=("equilibrax", "python"), quick=True)
    kept: list[bool] = []
    measured = run_bench(options, lines.append, lambda found: kept.append(found["whole"]))
    assert kept == [True]
    assert measured["seconds"] > measured["workloads"][0]["seconds"] > 0
    assert any("selection-3x3x5" in line for line in lines)
    assert measured == json.loads(json.dumps(measured, allow_nan=False))
    expected = {
        "format",
        "whole",
        "seconds",
        "machine",
        "device",
        "versions",
        "revision",
        "options",
        "rates",
        "workloads",
        "rows",
        "targets",
    }
    assert set(measured) == expected
    assert [(r["engine"], r["answer"]) for r in measured["rows"]] == [("equilibrax", "ok"), ("python", "ok")]
    for found in measured["rows"]:
        assert found["tables_per_second"]["median"] > 0
        assert found["peak_mb"] > 1
        assert found["compile_seconds"] >= 0
        assert found["ratio"] > 0
        assert found["floor_reached"] > 0
    assert measured["rows"][0]["counters"] == {"overflow": 0, "retries": 0}
    assert exit_status(measured) == 0
    assert "| selection-3x3x5 | python |" in markdown_report(measured)
    draw_figure(measured, tmp_path / "bench.png")
    assert (tmp_path / "bench.png").read_bytes().startswith(b"\x89PNG")
    measured["rows"][1]["answer"] = "WRONG"
    assert exit_status(measured) == 1


@pytest.mark.slow
def test_the_script_for_gpus_runs_on_a_cpu_and_finds_no_difference(tmp_path):
    script = Path(__file__).resolve().parents[2] / "benchmarks" / "gpu.py"
    environment = os.environ | {"OUT": str(tmp_path), "JAX_PLATFORMS": "cpu"}
    few = "dynamics-3x3x3-dense selection-4x3x2-frontier-48 misalignment-3x18 curve-nnls-5x30 sampling-uniform monopoly"
    done = subprocess.run(
        [sys.executable, str(script), "--tiny", "--case", *few.split()],
        env=environment,
        capture_output=True,
        text=True,
        timeout=120,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    measured = json.loads((tmp_path / "cpu.json").read_text())
    assert {row["case"] for row in measured["rows"]} == set(few.split())
    assert all(row["wrong"] is None for row in measured["rows"])
    timed = {row["case"]: row for row in measured["rows"] if "resident" in row}
    assert set(timed) == {"misalignment-3x18", "sampling-uniform"}
    assert timed["misalignment-3x18"]["counters"]["certified"] == "8 of 8"
