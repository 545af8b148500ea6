"""Markets in files, rows, commands, sweeps and figures: numbers are those of `solve`, files are whole or absent."""

from __future__ import annotations

import hashlib
import json
from dataclasses import replace
from fractions import Fraction
from pathlib import Path

import equilibrax as eq
import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from equilibrax.cli import main
from equilibrax.datasets import market_sweep
from equilibrax.datasets.market_sweep import MarketSweepConfig, run_market_sweep, validate_markets

FEW = ["--no-dynamics"]
STILL = (eq.Personalized(dynamics=False), eq.Anonymous(dynamics=False))
SMALL = MarketSweepConfig(markets=10, states=2, actions=2, shard_size=4, game=STILL, promises=False)
CSV = """\
# Ann has three actions, Bob two; the insurer does not tell mild from severe.
state,user,action,utility,Pharma,Insurer,weight:Pharma,weight:Insurer,prior,sees:Insurer,sees
mild,Ann,drug,0.4,1,0,2/3,1,3,x,same
mild,Ann,rest,1,1/3,1,2/3,1,3,x,same
mild,Ann,call,0,0,1,2/3,1,3,x,same
severe,Ann,drug,1,1,0.8,2/3,1,1.5,x,same
severe,Ann,rest,0,0,0.4,2/3,1,1.5,x,same
severe,Ann,call,0.2,0,0.4,2/3,1,1.5,x,same
mild,Bob,drug,0.2,1,0,0.25,0,3,x,well
mild,Bob,rest,1,0,1,0.25,0,3,x,well
severe,Bob,drug,0.5,1,0.6,0.25,0,1.5,x,ill
severe,Bob,rest,0,0,0.4,0.25,0,1.5,x,ill
"""


@pytest.fixture
def clinic(tmp_path):
    path = tmp_path / "clinic.csv"
    path.write_text(CSV)
    return path


@pytest.fixture(scope="module")
def theorem_4_1():
    """The paper's market in both games, solved once."""
    return eq.studies.solve_games(eq.problems.theorem_4_1_market(), STILL)


@pytest.fixture(scope="module")
def swept(tmp_path_factory):
    """An uninterrupted sweep of SMALL: the folder, never written to again."""
    folder = tmp_path_factory.mktemp("swept")
    report = run_market_sweep(SMALL, folder)
    return folder, report


def digests(folder) -> dict[str, str]:
    files = (path for path in Path(folder).rglob("*") if path.is_file())
    return {str(path.relative_to(folder)): hashlib.sha256(path.read_bytes()).hexdigest() for path in files}


# --- files ------------------------------------------------------------------------------------------------------------


def test_a_csv_says_who_wants_what(clinic):
    market = eq.read_market(clinic)
    assert market.names() == ["clinic"]
    assert market.provider_names() == ("Pharma", "Insurer")
    assert market.labels is not None
    assert market.labels.actions == (("drug", "rest", "call"), ("drug", "rest"))
    assert market.available.tolist() == [[[True] * 3, [True, True, False]]]
    assert market.user[0, 0].tolist() == [[4000, 10000, 0], [10000, 0, 2000]]
    assert np.asarray(market.components)[0, 0, 0, 0].tolist() == [10000, 3333, 0]  # 1/3 is rounded once
    assert (market.weights.tolist(), market.weight_resolution) == ([[[8, 3], [12, 0]]], 12)  # exactly
    assert market.prior.tolist() == [[2, 1]]
    assert (market.provider_sees, market.user_sees) == (((0, 1), (0, 0)), ((0, 0), (0, 1)))


