"""Nothing in a file is read as what it is not: comments, row numbers, spellings, separators, sizes, packed files."""

import bz2
import gzip
import io
import logging
import os
import zipfile

import equilibrax as eq
import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from equilibrax.cli import main
from equilibrax.io.files import MIN_UNPACKED

TABLE = "state,action,user,Ann,Bob\nrain,umb,1,0.2,0.9\nrain,none,0,0.8,0.1\nsun,umb,0.3,0.2,1\nsun,none,1,0.9,0\n"
MARKET = """\
state,user,action,utility,Ann,Bob,weight:Ann,weight:Bob,sees:Bob
rain,Carol,umbrella,1,0.2,0.9,1/3,2/3,wet
rain,Carol,none,0,0.8,0.1,1/3,2/3,wet
sun,Carol,umbrella,0.3,0.2,1,1/3,2/3,dry
sun,Carol,none,1,0.9,0,1/3,2/3,dry
rain,Dave,walk,0,0.5,0.5,1,0,wet
rain,Dave,stay,0.6,0.1,0.2,1,0,wet
sun,Dave,walk,1,0.5,0.5,1,0,dry
sun,Dave,stay,0.6,0.4,0.2,1,0,dry
"""
RATERS = "item,target,Ann,Bob\nq0,0.1,0.2,0.3\nq1,0.4,0.5,0.6\nq2,0.7,0.8,0.9\n"
READERS = {"table": (eq.read_tables, TABLE), "market": (eq.read_market, MARKET), "raters": (eq.read_raters, RATERS)}


@pytest.fixture
def write(tmp_path):
    def written(data, name="t.csv"):
        path = tmp_path / name
        path.write_bytes(data if isinstance(data, bytes) else data.encode())
        return path

    return written


def with_column(text, name, values=None, sep=","):
    """The text with another first column, of numbers from 0."""
    header, *rows = text.splitlines()
    values = range(len(rows)) if values is None else values
    return "\n".join([name + sep + header, *(f"{v}{sep}{row}" for v, row in zip(values, rows))]) + "\n"


# --- comments ---------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("name", ["#sun", "#N/A", "#DIV/0!", "#MeToo", "#1"])
def test_a_row_that_begins_with_a_hash_is_a_row(write, name):
    tables = eq.read_tables(write(TABLE.replace("sun,", f"{name},")))
    assert tables.labels is not None
    assert tables.labels.states == ("rain", name)
    assert tables.user.tolist() == [[[10000, 0], [3000, 10000]]]
    market = eq.read_market(write(MARKET.replace("sun,", f"{name},")))
    assert market.state_names() == ("rain", name)
    raters = eq.read_raters(write(RATERS.replace("q1", name)))
    assert raters.item_names == ("q0", name, "q2")
    with pytest.raises(
        eq.TableFileError, match=r"line 4: expected 5 fields.* got 1; a line that begins with # is a row"
    ):
        eq.read_tables(write(TABLE.replace("sun,umb", "# a comment\nsun,umb")))


def test_comments_before_the_header_are_skipped_and_counted(write, caplog):
    caplog.set_level(logging.INFO, "equilibrax")
    for read, text in READERS.values():
        read(write("# one\n\n#two, three\n" + text))
        assert caplog.messages[-1].endswith("2 lines of comments before the header skipped")
    with pytest.raises(eq.TableFileError, match=r"line 2: expected a column 'state'.*\(1 line of comments"):
        eq.read_tables(write("#" + TABLE))


# --- columns ----------------------------------------------------------------------------------------------------------

ROW_NUMBERS = ["Unnamed: 0", "Unnamed: 0.1", "", "index", "Index", "id", "ID", "row_id", "__index_level_0__", "...1"]
ROW_NUMBERS += ["Unnamed: 0_level_0", "_id", "row.names", "rownum", "__index__"]


