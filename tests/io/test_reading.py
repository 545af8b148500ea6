"""Files of utility tables: exact numbers, one clear error per mistake, and round trips."""

import io
import os
import pathlib
from dataclasses import replace
from importlib import resources

import numpy as np
import pytest
from equilibrax.io.tables import PAPER_TABLES, TableFileError, load_paper_table, read_tables, write_table
from equilibrax.problems.tables import Labels, UtilityTables, from_arrays, from_integers

HEADER = "state,action,user,Ann\n"
LEAVES = ("user", "providers", "prior", "available", "table_id_words")


def read_text(folder: pathlib.Path, text: str | bytes, **options) -> UtilityTables:
    path = folder / "t.csv"
    path.write_bytes(text if isinstance(text, bytes) else text.encode())
    return read_tables(path, **options)


def assert_same(one: UtilityTables, other: UtilityTables) -> None:
    for leaf in LEAVES:
        ours, theirs = np.asarray(getattr(one, leaf)), np.asarray(getattr(other, leaf))
        np.testing.assert_array_equal(ours, theirs, err_msg=leaf)
        assert ours.dtype == theirs.dtype
    assert (one.resolution, one.labels) == (other.resolution, other.labels)


# --- CSV: what is accepted ----------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "change",
    [
        lambda text: text,
        lambda text: b"\xef\xbb\xbf" + text,
        lambda text: text.replace(b"\n", b"\r\n"),
        lambda text: text.replace(b"\n", b"\r"),
        lambda text: text.rstrip(b"\n"),
        lambda text: b'# a, comment\n\n#more, "\n' + text.replace(b"\n", b"\n  \n"),
        lambda text: text.replace(b",", b" , "),
        lambda text: text.replace(b"S1", b'"S1"'),
    ],
    ids=["plain", "bom", "crlf", "cr", "no-last-newline", "comments-blanks", "spaces", "quotes"],
)
def test_dialects_read_alike(tmp_path, change):
    tables = read_text(tmp_path, change(b"state,action,user,Ann\nS1,A,0.5,-1\nS1,B,1e-1,+.25\nS2,A,2.,3\n"))
    assert tables.user.tolist() == [[[5000, 1000], [20000, 0]]]
    assert tables.providers.tolist() == [[[[-10000, 2500], [30000, 0]]]]
    assert tables.available.tolist() == [[[True, True], [True, False]]]
    assert tables.prior.tolist() == [[1, 1]]
    assert tables.table_id.tolist() == [0]
    assert tables.labels == Labels(("S1", "S2"), ("A", "B"), ("Ann",), ("t",))


def test_columns_in_any_order_and_quoted_names(tmp_path):
    text = 'Bob,"Ann, ""A""",action,prior,user,state,table\n1,2,"#\n#a\n",1,3,S,T\n4,5,b,1,6,S,T\n'
    tables = read_text(tmp_path, text, resolution=1)
    assert tables.labels == Labels(("S",), ("#\n#a", "b"), ("Bob", 'Ann, "A"'), ("T",))
    assert tables.providers.tolist() == [[[[1, 4]], [[2, 5]]]]
    assert tables.user.tolist() == [[[3, 6]]]


@pytest.mark.parametrize(
    ("text", "resolution", "value"),
    [
        ("0.545", 10_000, 5450),
        ("0.29", 100, 29),  # 0.29 * 100 is 28.999999999999996 in floating point
        ("0.00005", 10_000, 0),  # ties go to even
        ("0.00015", 10_000, 2),
        ("-0.00025", 10_000, -2),
        ("0.000050000000000000000000001", 10_000, 1),  # not a tie; in floating point it would be
        ("2147483647", 1, 2**31 - 1),
        ("1e-999", 10_000, 0),
        ("0." + "1" * 6000, 10, 1),
    ],
)
def test_numbers_are_exact(tmp_path, text, resolution, value):
    tables = read_text(tmp_path, f"{HEADER}S,A,{text},{text}\n", resolution=resolution)
    assert tables.user.item() == tables.providers.item() == value


