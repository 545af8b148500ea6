"""Data frames are read by their labels, whatever library they are of and in whatever order their rows are."""

from __future__ import annotations

import gzip
import itertools
from fractions import Fraction

import equilibrax as eq
import numpy as np
import pyarrow as pa
import pytest
from equilibrax.io import as_problem

pd, pl = pytest.importorskip("pandas"), pytest.importorskip("polars")

COLUMNS = {
    "city": ["Oslo", "Oslo", "Rome", "Oslo", "Rome", "Oslo", "Rome", "Rome"],
    "weather": ["sun", "rain", "rain", "rain", "sun", "sun", "rain", "sun"],
    "advice": ["walk", "bus", "walk", "walk", "bus", "bus", "bus", "walk"],
    "days": [3, 1, 1, 1, 9, 3, 1, 9],
    "Alice": [1.0, 1.0, 0.2, 0.0, 0.1, 0.3, 0.9, 1.0],
    "Ann": [0.9, 0.2, 0.7, 0.8, 0.4, 0.2, 0.3, 0.8],
    "Bob": [0.0, 0.9, 0.3, 0.1, 0.8, 1.0, 0.6, 0.2],
}
NAMES = {"state": "weather", "action": "advice", "user": "Alice", "prior": "days", "table": "city"}


def cells(tables):
    """Every number under its names, in no order."""
    found = {}
    for b, name in enumerate(tables.unique_names()):
        for x, state in enumerate(tables.labels.states):
            found[name, state] = int(tables.prior[b, x])
            for a, action in enumerate(tables.labels.actions):
                found[name, state, action] = int(tables.user[b, x, a]), bool(tables.available[b, x, a])
                for j, provider in enumerate(tables.labels.providers):
                    found[name, state, action, provider] = int(tables.providers[b, j, x, a])
    return found


FRAMES = {
    "dictionary": lambda: COLUMNS,
    "arrow": lambda: pa.table(COLUMNS),
    "pandas": lambda: pd.DataFrame(COLUMNS, index=range(7, -1, -1)),
    "pandas with an index": lambda: pd.DataFrame(COLUMNS).set_index(["weather", "advice"]),
    "pandas with categories": lambda: pd.DataFrame(COLUMNS).astype({"weather": "category", "advice": "category"}),
    "polars": lambda: pl.DataFrame(COLUMNS),
    "polars, lazy": lambda: pl.DataFrame(COLUMNS).lazy(),
    "polars with categories": lambda: pl.DataFrame(COLUMNS).cast({"weather": pl.Categorical}),
}


@pytest.mark.parametrize("kind", FRAMES)
def test_every_library_gives_the_same_tables(kind):
    tables = eq.from_dataframe(FRAMES[kind](), **NAMES)
    assert tables.labels == eq.problems.Labels(("sun", "rain"), ("walk", "bus"), ("Ann", "Bob"), ("Oslo", "Rome"))
    assert tables.user.tolist() == [[[10000, 3000], [0, 10000]], [[10000, 1000], [2000, 9000]]]
    assert tables.prior.tolist() == [[3, 1], [9, 1]]
    assert tables.providers[1, :, 1].tolist() == [[7000, 3000], [3000, 6000]]


def test_the_order_of_rows_means_nothing():
    expected = cells(eq.from_dataframe(COLUMNS, **NAMES))
    frame = pd.DataFrame(COLUMNS)
    for seed in range(5):
        assert cells(eq.from_dataframe(frame.sample(frac=1, random_state=seed), **NAMES)) == expected


def test_numbers_are_read_as_they_are_written():
    short = pl.DataFrame(COLUMNS).cast({"Alice": pl.Float32})
    assert eq.from_dataframe(short, **NAMES).user[1].tolist() == [[10000, 1000], [2000, 9000]]
    frame = pd.DataFrame(COLUMNS)
    frame["Alice"] = [Fraction(n, 3) for n in range(8)]
    assert eq.from_dataframe(frame, **NAMES, resolution=3).user.tolist() == [[[0, 5], [3, 1]], [[7, 4], [2, 6]]]