def _markets() -> dict[str, eq.Market]:
    paper, newcomer = eq.problems.theorem_5_2_market()
    joined = newcomer.join(paper).add_user([[0.5], [1]], [[[1], [2]]], beta=Fraction(2, 7))
    views = {"provider_sees": [[0, 0, 1], [0, 1, 1]], "user_sees": [[0, 0, 0], [0, 0, 1]], "state_of": [0, 0, 1]}
    return {
        "labels, ratios, users with fewer actions": joined,
        "several markets": eq.random_markets(3, 2, 2, 3, 2, seed=5),
        "views and outcomes": eq.random_markets(2, 2, 2, 3, 2, **views),
    }


@pytest.mark.parametrize("name", _markets())
@pytest.mark.parametrize("suffix", [".csv", ".npz"])
def test_files_read_back_exactly(tmp_path, name, suffix):
    market = _markets()[name]
    path = tmp_path / f"market{suffix}"
    eq.write_market(market, path)
    steps = {"resolution": market.resolution, "weight_resolution": market.weight_resolution}
    again = eq.read_market(path, **steps)
    for field in ("user", "components", "weights", "prior", "available"):
        np.testing.assert_array_equal(getattr(again, field), getattr(market, field), field)
    for field in ("provider_sees", "user_sees", "state_of", "resolution", "weight_resolution"):
        assert getattr(again, field) == getattr(market, field), field


def test_general_markets_go_into_an_npz(tmp_path):
    market = eq.general_market([[[1, 0], [0, 1]]] * 2, [[[[1, 0.5], [0, 1]]] * 2])
    eq.write_market(market, tmp_path / "general.npz")
    np.testing.assert_array_equal(
        np.asarray(eq.read_market(tmp_path / "general.npz").tensor), np.asarray(market.tensor)
    )
    with pytest.raises(eq.TableFileError, match=r"expected a separable market.*write an \.npz instead"):
        eq.write_market(market, tmp_path / "general.csv")
    assert [path.name for path in tmp_path.iterdir()] == ["general.npz"]


@pytest.mark.parametrize(
    ("old", "new", "message"),
    [
        ("state,user,action,utility", "state,user,action,value", "line 2: expected a column 'utility'"),
        ("sees:Insurer,sees", "sees:Insure,sees", "line 2: column 'sees:Insure': expected a provider of the file"),
        (
            "mild,Ann,rest,1,",
            "mild,Ann,rest,one,",
            "line 4: column 'utility': expected a decimal number such as 0.25 or a",
        ),
        ("mild,Ann,rest,1,", "mild,Ann,rest,,", "line 4: column 'utility': expected a value, got an empty field"),
        (
            "mild,Ann,rest,",
            "mild,Ann,drug,",
            "line 4: user 'Ann', state 'mild': expected every action once, got 'drug'",
        ),
        ("severe,Bob,rest,", "severe,Bob,walk,", "line 12: user 'Bob', action 'walk': expected a row in every state"),
        (
            "2/3,1,3,x,same\nmild,Ann,call",
            "1/3,1,3,x,same\nmild,Ann,call",
            "line 4: column 'weight:Pharma': expected '2/3'",
        ),
        ("0.25,0,3,x,well\nsev", "-1,0,3,x,well\nsev", "line 10: column 'weight:Pharma': expected '0.25' for"),
        ("1.5,x,ill\nsevere", "1,x,ill\nsevere", "line 11: column 'prior': expected '1.5' for market 'clinic', state"),
        ("3,x,well\nmild", "3,x,well,\nmild", "line 9: expected 11 fields as in the header, got 12"),
        ("0.25,", "1/987654321987,", "weights: expected ratios of whole numbers up to 2147483647"),
    ],
)
def test_a_bad_csv_is_named_by_line_and_column(clinic, old, new, message):
    assert old in CSV
    clinic.write_text(CSV.replace(old, new))
    with pytest.raises(eq.TableFileError) as caught:
        eq.read_market(clinic)
    assert str(caught.value).startswith(str(clinic))
    assert message in str(caught.value)


# --- rows -------------------------------------------------------------------------------------------------------------