@pytest.mark.parametrize("kind", READERS)
@pytest.mark.parametrize("name", ROW_NUMBERS)
def test_row_numbers_are_no_providers_unless_they_are_named(write, kind, name):
    read, text = READERS[kind]
    path = write(with_column(text, name))
    if not (kind == "raters" and not name):  # there it has always been the items' column
        with pytest.raises(eq.TableFileError, match=r"column 1: expected .* with ignore=\[.* \(--ignore "):
            read(path)
    for options in ({"ignore": [name]}, {"providers": ["Ann", "Bob"]}):
        found = read(path, **options)
        assert (found.rater_names if kind == "raters" else found.provider_names()) == ("Ann", "Bob")
    if name:
        found = read(path, providers=["Bob", name])
        assert (found.rater_names if kind == "raters" else found.provider_names()) == ("Bob", name)


def test_what_was_read_is_said_in_one_line(write, caplog, capsys, tmp_path):
    caplog.set_level(logging.INFO, "equilibrax")
    expected = {
        "table": "2 states, 2 actions, 2 providers: Bob, Ann; left out: 'year'",
        "market": "2 states, 2 users, up to 2 actions, 2 providers: Bob, Ann; left out: 'year'",
        "raters": "3 items, 2 raters: Bob, Ann; target: target; left out: 'year'",
    }
    for kind, (read, text) in READERS.items():
        path = write(with_column(text, "year"))
        read(path, providers=["Bob", "Ann"])
        assert caplog.messages == [f"{path}: {expected[kind]}"]
        caplog.clear()
    path = write(with_column(TABLE, "year"))
    assert main(["solve", str(path), "--ignore", "year", "--out", str(tmp_path / "rows.parquet")]) == 0
    said = capsys.readouterr()
    assert (said.out, said.err.splitlines()[1]) == (
        "",
        f"equilibrax: {path}: 2 states, 2 actions, 2 providers: Ann, Bob; left out: 'year'",
    )
    assert not caplog.messages


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"providers": ["Zoe"]}, "providers: expected 'Zoe' among the file's names"),
        ({"providers": ["user"]}, "providers: expected columns without another meaning, got 'user'"),
        ({"providers": ["Ann", "Ann"]}, "providers: expected different names"),
        ({"ignore": ["Zoe"]}, "ignore: expected 'Zoe' among"),
        ({"ignore": ["state"]}, "ignore: expected no column that is needed, got 'state'"),
        ({"sep": "x"}, "sep: expected one of"),
        ({"decimal": "'"}, "decimal: expected one of"),
    ],
)
def test_options_that_do_not_fit(write, options, message):
    with pytest.raises(ValueError, match=message):
        eq.read_tables(write(TABLE), **options)


@pytest.mark.parametrize(
    "column", ["Weight:Ann", "WEIGHT:Ann", "weight :Ann", "weight_Ann", "wieght:Ann", "Weight:Zoe"]
)
def test_columns_that_may_be_meant_as_weights_are_no_providers(write, column):
    with pytest.raises(eq.TableFileError, match=r"line 1: column 7: expected 'weight:.*' or 'sees:.*' of a provider"):
        eq.read_market(write(MARKET.replace("weight:Ann", column)))
    assert eq.read_market(write(MARKET.replace("weight:Ann", column)), ignore=[column]).weights.tolist() == [
        [[3, 3], [2, 0]]
    ]


def test_what_is_said_of_a_provider_that_is_left_out_is_left_out(write):
    market = eq.read_market(write(MARKET), ignore=["Bob"])
    assert (market.provider_names(), market.provider_sees) == (("Ann",), ((0, 1),))


# --- spellings --------------------------------------------------------------------------------------------------------

SPELLINGS = [("Caró", "Caro\u0301"), ("Carol", "carol"), ("a b", "a  b"), ("a b", "a\u00a0b"), ("Ann", "A\u200bnn")]