def test_a_frame_is_solved_as_it_is():
    frame = pd.DataFrame(COLUMNS).rename(columns={given: name for name, given in NAMES.items()})
    result = eq.solve(frame)
    assert result.sel(table="Rome", committee="Ann").worst_utility.tolist() == [[0.92]]
    with pytest.raises(
        ValueError, match=r"expected a frame with the columns state, action, user, got .*from_dataframe\("
    ):
        eq.solve(pd.DataFrame(COLUMNS))


def test_names_and_files_are_solved_as_they_are(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    assert len(as_problem("movielens").labels.states) == 6
    eq.io.write_table(eq.load_paper_table("synthetic-1"), "mine.csv")
    assert as_problem("mine.csv").names() == ["synthetic-1"]
    with pytest.raises(ValueError, match=r"got 'mne.csv', which is not there; did you mean 'mine.csv'\?"):
        eq.solve("mne.csv")
    eq.io.write_market(eq.problems.theorem_4_1_market(), tmp_path / "market.csv")
    assert isinstance(as_problem("market.csv"), eq.Market)
    with pytest.raises(ValueError, match="got Market; it is played in"):
        eq.solve("market.csv")


def test_a_market_is_known_however_it_is_written(tmp_path):
    eq.io.write_market(eq.problems.theorem_4_1_market(), tmp_path / "market.csv")
    text = (tmp_path / "market.csv").read_text()
    quoted = ",".join(f'"{name}"' for name in text.partition("\n")[0].split(",")) + "\n" + text.partition("\n")[2]
    for name, data in (
        ("m.csv.gz", gzip.compress(text.encode())),
        ("M.CSV", text.encode()),
        ("quoted.csv", f"\ufeff# of the paper\n{quoted}".encode()),
        ("mac.csv", text.replace("\n", "\r").encode()),
    ):
        (tmp_path / name).write_bytes(data)
        assert isinstance(as_problem(tmp_path / name), eq.Market)
    eq.io.write_market(eq.problems.theorem_4_1_market(), tmp_path / "m.npz")
    assert isinstance(as_problem((tmp_path / "m.npz").rename(tmp_path / "M.NPZ")), eq.Market)
    (tmp_path / "cut.csv.gz").write_bytes(gzip.compress(text.encode())[:30])
    with pytest.raises(eq.TableFileError, match="expected a gzip file that can be read"):
        as_problem(tmp_path / "cut.csv.gz")


def test_a_market_in_a_frame():
    names = {"state": ["s", "t"] * 2, "user": ["Ida", "Ida"] * 2, "action": ["go", "go", "no", "no"]}
    columns = names | {"utility": [1.0, 0.0, 0.5, 0.5], "Ann": [1, 1, 0, 0]}
    market = eq.io.market_from_dataframe(pl.DataFrame(columns))
    assert market.labels.users == ("Ida",)
    assert eq.solve(columns, "personalized").worst_utility.tolist() == [[[0.5]]]


@pytest.mark.parametrize(
    ("change", "names", "message"),
    [
        ({}, {"user": "Alise"}, "user: expected a column of the frame, got 'Alise'.*did you mean 'Alice'"),
        ({"Alice": [None] + [1.0] * 7}, {}, "frame, row 1: column 'Alice': expected a decimal number.*got ''"),
        ({"days": [3, 1, 1, 2, 9, 3, 1, 9]}, {}, "frame, row 4: column 'days': expected 1 for state 'rain'"),
        ({"weather": ["sun"] * 8}, {}, "frame, row 4: .*expected every action once, got 'walk' again after row 1"),
        ({"weather": ["Sun", *COLUMNS["weather"][1:]]}, {}, "column 'weather': expected one spelling"),
        ({"index": range(8)}, {}, "expected the name of a provider, got 'index'"),
        ({"user": range(8)}, {}, "user: expected one column of this meaning"),
        ({"Ann": [[1]] * 8}, {}, "column 'Ann': expected texts or numbers"),
    ],
)
def test_bad_frames_are_named_as_the_frame_names_them(change, names, message):
    with pytest.raises(ValueError, match=message):
        eq.from_dataframe(pd.DataFrame(COLUMNS | change), **NAMES | names)


def two_rows(**more):
    return pd.DataFrame({"state": ["s", "t"], "action": ["a", "a"], "user": [1, 0], "Ann": [0, 1]} | more)


@pytest.mark.parametrize(
    ("levels", "change"),
    [(["table"], {"table": ["x", "y"], "state": ["s", "s"]}), (["prior"], {"prior": [3, 1]}), (["user", "state"], {})],
)
def test_levels_of_an_index_that_mean_something_are_columns(levels, change):
    """They were dropped where no argument named them: the prior was uniform, and two tables were one."""
    expected = eq.from_dataframe(two_rows(**change))
    found = eq.from_dataframe(two_rows(**change).set_index(levels))
    assert (found.labels, found.prior.tolist()) == (expected.labels, expected.prior.tolist())


def test_levels_of_the_index_of_a_market():
    names = {"market": ["m", "n"], "state": ["s", "s"], "user": ["I", "I"], "action": ["g", "g"]}
    frame = pd.DataFrame(names | {"utility": [1, 0], "Ann": [0, 1]}).set_index(["market", "state"])
    assert eq.io.market_from_dataframe(frame).unique_names() == ["m", "n"]


@pytest.mark.parametrize(
    ("frame", "names", "message"),
    [
        (two_rows().rename_axis("id"), {}, "frame: expected an index without a name or .*got 'id'; leave it out"),
        (two_rows().set_index("Ann"), {}, "frame: expected an index without a name or .*got 'Ann'; leave it out"),
        (pd.concat([two_rows(), two_rows()["Ann"]], axis=1), {}, "Ann: expected one column .*'Ann' and 'Ann'"),
        (two_rows().rename(columns={"Ann": None}), {}, "column 4: expected a name, got an empty one"),
        (two_rows(), {"state": "action"}, "action: expected another column than that of state, got 'action'"),
        (two_rows(user=[10**30, 0]), {}, "row 1: column 'user': expected utility x resolution up to"),
        (two_rows()["user"], {}, "frame: expected a data frame or a dictionary of columns, got Series"),
        ({"state": "st"} | {name: [1, 2] for name in ("action", "user", "Ann")}, {}, "got str for 'state'"),
        ({"state": ["s"], "action": ["a"], "user": 1, "Ann": [1]}, {}, "frame: expected columns, got int for 'user'"),
    ],
)
def test_frames_that_were_misread_or_made_a_traceback(frame, names, message):
    with pytest.raises(ValueError, match=message):
        eq.from_dataframe(frame, **names)


def test_a_level_that_is_named_is_read():
    assert eq.from_dataframe(two_rows().set_index("Ann"), providers=["Ann"]).provider_names() == ("Ann",)
    assert eq.from_dataframe(two_rows().rename_axis("id"), ignore=["id"]).provider_names() == ("Ann",)


# --- arrays with labels ---------------------------------------------------------------------------------------------


def wide(values, rows=("sun", "rain"), columns=("walk", "bus")):
    return pd.DataFrame(values, index=rows, columns=columns)


def test_arrays_are_aligned_by_labels():
    user, ann = wide([[1, 0.3], [0, 1]]), wide([[0.2, 0.8], [0.2, 0.9]], ("rain", "sun"), ("bus", "walk"))
    weights = pd.Series({"rain": 1, "sun": 3})
    expected = eq.from_arrays(
        user.to_numpy(), {"Ann": [[0.9, 0.2], [0.8, 0.2]]}, [3, 1], states=["sun", "rain"], actions=["walk", "bus"]
    )
    for rows, columns in itertools.product((["sun", "rain"], ["rain", "sun"]), (["walk", "bus"], ["bus", "walk"])):
        tables = eq.from_arrays(user.loc[rows, columns], {"Ann": ann}, weights)
        assert cells(tables) == cells(expected)
        assert tables.labels.states == tuple(rows)  # as the user has them
    named = eq.from_arrays(user, {"Ann": ann}, weights, states=["rain", "sun"])
    assert named.labels.states == ("rain", "sun")
    assert cells(named) == cells(expected)


def test_labels_that_disagree_are_refused():
    user = wide([[1, 0.3], [0, 1]])
    for rows in (("sun", "snow"), (0, 1)):
        with pytest.raises(
            ValueError, match=r"providers\['Ann'\]: expected the states \['sun', 'rain'\], in any order"
        ):
            eq.from_arrays(user, {"Ann": wide([[1, 0], [0, 1]], rows)})
    with pytest.raises(ValueError, match="prior: expected the states"):
        eq.from_arrays(user, {"Ann": user}, pd.Series([1, 2]))
    with pytest.raises(ValueError, match="user: expected every name once"):
        eq.from_arrays(wide([[1, 0], [0, 1]], ("sun", "sun")), {"Ann": user})
    with pytest.raises(ValueError, match="states: expected no names beside labels"):
        eq.from_arrays([[1]], [[[1]]], labels=eq.Labels(("a",), ("b",), ("c",)), states=["a"])
    with pytest.raises(ValueError, match="user: expected an array, or a DataFrame whose index names the states"):
        eq.from_arrays(pl.DataFrame({"walk": [1.0]}), [[[1]]])
    with pytest.raises(ValueError, match="states: expected 2 names, got 1"):
        eq.from_arrays([[1], [2]], [[[1], [2]]], states=["a"])


def test_xarray_is_aligned_by_coordinates():
    xr = pytest.importorskip("xarray")
    user = xr.DataArray([[1, 0.3], [0, 1]], [("state", ["sun", "rain"]), ("action", ["walk", "bus"])])
    both = xr.DataArray(np.arange(8).reshape(2, 2, 2) / 10, [user.action, ("provider", ["Ann", "Bob"]), user.state])
    tables = eq.from_arrays(user, both.sel(state=["rain", "sun"]))
    assert tables.labels == eq.problems.Labels(("sun", "rain"), ("walk", "bus"), ("Ann", "Bob"))
    assert tables.providers[0].tolist() == (both.transpose("provider", "state", "action").values * 10000).tolist()


def test_dictionaries():
    guess = {"sun": {"walk": 1, "bus": 0.3}, "rain": {"bus": 1}}
    data = {"user": guess, "providers": {"Ann": guess, "Bob": guess}, "prior": {"rain": 1, "sun": 3}}
    tables = eq.from_dict({"Oslo": data, "Rome": data | {"prior": {"sun": 1, "rain": 1}}})
    assert tables.names() == ["Oslo", "Rome"]
    assert tables.prior.tolist() == [[3, 1], [1, 1]]
    assert tables.available[0].tolist() == [[True, True], [False, True]]
    assert eq.solve(data).worst_utility.shape == (1, 3)
    for bad, message in (
        ({"user": guess}, "data: expected user, providers and perhaps prior, got"),
        ({**data, "prior": {"sun": 1}}, r"data\['prior'\]: expected the states"),
        ({**data, "providers": {"Ann": {"sun": {"walk": 1}, "rain": {"bus": 1}}}}, "the actions that the user has"),
        ({**data, "providers": {"Ann": {"sun": {"fly": 1}, "rain": {"bus": 1}}}}, "expected the user's actions"),
        ({**data, "user": {"sun": 1}}, "expected dictionaries of actions"),
    ):
        with pytest.raises(ValueError, match=message):
            eq.from_dict(bad)


# --- descriptions ---------------------------------------------------------------------------------------------------


def test_descriptions_say_what_is_there():
    user = [[[1, 1, 0], [0, 2, 5]]]
    available = [[True, True, True], [True, True, False]]
    found = eq.from_arrays(user, [[[[0.5, 0, 0], [1, 1, 9]]]], [1, 3], available, provider_names=["Ann"]).describe()
    assert found["tables"] == "1 table, 2 states, 3 actions, 1 provider"
    assert found["missing actions"] == pytest.approx(1 / 6)
    assert found["ties"] == {"user": 0.5, "Ann": 0.5}
    assert found["ranges"] == {"user": (0.0, 2.0), "Ann": (0.0, 1.0)}
    assert (found["resolution"], found["prior"]) == (10_000, (0.25, 0.75))
    assert "missing actions  16.7 %" in repr(found)
    assert "<th>ties</th><td>user 50 %, Ann 50 %</td>" in found._repr_html_()


def test_games_of_information_and_markets_are_described_too():
    tables = eq.from_arrays([[1, 0], [0, 1]], [[[1, 0], [1, 0]]], [1, 3])
    game = eq.PersuasionGame.from_tables(tables)
    assert game.describe()["ranges"] == tables.describe()["ranges"]
    assert game.describe()["ties"] == tables.describe()["ties"]
    market = eq.problems.theorem_4_1_market()
    assert market.describe()["markets"] == "1 market, 2 users, 3 states, 4 actions, 2 providers"


# --- raters --------------------------------------------------------------------------------------------------------

SCORES = {
    "answer": ["a", "b", "c"],
    "question": ["q2", "q1", "q2"],
    "human": [3.0, 9.0, 6.0],
    "Ann": [4.0, 10.0, 5.0],
    "Bob": [2.0, None, 7.0],
}


def of_file(tmp_path, **how):
    lines = [",".join(SCORES), *(",".join("" if v is None else str(v) for v in row) for row in zip(*SCORES.values()))]
    path = tmp_path / "scores.csv"
    path.write_text("\n".join(lines).replace("answer", "item"))
    return eq.read_raters(path, target="human", group="question", **how)


@pytest.mark.parametrize(
    "frame",
    [
        lambda: SCORES,
        lambda: pd.DataFrame(SCORES, index=[9, 5, 7]),
        lambda: pd.DataFrame(SCORES).set_index("answer"),
        lambda: pl.DataFrame(SCORES).lazy(),
        lambda: pd.DataFrame(SCORES).melt(id_vars=["answer", "question"], var_name="judge", value_name="score"),
    ],
    ids=["dictionary", "pandas", "pandas with an index", "polars, lazy", "pandas, long"],
)
def test_raters_of_frames_are_those_of_files(frame, tmp_path):
    frame = frame()
    long = {"rater": "judge", "value": "score"} if isinstance(frame, pd.DataFrame) and "judge" in frame else {}
    found = eq.raters.raters_from_dataframe(
        frame, target="human", item="answer", group="question", scale=(0, 10), **long
    )
    expected = of_file(tmp_path, scale=(0, 10))
    for name in ("ratings", "targets", "groups", "weights", "item_names", "rater_names", "target_names"):
        np.testing.assert_array_equal(getattr(found, name), getattr(expected, name), err_msg=name)


@pytest.mark.parametrize(
    ("change", "how", "message"),
    [
        ({}, {"item": "anser"}, "item: expected a column of the frame, got 'anser'.*did you mean 'answer'"),
        ({}, {"target": "people"}, "target: expected 'people' among"),
        ({"Ann": [4, "good", 5]}, {}, r"frame, row 2: column 'Ann': expected a finite number .*, got 'good'"),
        ({"answer": ["a", "b", "a"]}, {}, "row 3: column 'answer': expected every item once, got 'a' again"),
        ({}, {"scale": 5}, "row 2: column '(human|Ann)': expected 0 to 5"),
    ],
)
def test_a_frame_that_rates_nothing_is_named(change, how, message):
    options = {"target": "human", "item": "answer", "group": "question", **how}
    with pytest.raises(ValueError, match=message):
        eq.raters.raters_from_dataframe(SCORES | change, **options)


# --- results without committees ------------------------------------------------------------------------------------


@pytest.mark.parametrize("of", ["games", "problems"])
def test_results_without_committees_go_out_too(of, tmp_path):
    """Games in normal form and markets of information: the rows of their files, and tables for notebooks and papers."""
    if of == "games":
        result = eq.solve(eq.random_games("prisoners_dilemma", 3, seed=0), eq.Nash())
        rows, heading = eq.rows.profile_rows(result), "efficient"
    else:
        result = eq.solve(eq.random_problems("uniform", 3, seed=0), eq.InformationMarket())
        rows, heading = eq.rows.depth_rows(result), "depth"
    assert result.to_arrow().equals(rows)
    assert result.to_polars().shape == result.to_pandas().shape == rows.shape
    result.write(tmp_path / "rows.parquet")
    assert pd.read_parquet(tmp_path / "rows.parquet").shape == rows.shape
    assert heading in result.to_markdown().splitlines()[0]
    assert result.to_latex().startswith(r"\begin{tabular}")
    assert result._repr_html_().count("<tr>") == len(result.to_markdown().splitlines()) - 1
    assert len(result) == 3