def test_rows_are_the_result(theorem_4_1):
    """In Theorem 4.1's market the anonymous game has an equilibrium at eps, the personalized one gives everybody c."""
    for one in theorem_4_1:
        table = eq.rows.user_rows(one.result, one.promises)
        rows = table.to_pydict()
        assert rows["committee"] == [1, 1, 2, 2, 3, 3]
        assert rows["user"] == [0, 1] * 3
        for name in ("worst_utility", "best_utility", "equilibria"):
            assert rows[name] == getattr(one.result, name).reshape(-1).tolist(), name
        assert rows["benchmark"] == [0.5] * 6
        assert rows["dynamics_utility"] == [None] * 6
        assert set(rows["status"]) == {"OK"}
        assert rows["worst_utility"][4:] == ([0.5, 0.5] if rows["game"][0] == "personalized" else [0.2, 0.2])
        with_bound = [(w, b) for w, b in zip(rows["worst_utility"], rows["bound"]) if b is not None]
        assert all(w >= b - 1e-9 for w, b in with_bound)
    personalized = theorem_4_1[0].rows().to_pydict()
    assert personalized["bound_source"][4:] == ["Theorem 3.1"] * 2
    assert personalized["bound"][4:] == pytest.approx([0.5, 0.5])
    without = eq.rows.user_rows(theorem_4_1[0].result)
    assert without["bound"].null_count == without["benchmark"].null_count == 6


def test_market_rows_define_the_market():
    market = _markets()["views and outcomes"]
    rows = eq.rows.market_rows(market).to_pylist()
    one = rows[1]
    components = np.asarray(market.components)[1]
    k, n, x, a = components.shape
    steps = np.round(np.array(one["components"]) * one["resolution"]).reshape(k, n, x, a)
    np.testing.assert_array_equal(steps, components)
    np.testing.assert_array_equal(
        np.round(np.array(one["weights"]) * one["weight_resolution"]).reshape(k, n), market.weights[1]
    )
    assert one["provider_sees"] == [0, 0, 1, 0, 1, 1]
    assert one["tensor"] is None


# --- commands ---------------------------------------------------------------------------------------------------------


def test_the_market_command_prints_and_writes(theorem_4_1, tmp_path, capsys):
    out, figure = tmp_path / "rows.parquet", tmp_path / "bound.png"
    assert main(["market", "theorem-4.1", *FEW, "--out", str(out), "--figure", str(figure)]) == 0
    printed = capsys.readouterr().out
    assert "provider 1, provider 2" in printed
    assert "anonymous    │ 0.500000 │  0.500000 │ 0.200000 │ 0.500000" in printed
    assert pq.read_table(out).equals(pa.concat_tables([one.rows(names=True) for one in theorem_4_1]))
    assert figure.read_bytes().startswith(b"\x89PNG")
    assert eq.rows.read_users(out).num_rows == 12
    assert {path.name for path in tmp_path.iterdir()} == {"rows.parquet", "bound.png"}


def test_theorem_5_2_before_and_after(tmp_path):
    """The newcomer takes the incumbent from 1 to 2/3 in the anonymous game, and from nothing in the other."""
    out = tmp_path / "rows.parquet"
    assert main(["market", "theorem-5.2", *FEW, "--no-bounds", "--out", str(out)]) == 0
    rows = pq.read_table(out).to_pylist()
    worst = {(row["game"], row["market"], row["user"]): row["worst_utility"] for row in rows}
    assert worst == pytest.approx(
        {
            ("personalized", 0, 0): 1.0,
            ("personalized", 1, 0): 1.0,
            ("personalized", 1, 1): 2 / 3,
            ("anonymous", 0, 0): 1.0,
            ("anonymous", 1, 0): 2 / 3,
            ("anonymous", 1, 1): 2 / 3,
        }
    )