@pytest.mark.parametrize(("one", "other"), SPELLINGS)
def test_two_spellings_of_a_name_are_refused(write, one, other):
    rows = [f"{one},A,1,0", f"{other},B,0,1"]
    texts = {"table,state,action,user,P\n" + "\n".join(f"t,{row}" for row in rows): eq.read_tables}
    texts["state,action,user,P\n" + f"S,{one},1,0\nS,{other},0,1\n"] = eq.read_tables
    texts[f"state,action,user,{one},{other}\nS,A,1,0,1\n"] = eq.read_tables
    texts[MARKET.replace("rain,Carol,none", f"rain,{other},none").replace("Carol", one)] = eq.read_market
    texts[MARKET.replace("wet", one, 1).replace("wet", other)] = eq.read_market
    texts[f"item,target,{one},{other}\nq,1,2,3\n"] = eq.read_raters
    texts[f"item,rater,value\nq,target,1\nq,{one},1\nq,{other},2\n"] = eq.read_raters
    for text, read in texts.items():
        with pytest.raises(eq.TableFileError, match="expected one spelling of a name"):
            read(write(text))


# --- actions in some states only --------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("text", "message"),
    [
        (TABLE.replace("sun,none,1,0.9,0\n", ""), "1 action in only some of the states: 'none' not in 'sun'"),
        (TABLE.replace("sun,none", "snu,none"), "2 actions in only .*'umb' not in 'snu'; 'none' not in 'sun'"),
        (TABLE.replace("sun,none", "sun,nnoe"), "'none' not in 'sun'; 'nnoe' not in 'rain'"),
    ],
)
def test_actions_in_some_states_only_are_said(write, caplog, text, message):
    path = write(text)
    assert not np.asarray(eq.read_tables(path).available).all()
    [warning] = [record for record in caplog.records if record.levelno == logging.WARNING]
    assert warning.name == "equilibrax.io"
    with pytest.raises(eq.TableFileError, match=message) as caught:
        eq.read_tables(path, strict=True)
    assert warning.getMessage().partition(";")[0] == str(caught.value).partition(";")[0]
    assert main(["solve", str(path), "--strict"]) == 2


def test_tables_with_actions_of_their_own_are_none_of_these(write, caplog):
    eq.read_tables(write("table,state,action,user,P\na,S,A,1,0\na,T,A,1,0\nb,S,B,1,0\nb,T,B,1,0\n"), strict=True)
    assert not [record for record in caplog.records if record.levelno == logging.WARNING]


# --- formats ----------------------------------------------------------------------------------------------------------


def frame(text):
    header, *rows = (line.split(",") for line in text.splitlines())
    columns = {name: [row[i] for row in rows] for i, name in enumerate(header)}
    for name, values in columns.items():
        if all(value[0].isdigit() and "/" not in value for value in values):
            columns[name] = [float(value) for value in values]
    return pa.table(columns)


@pytest.mark.parametrize("kind", READERS)
def test_formats_read_alike(write, tmp_path, kind):
    read, text = READERS[kind]
    expected = read(write(text))
    pq.write_table(frame(text), tmp_path / "t.parquet")
    european = text.replace(",", ";").replace(".", ",")
    found = {
        "gzip": read(write(gzip.compress(text.encode()), "t.csv.gz")),
        "semicolons": read(write(european), sep=";", decimal=","),
        "tabs": read(write(text.replace(",", "\t")), sep="tab"),
        "parquet": read(tmp_path / "t.parquet"),
    }
    for name, one in found.items():
        for field in ("user", "providers", "components", "weights", "ratings", "targets", "labels", "rater_names"):
            if hasattr(expected, field):
                np.testing.assert_array_equal(getattr(one, field), getattr(expected, field), f"{name}: {field}")
    with pytest.raises(eq.TableFileError, match=r"got semicolons; read it with sep=';' \(--sep ';'\)"):
        read(write(european))
    with pytest.raises(eq.TableFileError, match=r"got tabs; read it with sep='tab' \(--sep tab\)"):
        read(write(text.replace(",", "\t")))
    with pytest.raises(eq.TableFileError, match=r"decimal comma, say decimal=',' \(--decimal ,\)"):
        read(write(european), sep=";")
    with pytest.raises(eq.TableFileError, match=r"expected a number with a decimal comma, got '0.2'"):
        read(write(text.replace(",", ";")), sep=";", decimal=",")