@pytest.mark.parametrize(
    ("weights", "expected"),
    [
        (("0.1", "0.20", "0.7"), [1, 2, 7]),
        (("50", "30", "20"), [5, 3, 2]),
        (("1e-30", "2e-30", "0.5e-30"), [2, 4, 1]),
        (("0.333333", "0.333333", "0.333334"), [333333, 333333, 333334]),
        (("7", "7", "7.0"), [1, 1, 1]),
    ],
)
def test_priors_are_exact(tmp_path, weights, expected):
    rows = "".join(f"S{i},{a},0,0,{w}\n" for i, w in enumerate(weights) for a in "AB")
    tables = read_text(tmp_path, "state,action,user,Ann,prior\n" + rows)
    divisor = np.gcd.reduce(expected)
    assert tables.prior.tolist() == [[w // divisor for w in expected]]


def test_several_tables_share_states_and_the_union_of_actions(tmp_path):
    text = """table,state,action,user,Ann,prior
two,S1,A,1,10,1
two,S2,B,2,20,3
one,S2,C,3,30,5
one,S1,B,4,40,5.0
two,S1,C,5,50,1.0
"""
    tables = read_text(tmp_path, text, resolution=1)
    assert tables.labels == Labels(("S1", "S2"), ("A", "B", "C"), ("Ann",), ("two", "one"))
    assert tables.user.tolist() == [[[1, 0, 5], [0, 2, 0]], [[0, 4, 0], [0, 0, 3]]]
    np.testing.assert_array_equal(tables.providers[:, 0], 10 * tables.user)
    np.testing.assert_array_equal(tables.available, tables.user > 0)
    assert tables.prior.tolist() == [[1, 3], [1, 1]]
    assert tables.table_id.tolist() == [0, 1]
    assert tables[1].names() == ["one"]


# --- CSV: what is rejected ----------------------------------------------------------------------------------

PROVIDERS_17 = ",".join(f"P{i}" for i in range(17))

BAD_FILES = {
    "empty": ("", 1, ["empty file"]),
    "only a comment": ("# nothing\n\n", 1, ["empty file"]),
    "header only": ("\n" + HEADER, 2, ["rows after the header"]),
    "missing column": ("# c\nstate,user,Ann\nS,1,1\n", 2, ["'action'"]),
    "no provider": ("state,action,user,prior\nS,A,1,1\n", 1, ["provider", "got 0"]),
    "17 providers": (f"state,action,user,{PROVIDERS_17}\n", 1, ["1 to 16", "got 17"]),
    "duplicate column": ("state,action,user,Ann,Ann\n", 1, ["column 5", "'Ann'"]),
    "empty column name": ("state,action,user,Ann,\n", 1, ["column 5", "empty"]),
    "capital column": ("state,action,user,Ann,Prior\n", 1, ["column 5", "'prior'", "'Prior'"]),
    "short row": (HEADER + "S,A,1,1\n\nS,B,1\n", 4, ["4 fields", "got 3"]),
    "long row": (HEADER + "S,A,1,1,1\n", 2, ["4 fields", "got 5"]),
    "empty state": (HEADER + ",A,1,1\n", 2, ["'state'", "empty"]),
    "empty action": (HEADER + "S, ,1,1\n", 2, ["'action'", "empty"]),
    "open quote": (HEADER + 'S,A,1,1\nS,"B,1,1\nS,C,1,1\n', 3, ["well-formed CSV"]),
    "bad quote": (HEADER + 'S,"A"B,1,1\n', 2, ["well-formed CSV"]),
    "not UTF-8": (HEADER.encode() + b"S,A,1,1\nS,\xe9,1,1\n", 3, ["UTF-8", "0xe9"]),
    "UTF-16": (HEADER.encode("utf-16"), 1, ["UTF-8", "0xff"]),
    "utility too large": (HEADER + "S,A,1,214748.3648\n", 2, ["'Ann'", "2147483647", "'214748.3648'"]),
    "duplicate row": (HEADER + "S,A,1,1\nS,B,1,1\nS,A,1,1\n", 4, ["'S'", "'A'", "line 2"]),
    "after a quoted newline": (HEADER + 'S,"A\nB",1,1\nS,C,x,1\n', 4, ["'user'", "'x'"]),
    "within a quoted newline": (HEADER + 'S,A,1,1\n"S\nS","A\nB",x,1\n', 3, ["'user'", "'x'"]),
    "prior not constant": (
        "prior," + HEADER + "0.5,S,A,1,1\n0.50,S,B,1,1\n0.4,S,C,1,1\n",
        4,
        ["'prior'", "0.5 for state 'S' as on line 2", "got 0.4"],
    ),
    "prior ratios too large": (
        "prior," + HEADER + "1,S,A,1,1\n0.0000000001,T,A,1,1\n",
        2,
        ["'prior'", "2147483647"],
    ),
    "prior needs a giant integer": ("prior," + HEADER + "1e999,S,A,1,1\n1e-999,T,A,1,1\n", 2, ["'prior'"]),
    "missing state": (
        "table," + HEADER + "a,S,A,1,1\na,T,A,1,1\nb,T,A,1,1\n",
        4,
        ["table 'b'", "state 'S'"],
    ),
}
BAD_FILES |= {f"prior {w}": ("prior," + HEADER + f"{w},S,A,1,1\n", 2, ["'prior'", w]) for w in ("0", "-1", "nan")}
BAD_NUMBERS = [
    "nan",
    "inf",
    "-Infinity",
    "",
    "x",
    "1_000",
    "1 000",
    "'1",
    "0x1p3",
    "1e1000",
    "٣",
    "--1",
    ".",
]
BAD_FILES |= {f"number {n!r}": (HEADER + f"S,A,1,{n}\n", 2, ["'Ann'", "number", repr(n)]) for n in BAD_NUMBERS}
BAD_FILES["number '1,000'"] = (HEADER + 'S,A,"1,000",1\n', 2, ["'user'", "number", "'1,000'"])


@pytest.mark.parametrize("case", BAD_FILES)
def test_bad_csv_names_file_line_and_cause(tmp_path, case):
    text, line, named = BAD_FILES[case]
    with pytest.raises(TableFileError) as caught:
        read_text(tmp_path, text)
    message = str(caught.value)
    assert message.startswith(f"{tmp_path / 't.csv'}, line {line}: ")
    assert "expected" in message
    assert "got" in message
    for name in named:
        assert name in message


def test_sums_too_large_for_exact_search_name_the_file(tmp_path):
    with pytest.raises(TableFileError, match=r"t\.csv: user, providers, prior: .*2\*\*41"):
        read_text(tmp_path, "prior," + HEADER + "2147483647,S,A,1,1\n1,T,A,1,1\n")


@pytest.mark.parametrize(
    ("name", "named"),
    [
        ("absent.csv", "No such file"),
        ("absent.npz", "No such file"),
        ("", "directory"),
        ("t.txt", r"\.parquet or \.npz"),
    ],
)
def test_paths_that_are_no_table_files(tmp_path, name, named):
    with pytest.raises(TableFileError, match=named):
        read_tables(str(tmp_path / name))


@pytest.mark.parametrize("resolution", [0, -1, 1.5, True])
def test_resolution_is_checked_before_the_file(tmp_path, resolution):
    for call in (
        lambda: read_tables(tmp_path / "absent.csv", resolution=resolution),
        lambda: load_paper_table("movielens", resolution=resolution),
    ):
        with pytest.raises(ValueError, match="resolution: expected a positive whole number") as caught:
            call()
        assert not isinstance(caught.value, TableFileError)


# --- NPZ ----------------------------------------------------------------------------------------------------

USER, PROVIDERS = np.arange(4).reshape(2, 2), np.arange(12).reshape(3, 2, 2)


def save(folder: pathlib.Path, **arrays) -> pathlib.Path:
    np.savez(folder / "t.npz", **arrays)
    return folder / "t.npz"


def test_npz_without_resolution_holds_utilities(tmp_path):
    mask = np.array([[True, True], [True, False]])
    path = save(tmp_path, user=np.where(mask, USER, np.nan), providers=PROVIDERS, prior=[0.2, 0.8], available=mask)
    tables = read_tables(path, resolution=100)
    assert_same(tables, from_arrays(np.where(mask, USER, 0), PROVIDERS, [1, 4], mask, resolution=100))
    assert tables.user[0].tolist() == [[0, 100], [200, 0]]


def test_npz_with_resolution_holds_fixed_point(tmp_path):
    batch = {"user": np.stack([USER, USER + 1]), "providers": np.stack([PROVIDERS, PROVIDERS + 1])}
    path = save(tmp_path, **batch, resolution=7, table_names=["a", "b"], provider_names=["x", "y", "z"])
    labels = Labels(("0", "1"), ("0", "1"), ("x", "y", "z"), ("a", "b"))
    assert_same(read_tables(path), from_integers(**batch, resolution=7, labels=labels))


@pytest.mark.parametrize(
    ("change", "named"),
    [
        ({"user": None}, ["'user'"]),
        ({"providers": None}, ["'providers'"]),
        ({"utility": USER}, ["'utility'"]),
        ({"user": np.array([[1, None], [2, 3]], object)}, ["'user'", "allow_pickle"]),
        ({"user": USER[0]}, ["user: ", "[X, A]", "[2]"]),
        ({"providers": PROVIDERS[:, :, :1]}, ["providers: ", "[1, 3, 2, 1]"]),
        ({"user": USER * np.nan}, ["user: ", "nan"]),
        ({"user": USER.astype(str)}, ["user: ", "numbers"]),
        ({"prior": [1.0, 2.0, 3.0]}, ["prior: ", "[3]"]),
        ({"prior": [1.0, 0.0]}, ["prior: ", "0.0"]),
        ({"available": USER}, ["available: ", "booleans"]),
        ({"resolution": 0}, ["resolution: ", "got 0"]),
        ({"resolution": 2.5}, ["resolution: ", "float64"]),
        ({"resolution": [10]}, ["resolution: ", "[1]"]),
        ({"resolution": 10, "user": USER / 3}, ["user: ", "integers"]),
        ({"state_names": ["a"]}, ["state_names: ", "2 strings", "[1]"]),
        ({"action_names": [1, 2]}, ["action_names: ", "2 strings", "int64"]),
        ({"provider_names": "abc"}, ["provider_names: ", "3 strings"]),
        ({"table_names": ["a", "b"]}, ["table_names: ", "1 strings", "[2]"]),
    ],
)
def test_bad_npz_names_file_and_array(tmp_path, change, named):
    arrays = {"user": USER, "providers": PROVIDERS} | change
    path = save(tmp_path, **{key: value for key, value in arrays.items() if value is not None})
    with pytest.raises(TableFileError) as caught:
        read_tables(path)
    for name in [str(path), *named]:
        assert name in str(caught.value)


def npy_bytes() -> bytes:
    buffer = io.BytesIO()
    np.save(buffer, USER)
    return buffer.getvalue()


@pytest.mark.parametrize("data", [b"", b"state,action\n", npy_bytes(), b"PK\x03\x04 and no more"])
def test_files_that_are_no_npz(tmp_path, data):
    (tmp_path / "t.npz").write_bytes(data)
    with pytest.raises(TableFileError, match=r"t\.npz: .*expected"):
        read_tables(tmp_path / "t.npz")


def test_damaged_npz_names_the_array(tmp_path):
    path = save(tmp_path, user=USER, providers=PROVIDERS)
    data = bytearray(path.read_bytes())
    data[data.index(b"NUMPY") + 130] ^= 255  # a byte of the first array, so that its checksum fails
    path.write_bytes(data)
    with pytest.raises(TableFileError, match="array 'user'"):
        read_tables(path)


# --- writing ------------------------------------------------------------------------------------------------


def random_tables(resolution: int, labels: Labels | None = None) -> UtilityTables:
    rng = np.random.default_rng(0)
    user, providers = rng.integers(-99_999, 99_999, (2, 3, 4)), rng.integers(-99_999, 99_999, (2, 5, 3, 4))
    mask = rng.random((2, 3, 4)) < 0.7
    mask[:, :, 0] = mask[0, 0] = True
    prior = [[1, 2, 3], [7, 11, 13]]
    return from_integers(user, providers, prior, mask, resolution=resolution, labels=labels)


ODD_NAMES = Labels(('"quoted"', "#hash", "two\nlines"), ("a,b", "ä", "c d", "1"), tuple("KLMNO"), ("#1", "2"))


@pytest.mark.parametrize("suffix", [".csv", ".npz", ".CSV"])
@pytest.mark.parametrize("resolution", [1, 10, 10_000, 10**9])
def test_round_trip(tmp_path, suffix, resolution):
    tables = random_tables(resolution, ODD_NAMES)
    path = tmp_path / f"t{suffix}"
    path.write_text("to be replaced")
    write_table(tables, path)
    assert_same(read_tables(path, resolution=resolution), tables)
    assert os.listdir(tmp_path) == [path.name]


@pytest.mark.parametrize("name", PAPER_TABLES)
@pytest.mark.parametrize("suffix", [".csv", ".npz"])
def test_round_trip_of_paper_tables(tmp_path, name, suffix):
    tables = load_paper_table(name)
    write_table(tables, tmp_path / f"{name}{suffix}")
    assert_same(read_tables(tmp_path / f"{name}{suffix}"), tables)
    write_table(tables, tmp_path / f"other{suffix}")
    assert_same(read_tables(tmp_path / f"other{suffix}"), tables)


def test_csv_text(tmp_path):
    labels = Labels(("S",), ("A", "B"), ("Ann",), ("t",))
    tables = from_integers([[5450, -1]], [[[10000, 0]]], prior=[1], resolution=10_000, labels=labels)
    write_table(tables, tmp_path / "t.csv")
    assert (tmp_path / "t.csv").read_bytes() == b"state,action,prior,user,Ann\nS,A,1,0.545,1\nS,B,1,-0.0001,0\n"
    write_table(tables, tmp_path / "u.csv")
    assert (tmp_path / "u.csv").read_bytes().startswith(b"table,state,action,prior,user,Ann\nt,S,A,1,")


def test_missing_names_stay_missing_in_npz_and_are_numbers_in_csv(tmp_path):
    tables = random_tables(10)
    write_table(tables, tmp_path / "t.npz")
    assert_same(read_tables(tmp_path / "t.npz"), tables)
    write_table(tables, tmp_path / "t.csv")
    again = read_tables(tmp_path / "t.csv", resolution=10)
    providers = tuple(f"provider {j}" for j in range(1, 6))
    assert again.labels == Labels(tuple("012"), tuple("0123"), providers, ("table 0", "table 1"))
    assert_same(replace(again, labels=None), tables)
    write_table(tables[:1], tmp_path / "one.csv")
    assert read_tables(tmp_path / "one.csv").names() == ["one"]
    unnamed = replace(tables, labels=replace(again.labels, tables=()))
    write_table(unnamed, tmp_path / "t.npz")
    assert_same(read_tables(tmp_path / "t.npz"), unnamed)


@pytest.mark.parametrize("suffix", [".csv", ".npz"])
def test_a_slice_keeps_its_names(tmp_path, suffix):
    tables = random_tables(10, ODD_NAMES)
    tables = replace(tables, available=np.ones_like(tables.available))
    write_table(tables[1:], tmp_path / f"t{suffix}")
    again = read_tables(tmp_path / f"t{suffix}", resolution=10)
    assert again.names() == ["2"]
    assert again.table_id.tolist() == [0]


def test_rows_are_ordered_so_that_actions_keep_their_order(tmp_path):
    mask = [[True, False, True, True], [False, True, False, True]]  # state by state, C would come before B
    tables = from_integers(np.arange(8).reshape(2, 4), np.ones((1, 2, 4), int), available=mask)
    write_table(tables, tmp_path / "t.csv")
    assert_same(replace(read_tables(tmp_path / "t.csv", resolution=1), labels=None), tables)
    never = from_integers([[1, 2], [3, 4]], np.ones((1, 2, 2), int), available=[[False, True], [True, False]])
    with pytest.raises(TableFileError, match=r"would read back differently.*write an .npz instead"):
        write_table(never, tmp_path / "t.csv")


def test_prior_weights_keep_their_proportions(tmp_path):
    tables = from_integers([[1], [2]], [[[1], [2]]], prior=[2, 4])
    for suffix in (".npz", ".csv"):
        write_table(tables, tmp_path / f"t{suffix}")
        assert read_tables(tmp_path / f"t{suffix}", resolution=1).prior.tolist() == [[1, 2]]


def two_actions(**changes) -> UtilityTables:
    labels = replace(Labels(("S",), ("A", "B"), ("Ann",)), **changes)
    return from_integers([[1, 2]], [[[3, 4]]], resolution=10, labels=labels)


@pytest.mark.parametrize(
    ("tables", "named"),
    [
        (replace(two_actions(), resolution=7), "power of ten"),
        (two_actions(providers=("prior",)), "'prior' again"),
        (two_actions(providers=("User",)), "'User'"),
        (two_actions(states=("",)), "'state'"),
        (two_actions(states=("two\r\nlines",)), "labels would read back differently"),
        (two_actions(actions=("A", "A")), "'A' again"),
        (two_actions(actions=("A", " B")), "labels would read back differently"),
        (two_actions(actions=("A", "")), "'action'"),
        (replace(two_actions(), available=np.array([[[True, False]]])), "read back differently"),
        (two_actions()[:0], "rows after the header"),
    ],
)
def test_what_csv_cannot_hold_is_refused_before_writing(tmp_path, tables, named):
    with pytest.raises(TableFileError, match=named) as caught:
        write_table(tables, tmp_path / "t.csv")
    assert "t.csv" in str(caught.value)
    assert "write an .npz instead" in str(caught.value)
    assert os.listdir(tmp_path) == []


@pytest.mark.parametrize("name", ["t.txt", "absent/t.csv", "absent/t.npz", "folder.npz"])
def test_paths_that_cannot_be_written(tmp_path, name):
    (tmp_path / "folder.npz").mkdir()
    with pytest.raises(TableFileError, match=name):
        write_table(two_actions(), tmp_path / name)
    assert os.listdir(tmp_path) == ["folder.npz"]


def test_an_interrupted_write_leaves_the_old_file_and_nothing_else(tmp_path, monkeypatch):
    path = tmp_path / "t.csv"
    path.write_text("old")

    def fail(*_):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(os, "replace", fail)
    with pytest.raises(TableFileError, match=r"t\.csv: .*No space left"):
        write_table(two_actions(), path)
    assert path.read_text() == "old"
    assert os.listdir(tmp_path) == ["t.csv"]


# --- the tables of the paper --------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("name", "shape", "rows", "first", "last", "sums"),
    [
        ("synthetic-1", (5, 3, 3), 9, [545, 800, 400, 300, 600, 550], [565, 500, 550, 800, 350, 650], 29_860),
        (
            "synthetic-2",
            (5, 3, 4),
            12,
            [920, 950, 100, 100, 100, 100],
            [780, 700, 700, 700, 700, 700],
            29_850,
        ),
        (
            "movielens",
            (6, 6, 10),
            18,
            [840, 920, 940, 890, 930, 890, 870],
            [700, 850, 830, 770, 830, 800, 810],
            110_010,
        ),
    ],
)
def test_paper_tables(name, shape, rows, first, last, sums):
    tables = load_paper_table(name, resolution=1000)
    k, x, a = shape
    assert (len(tables), tables.num_providers, tables.states, tables.actions) == (1, k, x, a)
    values = np.concatenate([tables.user, tables.providers[0]])
    cells = values[:, tables.available[0]].T
    assert cells.shape == (rows, k + 1)
    assert cells[0].tolist() == first
    assert values[:, -1, np.flatnonzero(tables.available[0, -1])[-1]].tolist() == last
    assert cells.sum() == sums
    assert tables.prior.tolist() == [[1] * x]
    assert tables.names() == [name]
    assert np.array_equal(load_paper_table(name).user, tables.user * 10)


def test_movielens_actions_are_shared_between_genres():
    tables = load_paper_table("movielens")
    assert tables.labels.states == ("Action", "Comedy", "Drama", "Sci-Fi", "Thriller", "Romance")
    assert tables.labels.providers == tuple(f"{genre} Bob" for genre in tables.labels.states)
    assert tables.available.sum() * 7 == 126
    assert tables.schemes() == [3**6]
    matrix = tables.labels.actions.index("Matrix")
    genres = [tables.labels.states[x] for x in np.flatnonzero(tables.available[0, :, matrix])]
    assert genres == ["Action", "Sci-Fi", "Thriller"]


def test_unknown_paper_table_lists_the_names():
    with pytest.raises(ValueError, match=r"synthetic-1, synthetic-2, movielens, got 'movies'"):
        load_paper_table("movies")


def test_every_paper_table_is_shipped_and_a_file_like_any_other():
    for name in PAPER_TABLES:
        with resources.as_file(resources.files("equilibrax").joinpath("data", f"{name}.csv")) as path:
            assert_same(read_tables(path), load_paper_table(name))