def test_a_file_is_solved_under_its_names(clinic, tmp_path, capsys):
    out = tmp_path / "rows.parquet"
    assert main(["market", str(clinic), "--game", "anonymous", "--committees", "3", *FEW, "--out", str(out)]) == 0
    assert "Pharma, Insurer" in capsys.readouterr().out
    result = eq.solve(eq.read_market(clinic), eq.Anonymous(dynamics=False), committees=[3])
    rows = pq.read_table(out).to_pydict()
    assert rows["family"] == ["clinic"] * 2
    assert rows["worst_utility"] == result.worst_utility.reshape(-1).tolist()


@pytest.mark.slow
def test_newcomers_hurt_only_where_rules_are_public(tmp_path, capsys):
    """Theorem 5.1 in rows: nobody falls below her bound in the personalized game; Theorem 5.2: some do otherwise."""
    out, figure = tmp_path / "entry.parquet", tmp_path / "entry.png"
    options = ["--newcomers", "40", "--seed", "1", "--out", str(out), "--figure", str(figure)]
    assert main(["entry", "theorem-5.2", *options]) == 0
    assert "beta 1/2" in capsys.readouterr().out
    rows = pq.read_table(out).to_pylist()
    assert len(rows) == 2 * 40 * 2
    before = {(row["game"], row["newcomer"]): row for row in rows if row["incumbent"]}
    losses = {"personalized": 0, "anonymous": 0}
    for (game, _), row in before.items():
        assert row["worst_before"] == 1.0
        assert row["worst_after"] in (1.0, pytest.approx(2 / 3))
        losses[game] += row["worst_after"] < row["bound"] - 1e-9
    assert losses["personalized"] == 0
    assert 0 < losses["anonymous"] < 40
    assert all(row["worst_before"] is None for row in rows if not row["incumbent"])
    assert figure.stat().st_size > 10_000
    market, _ = eq.problems.theorem_5_2_market()
    assert {row["bound"] for row in before.values()} == {1.0}  # by Theorems 3.1 and 4.3
    first = eq.studies.random_newcomers(market, 3, seed=1)
    np.testing.assert_array_equal(first.utility, eq.studies.random_newcomers(market, 40, seed=1).utility[:3])


@pytest.mark.parametrize(
    ("args", "message"),
    [
        (
            ["market"],
            "MARKET: expected a CSV or npz file, or one of theorem-4.1, theorem-5.2, proposition-a.2, got none",
        ),
        (["market", "nowhere.csv"], "nowhere.csv: expected a readable file"),
        (["market", "theorem-9"], "theorem-9: expected a name that ends in .csv, "),
        (["market", "theorem-4.1", "--eps", "0.6"], "eps, c: expected 0 < eps < c <= 1"),
        (["market", "theorem-4.1", "--d", "1"], "d: expected a finite number above 1"),
        (["market", "theorem-4.1", "--committees", "4"], "committees: "),
        (["market", "theorem-4.1", "--out", "rows.txt"], "--out: expected a file that ends in .parquet"),
        (["market", "theorem-4.1", "--figure", "a.gif"], "--figure: expected a file that ends in .png"),
        (["market", "theorem-4.1", "--protocol", "delegation"], "--protocol: expected a flag of `"),
        (["market", "theorem-4.1", "--tie-break", "incumbent", "--game", "anonymous"], "--tie-break: expected"),
        (["entry", "theorem-4.1", "--beta", "1"], "--beta: expected a number between 0 and 1"),
        (["entry", "theorem-4.1", "--beta", "x"], "--beta: expected a number such as 0.25 or 1/4, got 'x'"),
        (["entry", "theorem-4.1", "--newcomers", "0"], "--newcomers: expected a whole number of at least 1, got 0"),
        (["entry", "--users", "0"], "users: expected a whole number of at least 1, got 0"),
        (["sweep", "--out", "s", "--users", "0"], "users: expected a whole number of at least 1, got 0"),
        (
            ["sweep", "--out", "s", "--users", "2", "--game", "joint"],
            "--game: expected one of both, personalized, anonymous, got 'joint'",
        ),
        (
            ["sweep", "--out", "s", "--game", "both"],
            "--game: expected one of selection, obedient, joint, oblivious, aligned, got 'both'",
        ),
        (["sweep", "--out", "s", "--users", "2", "--family", "hull"], "--family: expected a flag of `equilibrax sweep"),
        (["sweep", "--out", "s", "--alignment", "weak"], "--alignment: expected a flag of `equilibrax sweep"),
        (["sweep", "--out", "s", "--users", "2", "--error", "0.7"], "error: expected a number from 0 to 0.5"),
    ],
)
def test_bad_input_is_one_line(tmp_path, monkeypatch, capsys, args, message):
    monkeypatch.chdir(tmp_path)
    assert main(args) == 2
    error = capsys.readouterr().err.strip()
    assert message in error
    assert len(error.splitlines()) == 1, error
    assert list(tmp_path.iterdir()) == []