@pytest.mark.parametrize(
    "kind", [pa.float32(), pa.float64(), pa.decimal128(5, 2), pa.string(), pa.dictionary(pa.int8(), pa.string())]
)
def test_numbers_of_a_parquet_file_are_those_that_people_see(tmp_path, kind):
    numbers = (
        pa.array(["0.1", "0.25"]).cast(kind) if not pa.types.is_dictionary(kind) else pa.array(["0.1", "0.25"], kind)
    )
    pq.write_table(
        pa.table({"state": ["S", "S"], "action": [1, 2], "user": numbers, "Ann": [1, 2]}), tmp_path / "t.parquet"
    )
    tables = eq.read_tables(tmp_path / "t.parquet")
    assert (tables.user.tolist(), tables.names()) == ([[[1000, 2500]]], ["t"])


def test_faults_of_a_parquet_file_name_the_row_or_column(tmp_path):
    path = tmp_path / "t.parquet"
    for column, message in (
        (pa.array([1.0, None]), "row 2: column 'Ann': expected a decimal number.* got ''"),
        (pa.array([True, False]), "column 'Ann': expected texts or numbers, got bool"),
        (pa.array([[1], [2]]), "column 'Ann': expected texts or numbers, got list"),
        (pa.array([0, 1], pa.timestamp("s")), "column 'Ann': expected texts or numbers, got timestamp"),
    ):
        pq.write_table(pa.table({"state": ["S", "S"], "action": ["A", "B"], "user": [0, 1], "Ann": column}), path)
        with pytest.raises(eq.TableFileError, match=message):
            eq.read_tables(path)


# --- tables of different sizes ----------------------------------------------------------------------------------------

SIZES = "table,state,action,user,Ann\nbig,S,A,1,0\nsmall,S,A,1,1\nbig,T,A,0,1\nlast,S,A,2,0\nlast,T,A,3,0\n"


def test_tables_of_different_sizes_come_in_groups(write):
    path = write(SIZES)
    with pytest.raises(
        eq.TableFileError, match="none for state 'T'; read_table_groups reads tables of different sizes"
    ):
        eq.read_tables(path)
    groups = eq.read_table_groups(path, resolution=1)
    assert [(g.names(), g.table_id.tolist(), g.user.tolist()) for g in groups] == [
        (["big", "last"], [0, 2], [[[1], [0]], [[2], [3]]]),
        (["small"], [1], [[[1]]]),
    ]
    [alone] = eq.read_table_groups(write(TABLE))
    assert alone.user.tolist() == eq.read_tables(write(TABLE)).user.tolist()


def test_solve_keeps_the_order_of_the_file(write, tmp_path, capsys):
    out = tmp_path / "rows.parquet"
    assert main(["solve", str(write(SIZES)), str(write(TABLE, "u.csv")), "--out", str(out)]) == 0
    rows = pq.read_table(out).to_pydict()
    assert rows["table_id"] == [0, 1, 2, 3, 3, 3]
    assert rows["optimum"][:3] == [0.5, 1.0, 2.5]
    assert main(["solve", str(write(SIZES))]) == 0
    shown = capsys.readouterr().out
    assert shown.index("big") < shown.index("small") < shown.index("last")


# --- what is small and becomes large ----------------------------------------------------------------------------------


def npy(header: str, content: bytes) -> bytes:
    header = header.ljust(117) + "\n"
    return b"\x93NUMPY\x01\x00" + len(header).to_bytes(2, "little") + header.encode() + content


def zipped(members, method=zipfile.ZIP_DEFLATED) -> bytes:
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w", method) as archive:
        for name, content in members.items():
            archive.writestr(name, content)
    return buffer.getvalue()


@pytest.fixture(scope="module")
def zeros():
    return bytes(MIN_UNPACKED + 1)