# --- sweeps -----------------------------------------------------------------------------------------------------------


@pytest.mark.slow
def test_a_sweep_is_the_markets_solved(swept):
    folder, report = swept
    assert (report.tables, report.rows, report.shards, report.complete) == (10, 120, 3, True)
    assert sum(report.statuses.values()) == 120
    splits = ("train", "validation", "test")
    names = [f"{kind}/{s}-0000000{i}.parquet" for kind in ("markets", "users") for s in splits for i in range(3)]
    names += [f"shards/0000000{i}.json" for i in range(3)]
    assert sorted(digests(folder)) == sorted([*names, "sweep.json", "manifest.json", "README.md", "croissant.json"])
    rows = eq.rows.read_users(folder)
    markets = eq.random_markets(10, 2, 2, 2, 2)
    shards = [markets[:4], markets[4:8], markets[6:]]  # as many in each, so that they are compiled once
    alone = [one.rows() for shard in shards for one in eq.studies.solve_games(shard, STILL, promises=False)]
    alone[4:] = [part.slice(part.num_rows // 2) for part in alone[4:]]  # of the last four, two are in the last shard
    alone = pa.concat_tables(alone)
    assert rows.equals(alone.take(np.argsort(alone["market"].to_numpy(), kind="stable")))
    drawn = pa.concat_tables(pq.read_table(folder / f"markets/{split}-00000001.parquet") for split in splits)
    assert sorted(drawn["market"].to_pylist()) == [4, 5, 6, 7]
    described = json.loads((folder / "sweep.json").read_text())["config"]
    assert (described["markets"], described["users"]) == (10, 2)
    assert [eq.games.game_from(game) for game in described["game"]] == list(STILL)


def test_an_interrupted_sweep_ends_with_the_same_bytes(swept, tmp_path, monkeypatch):
    folder, _ = swept
    answers = iter([False, True])
    report = run_market_sweep(SMALL, tmp_path, should_stop=lambda: next(answers))
    assert (report.shards_done, report.complete) == (1, False)
    with monkeypatch.context() as patch:
        patch.setattr(market_sweep, "market_rows", lambda markets: 1 / 0)
        with pytest.raises(ZeroDivisionError):
            run_market_sweep(SMALL, tmp_path)
    seen = []
    again = run_market_sweep(SMALL, tmp_path, progress=lambda *counts: seen.append(counts))
    assert (again.shards_before, seen[0], seen[-1]) == (1, (4, 10), (10, 10))
    assert digests(tmp_path) == digests(folder)
    assert run_market_sweep(SMALL, tmp_path).tables == 0


@pytest.mark.slow
def test_another_sweep_is_refused(swept, tmp_path):
    folder, _ = swept
    before = digests(folder)
    with pytest.raises(ValueError, match="users is 2 there, 3 here"):
        run_market_sweep(replace(SMALL, users=3), folder)
    with pytest.raises(ValueError, match=r"holds another sweep: .*users is 2 there, None here"):
        eq.run_sweep(eq.SweepConfig(tables=10), folder)
    assert digests(folder) == before
    with pytest.raises(ValueError, match="expected few enough profiles"):  # and the folder can be used for another one
        run_market_sweep(replace(SMALL, states=9, providers=3, game="anonymous"), tmp_path)
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"markets": 0}, "markets: expected a whole number of at least 1, got 0"),
        ({"users": 2.0}, r"users: .*got 2\.0"),
        ({"providers": 17}, "providers: expected a whole number from 1 to 16, got 17"),
        ({"game": "joint"}, "game: expected one of 'both', 'personalized', 'anonymous', got 'joint'"),
        ({"alignment": "some"}, "alignment: expected one of 'weak', 'strong', 'none', got 'some'"),
        ({"promises": 1}, "promises: expected True or False, got 1"),
        ({"markets": 10**6, "shard_size": 10**6}, "shard_size: expected at most 349525 markets of 12 rows each"),
    ],
)
def test_bad_configurations_are_refused_at_the_door(changes, message):
    with pytest.raises(ValueError, match=f"^{message}"):
        validate_markets(replace(SMALL, **changes))