def test_a_bomb_does_not_go_off(write, zeros):
    large = str({"descr": "|u1", "fortran_order": False, "shape": (len(zeros),)})
    files = {"t.npz": zipped({"user.npy": npy(large, zeros)}), "t.csv.gz": gzip.compress(zeros, 1)}
    for name, data in files.items():
        assert len(data) < 2**20
        for read in (eq.read_tables, eq.read_market):
            with pytest.raises(eq.TableFileError, match=r"expected at most 67,108,864 bytes when unpacked, got more"):
                read(write(data, name))
    movies = write(zipped({"movies.csv": zeros, "ratings.csv": b""}), "m.zip")
    with pytest.raises(eq.TableFileError, match="when unpacked, got more"):
        eq.io.read_movielens(movies)


def test_a_size_that_lies_is_found_while_unpacking(write, zeros):
    data = bytearray(zipped({"movies.csv": zeros, "ratings.csv": b""}))
    said = len(zeros).to_bytes(4, "little")
    while (place := data.find(said)) >= 0:
        data[place : place + 4] = (100).to_bytes(4, "little")
    with pytest.raises(eq.TableFileError, match="expected a zip file that can be read, got: Bad CRC-32"):
        eq.io.read_movielens(write(bytes(data), "m.zip"))


@pytest.mark.parametrize("method", [zipfile.ZIP_BZIP2, zipfile.ZIP_LZMA])
def test_members_that_unpack_all_at_once_are_refused(write, method):
    with pytest.raises(eq.TableFileError, match="expected a stored or deflated member"):
        eq.io.read_movielens(write(zipped({"movies.csv": b"x", "ratings.csv": b""}, method), "m.zip"))
    assert bz2  # the interpreter has what it takes to unpack them


@pytest.mark.parametrize(
    ("kind", "shape"), [("<f8", (10**12,)), ("<U0", (10**12,)), ("<f8", (2, 2)), ("|V0", (10**6, 10**6))]
)
def test_an_array_is_as_large_as_its_header_says(write, kind, shape):
    header = str({"descr": kind, "fortran_order": False, "shape": shape})
    with pytest.raises(eq.TableFileError, match="array 'user': expected a plain array, got: 8 bytes for shape"):
        eq.read_tables(write(zipped({"user.npy": npy(header, bytes(8))}), "t.npz"))


def test_a_parquet_file_of_many_equal_cells_is_refused(tmp_path):
    path = tmp_path / "t.parquet"
    pq.write_table(pa.table({"state": pa.repeat(pa.scalar("S"), 2**24 + 1)}), path)
    assert path.stat().st_size < 2**16
    with pytest.raises(eq.TableFileError, match="expected at most 16,777,216 cells"):
        eq.read_tables(path)


def test_a_flipped_bit_in_a_page_with_a_checksum_is_found(tmp_path):
    path = tmp_path / "t.parquet"
    pq.write_table(frame(TABLE), path, write_page_checksum=True, compression="none", use_dictionary=False)
    data = bytearray(path.read_bytes())
    place = data.index(np.float64(0.8).tobytes())  # neither least nor largest, which statistics hold too
    data[place] ^= 1
    path.write_bytes(data)
    with pytest.raises(eq.TableFileError, match=r"t\.parquet: expected a Parquet file that can be read"):
        eq.read_tables(path)


@pytest.mark.parametrize(
    ("header", "row", "read"),
    [
        ("state,action,user,Ann", "s{0},a{0},1,1", eq.read_tables),
        ("table,state,action,user,Ann", "t{0},s{0},A,1,1", eq.read_tables),
        ("state,user,action,utility,Ann", "s{0},u{0},A,1,1", eq.read_market),
        ("item,rater,value", "i{0},r{0},1", eq.read_raters),
    ],
)
def test_a_table_that_would_be_empty_is_refused(write, header, row, read):
    lines = [header, *(row.format(i) for i in range(10_000))]
    extra = [row.format(0).replace("r0", "target")] if "value" in header else []
    with pytest.raises(eq.TableFileError, match=r"expected a table that is filled, got .*10000 x 1000"):
        read(write("\n".join(lines + extra)))


@pytest.mark.parametrize("make", [os.mkfifo, lambda path: os.symlink("/dev/zero", path)])
def test_what_never_ends_is_not_begun(tmp_path, make):
    make(tmp_path / "t.csv")
    for read, _ in READERS.values():
        with pytest.raises(eq.TableFileError, match="expected a readable file, got a pipe or device"):
            read(tmp_path / "t.csv")


# --- messages ---------------------------------------------------------------------------------------------------------


def test_messages_are_one_short_line(write, capsys):
    assert str(eq.TableFileError("a\x1b[1m\nb")) == r"a\x1b[1m\nb"
    for text in ("x" * 100_000 + "\n", f"state,action,user,{'P' * 5000}\nS,A,1,x\n", "a\x1b[31m\x07b,c\n1\n"):
        path = write(text)
        assert main(["solve", str(path)]) == 2
        [line] = capsys.readouterr().err.splitlines()
        assert line.isprintable()
        assert len(line) <= 620
        assert line.startswith(f"equilibrax: error: {path}, line ")


@pytest.mark.parametrize(
    "text", ["[" * 3000, "a = " + "[" * 3000, "[[part]]\nfamily = 'x'\nproportion = 1" + "0" * 400]
)
def test_a_mixture_that_is_none_is_one_line(write, text, capsys):
    args = ["sweep", "--tables", "4", "--out", str(write("", "x")) + "-out", "--mixture", str(write(text, "m.toml"))]
    assert main(args) == 2
    assert len(capsys.readouterr().err) < 620


@pytest.mark.parametrize("twin", ["rain\0", "\x07rain", "ra\u00adin", "rain\x7f"])
@pytest.mark.parametrize("kind", ["table", "market"])
def test_characters_that_are_not_seen_make_no_other_name(write, kind, twin):
    """A zero byte in a name made one more state, in which actions were taken for unavailable."""
    reader, text = READERS[kind]
    with pytest.raises(eq.TableFileError, match="column 'state': expected one spelling of a name, got"):
        reader(write(text.replace("rain", twin, 1)))


@pytest.mark.parametrize(
    ("names", "message"),
    [
        (["Ann", "Ann"], "got 'Ann' again in place 1"),
        (["Ann", ""], "got an empty one in place 1"),
        (["Ann", "ann"], "expected one spelling of a name, got 'ann'"),
        (["Ann", " Ann"], "expected one spelling of a name, got ' Ann'"),
        (["\u00e9", "e\u0301"], "expected one spelling of a name"),
    ],
)
@pytest.mark.parametrize("key", ["provider_names", "state_names", "action_names"])
def test_names_of_archives_are_different(write, key, names, message):
    """A committee "Ann" was the first of two with that name."""
    file = io.BytesIO()
    np.savez(file, user=np.eye(2), providers=np.zeros((2, 2, 2)), **{key: np.array(names)})
    with pytest.raises(eq.TableFileError, match=rf"t\.npz: {key}.*{message}"):
        eq.read_tables(write(file.getvalue(), "t.npz"))


@pytest.mark.parametrize("key", ["provider_names", "state_names", "user_names"])
def test_names_of_archives_of_markets_are_different(write, tmp_path, key):
    eq.write_market(eq.read_market(write(MARKET, "m.csv")), tmp_path / "m.npz")
    arrays = dict(np.load(tmp_path / "m.npz"))
    arrays[key] = np.array(["same"] * len(arrays[key]))
    np.savez(tmp_path / "m.npz", **arrays)
    with pytest.raises(eq.TableFileError, match=rf"m\.npz: {key}: expected different names, got 'same' again"):
        eq.read_market(tmp_path / "m.npz")


def test_a_name_of_several_providers_names_no_committee():
    labels = eq.problems.Labels(("s",), ("a", "b"), ("Ann", "Ann"))
    tables = eq.from_arrays([[1, 0]], [[[1, 0]], [[0, 1]]], labels=labels)
    assert eq.solve(tables, committees=[1, 2]).worst_utility.tolist() == [[1.0, 0.0]]
    with pytest.raises(ValueError, match="providers: expected different names, got 'Ann' for several; give bitmasks"):
        eq.solve(tables, committees=["Ann"])