def test_the_sweep_command_makes_what_plot_draws(swept, tmp_path, capsys):
    folder, _ = swept
    sizes = [
        "--states",
        "2",
        "--actions",
        "2",
        "--tables",
        "10",
        "--shard-size",
        "4",
        "--no-dynamics",
        "--no-promises",
    ]
    assert main(["sweep", "--users", "2", *sizes, "--out", str(tmp_path / "s")]) == 0
    assert "10 markets, 120 rows" in capsys.readouterr().err
    assert digests(tmp_path / "s") == digests(folder)
    assert main(["plot", str(tmp_path / "s"), "--out", str(tmp_path / "figures")]) == 0
    assert {path.name for path in (tmp_path / "figures").iterdir()} == {"providers.png"}  # there are no bounds


# --- figures ----------------------------------------------------------------------------------------------------------


def _made_up(users: int, **columns) -> pa.Table:
    """Rows of one committee of three providers, in both games."""
    rows = []
    for game in ("personalized", "anonymous"):
        for number in range(users):
            row = {"market": number, "family": "x", "game": game, "user": 0, "committee_size": 3, "optimum": 1.0}
            row |= {"worst_utility": 0.9, "best_utility": 1.0, "benchmark": 1.0, "bound": 0.8}
            rows.append(row | {name: value(number) for name, value in columns.items()})
    return pa.Table.from_pylist(rows)


@pytest.mark.parametrize("users", [3, 40, 2500])
def test_figures_show_few_users_and_many(tmp_path, users):
    def without(number):
        return None if number % 3 == 0 else -7.0 if number % 3 == 1 else 0.5

    rows = _made_up(users, bound=without, worst_utility=lambda number: None if number == 1 else 0.9)
    for name, draw in (("bound.png", eq.figures.bound_figure), ("providers.png", eq.figures.providers_figure)):
        draw(rows, tmp_path / name)
        assert (tmp_path / name).stat().st_size > 10_000


def test_figures_refuse_what_they_cannot_show(tmp_path):
    with pytest.raises(ValueError, match="rows: expected columns market, family"):
        eq.figures.bound_figure(pa.table({"a": [1]}), tmp_path / "a.png")
    with pytest.raises(ValueError, match="rows: expected rows with an equilibrium and a benchmark, got none"):
        eq.figures.bound_figure(_made_up(2, worst_utility=lambda number: None), tmp_path / "a.png")
    with pytest.raises(ValueError, match=r"ends in \.png, \.svg or \.pdf"):
        eq.figures.providers_figure(_made_up(2), tmp_path / "a.gif")
    with pytest.raises(ValueError, match="rows: expected columns newcomer"):
        eq.figures.entry_figure(_made_up(2), tmp_path / "a.png")
    assert list(tmp_path.iterdir()) == []
