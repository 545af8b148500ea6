"""Every reader, given damaged files: an answer, or one of our errors in one short line; no traceback, no hang.

`EQUILIBRAX_FUZZ=30000 pytest tests/io/test_fuzz.py -m slow` takes so many inputs, from `EQUILIBRAX_FUZZ_FROM`. An input
is found again by its number: number i is of reader i modulo their number, damaged by the random numbers of seed
(2026, i).
"""

from __future__ import annotations

import io
import json
import logging
import os
import re
import resource
import signal
import tempfile
import warnings
from collections.abc import Callable
from pathlib import Path
from typing import Any, NamedTuple

import equilibrax as eq
import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from equilibrax._core.fixed_point import RoundingWarning
from equilibrax._core.messages import LONGEST_MESSAGE
from equilibrax.datasets import _layout, merge
from equilibrax.datasets.mixture import check_proportions
from equilibrax.datasets.sweep import MixturePart, SweepConfig, read_mixture, run_sweep
from equilibrax.io.files import LOG
from equilibrax.verification import verify

SECONDS = 10
"""What takes longer hangs."""

TABLE = "table,state,action,prior,user,Ann,Bob\n" + "".join(
    f"{t},{x},{a},{1 + (x == 'sun')},0.{i},{a == 'b':d},{i}/7\n"
    for i, (t, x, a) in enumerate((t, x, a) for t in "TU" for x in ("rain", "sun") for a in "ab")
)
MARKET = "state,user,action,utility,Ann,Bob,weight:Ann,prior,sees,sees:Bob,outcome\n" + "".join(
    f"{x},{u},{a},0.{i},1,{i}/3,{1 + (u == 'C')}/2,{1 + (x == 'sun')},{x if u == 'C' else 'no'},wet,{x}\n"
    for i, (x, u, a) in enumerate((x, u, a) for x in ("rain", "sun") for u in "CD" for a in "ab")
)
WIDE = "item,target,Ann,Bob,w,g\n" + "".join(f"q{i},{i},{i + 1},{i * i},{i + 1},{i % 2}\n" for i in range(6))
LONG = "item,rater,value\n" + "".join(f"q{i},{r},{i}\n" for i in range(4) for r in ("target", "Ann", "Bob"))
FILMS = 'movieId,title,genres\n1,Heat (1995),Action|Crime\n2,Up (2009),Comedy\n3,"It, again",Drama\n'
RATINGS = "userId,movieId,rating,timestamp\n" + "".join(
    f"{u},{m},{(u + m) % 5 + 0.5},0\n" for u in (1, 2) for m in (1, 2, 3)
)
ETHICS = 'label,input,is_short,edited\n1,I lied.,True,False\n0,"I helped,\ntwice.",True,False\n0,A story.,False,False\n'
INFO = """key,references,option_ordinal
Q1,"['Yes', 'No', 'Refused']","[1, 2]"
Q2,"['A', 'B', 'C']","[1.0, 2.0, 3.0]"
"""
POLL = "person,Q1,Q2,PARTY,WEIGHT_W1\n1,Yes,A,Left,1\n2,No,B,Right,0.5\n3,Refused,C,Left,2\n"
MODELS = {"m": {"Q1": {"Yes": 0.5, "No": 0.5}, "Q2": [0.2, 0.3, 0.5]}, "n": {"Q1": [1, 0], "Q2": {"A": 1}}}
TOML = """
[[part]]
family = "uniform"
proportion = 0.75
[[part]]
family = "noisy"
states = 2
parameters = {noise = 0.2}
"""


PAYOFFS = 'NFG 1 R "Chicken"\n{ "Ann"\n"Bob" }\n{ 3\n2 }\n3 0.5\n1/3 -2\n4 1e2\n0 0\n7 7\n1 1\n'
OUTCOMES = """NFG 1 D "War" { "Ann" "Bob" }
{
{ "go" "stay" }
{ "go" "st\\"ay" }
}
"a comment"
{
{ "peace" 1.5, 2/3 }
{ "war" 0 -1e-3 }
}
1 2
0 1
"""


class Reader(NamedTuple):
    """Files, by name, and what reads them."""

    files: dict[str, bytes]
    read: Callable[[Path], Any]


def _npz(**arrays: Any) -> bytes:
    buffer = io.BytesIO()
    np.savez_compressed(buffer, **arrays)
    return buffer.getvalue()


def _parquet() -> bytes:
    names = ["rain", "rain", "sun", "sun"]
    columns = {"state": names, "action": list("abab"), "user": [0.1, 0.2, 0.3, 0.4], "Ann": [1, 2, 3, 4]}
    buffer = io.BytesIO()
    pq.write_table(pa.table(columns), buffer, write_page_checksum=True)
    return buffer.getvalue()


def _market_parquet() -> bytes:
    header, *lines = (line.split(",") for line in MARKET.splitlines())
    buffer = io.BytesIO()
    pq.write_table(pa.table({name: list(column) for name, column in zip(header, zip(*lines))}), buffer)
    return buffer.getvalue()


def _mixture(folder: Path) -> None:
    parts = read_mixture(folder / "m.toml")
    assert all(isinstance(part, MixturePart) for part in parts)
    check_proportions([part.proportion for part in parts])


def _sweep(folder: Path) -> None:
    layout = _layout.read_layout(folder)
    if layout is not None and layout.shards < 100:
        for fault in merge(folder, check=True).faults:
            assert len(fault) <= LONGEST_MESSAGE, fault


def _verify(folder: Path) -> None:
    report = verify(folder, sample=1, programs=0, seed=0)
    assert all(len(failure.expected) + len(failure.got) <= LONGEST_MESSAGE for failure in report.failures)
    if not report.holds:
        raise ValueError("something does not hold")


def _readers(folder: Path) -> dict[str, Reader]:
    user, providers = np.arange(8.0).reshape(2, 2, 2), np.arange(16.0).reshape(2, 2, 2, 2)
    arrays = {"user": user, "providers": providers, "prior": np.array([1, 2]), "state_names": np.array(["a", "b"])}
    market = {
        "user": user[0][None],
        "components": providers[0][:, None],
        "weights": np.ones((2, 1)),
        "resolution": np.int64(10),
    }
    market = {name: np.asarray(value).astype(np.int64) for name, value in market.items()}
    run_sweep(SweepConfig(tables=4, shard_size=4, states=2, actions=2, providers=1), folder)
    swept = {str(p.relative_to(folder)): p.read_bytes() for p in folder.rglob("*-*.parquet")}
    swept |= {name: (folder / name).read_bytes() for name in ("sweep.json", "shards/00000000.json")}
    polls = {"info.csv": INFO, "responses.csv": POLL, "models.json": json.dumps(MODELS)}
    films = {"movies.csv": FILMS, "ratings.csv": RATINGS, "mine.csv": "movieId,A,B\n1,10,20\n2,30,40\n"}
    texts: dict[str, tuple[dict[str, str], Callable[[Path], Any]]] = {
        "tables csv": ({"t.csv": TABLE}, lambda f: (eq.read_table_groups(f / "t.csv"), eq.read_tables(f / "t.csv"))),
        "market csv": ({"t.csv": MARKET}, lambda f: eq.read_market(f / "t.csv")),
        "wide": ({"t.csv": WIDE}, lambda f: eq.read_raters(f / "t.csv", weight="w", group="g", scale=100)),
        "long": ({"t.csv": LONG}, lambda f: eq.read_raters(f / "t.csv")),
        "movielens": (films, lambda f: eq.raters.movielens_raters(f, f / "mine.csv", min_ratings=1)),
        "opinionqa": (polls, lambda f: eq.raters.read_opinionqa(f, "PARTY", f / "models.json")),
        "respondents": (polls, lambda f: eq.raters.read_opinionqa_respondents(f, f / "models.json")),
        "ethics": (
            {"t.csv": ETHICS, "s.csv": "item,A,B\n2,10,20\n0,30,\n"},
            lambda f: eq.raters.read_ethics(f / "t.csv", f / "s.csv"),
        ),
        "mixture": ({"m.toml": TOML}, _mixture),
        "payoffs nfg": ({"t.nfg": PAYOFFS}, lambda f: eq.read_nfg(f / "t.nfg")),
        "outcomes nfg": ({"t.nfg": OUTCOMES}, lambda f: eq.read_nfg(f / "t.nfg")),
    }
    found = {name: Reader({n: t.encode() for n, t in files.items()}, read) for name, (files, read) in texts.items()}
    found["tables npz"] = Reader({"t.npz": _npz(**arrays)}, lambda f: eq.read_tables(f / "t.npz"))
    found["market npz"] = Reader({"t.npz": _npz(**market)}, lambda f: eq.read_market(f / "t.npz"))
    found["tables parquet"] = Reader({"t.parquet": _parquet()}, lambda f: eq.read_table_groups(f / "t.parquet"))
    found["sweep"] = Reader(swept, _sweep)
    whole = {str(p.relative_to(folder)): p.read_bytes() for p in folder.rglob("*") if p.is_file()}
    found["verify"] = Reader(whole, _verify)
    found["committees"] = Reader(
        {n: d for n, d in swept.items() if n.startswith("committees")}, eq.rows.read_committees
    )
    found["market parquet"] = Reader({"t.parquet": _market_parquet()}, lambda f: eq.read_market(f / "t.parquet"))
    semicolons = TABLE.replace(",", ";").replace(".", ",").encode()
    how = {"sep": ";", "decimal": ","}
    found["semicolons"] = Reader({"t.csv": semicolons}, lambda f: eq.read_table_groups(f / "t.csv", **how))
    return found


# --- damage -----------------------------------------------------------------------------------------------------------

TOKENS = [
    *(
        b"",
        b",",
        b";",
        b"\t",
        b'"',
        b"\n",
        b"\r\n",
        b"\r",
        b"\0",
        b"#",
        b"[",
        b"]",
        b"{",
        b"}",
        b":",
        b"=",
        b"'",
        b"\xff",
    ),
    *(b"nan", b"inf", b"-1", b"0", b"1e999", b"1e-999", b"1/0", b"1/3", b"9" * 25, b"9" * 5000, b"1" + b"0" * 400),
    *(b"[" * 3000, b"{" * 3000, b"x" * 2000, b"Unnamed: 0", b"item", b"state", b"weight:", b"None", b"True", b"null"),
    *("\u00e9".encode(), "e\u0301".encode(), b"\xef\xbb\xbf", b"\x1b[31m", b"PK\x03\x04", b"\x1f\x8b", b"PAR1", b" "),
    *(b"1979-05-27", b"0x" + b"f" * 5000, b"1_000", b"__import__('os')", b"1;2", b"0,5", b"../", b"[/b]", b"$"),
]
ODD = [
    None,
    True,
    -1,
    0,
    2**31,
    2**63,
    10**400,
    1.5,
    1e308,
    float("nan"),
    "",
    "x" * 2000,
    [],
    {},
    [[]],
    {"a": 1},
    "../x",
]
KINDS = ["<f8", "<f4", "<f2", "<i8", "|u1", "<u8", "<c16", "|b1", "<U3", "|S3", "<M8[s]", "<U0"]


def damaged(data: bytes, rng: np.random.Generator) -> bytes:
    """A file with one to three faults."""
    for _ in range(rng.integers(1, 4)):
        if data.startswith(b"PK") and rng.random() < 0.7:
            data = _other_arrays(data, rng)
        elif data[:1] == b"{" and rng.random() < 0.7:
            data = _other_json(data, rng)
        else:
            data = _other_bytes(data, rng)
    return data


def _other_bytes(data: bytes, rng: np.random.Generator) -> bytes:
    start, stop = sorted(rng.integers(0, len(data) + 1, 2).tolist())
    stop = min(stop, start + int(rng.integers(0, 40)))
    lines = data.split(b"\n")
    one, other = rng.integers(0, len(lines), 2).tolist()
    kind = rng.integers(0, 10)
    if kind == 0 and data:
        return (
            data[:start] + bytes([data[min(start, len(data) - 1)] ^ 1 << int(rng.integers(0, 8))]) + data[start + 1 :]
        )
    if kind == 1:
        return data[:start] + data[stop:]
    if kind == 2:
        return data[:stop] + data[start:]
    if kind == 3:
        return data[:start]
    if kind in (4, 8, 9):  # another field
        fields = re.split(rb"([,=:])", lines[one])
        fields[2 * rng.integers(0, (len(fields) + 1) // 2)] = TOKENS[rng.integers(0, len(TOKENS))]
        return b"\n".join([*lines[:one], b"".join(fields), *lines[one + 1 :]])
    if kind == 5:
        lines[one], lines[other] = lines[other], lines[one]
        return b"\n".join(lines)
    if kind == 6:
        return b"\n".join([*lines[:one], lines[other], *lines[one:]])
    return data[:start] + TOKENS[rng.integers(0, len(TOKENS))] + data[start:]


def _other_json(data: bytes, rng: np.random.Generator) -> bytes:
    try:
        found = place = json.loads(data)
    except (ValueError, RecursionError):
        return _other_bytes(data, rng)
    while isinstance(place, dict | list) and place:
        key = list(place)[rng.integers(0, len(place))] if isinstance(place, dict) else int(rng.integers(0, len(place)))
        inner = place[key]
        if rng.random() < 0.4 or not (isinstance(inner, dict | list) and inner):
            if rng.random() < 0.3:
                del place[key]
            else:
                place[key] = ODD[rng.integers(0, len(ODD))]
            break
        place = inner
    return json.dumps(found).encode()


def _other_arrays(data: bytes, rng: np.random.Generator) -> bytes:
    try:
        arrays = dict(np.load(io.BytesIO(data), allow_pickle=False))
    except Exception:
        return _other_bytes(data, rng)
    name = list(arrays)[rng.integers(0, len(arrays))] if arrays else "user"
    array = arrays.get(name, np.zeros(2))
    with np.errstate(all="ignore"), warnings.catch_warnings():
        warnings.simplefilter("ignore")
        try:
            changed = [
                lambda: array.astype(KINDS[rng.integers(0, len(KINDS))]),
                lambda: array.reshape(-1),
                lambda: array[..., None],
                lambda: array[:0],
                lambda: np.moveaxis(array, 0, -1),
                lambda: np.zeros((0, 2**40)),
                lambda: np.where(
                    rng.random(array.shape) < 0.3, rng.choice([np.nan, np.inf, 1e300, -1e-300, 2.0**62]), array
                ),
            ][rng.integers(0, 7)]()
        except (TypeError, ValueError, IndexError, RuntimeError):
            return _other_bytes(data, rng)
    arrays[name] = changed
    if rng.random() < 0.2:
        arrays[["resolution", "available", "table_names", "tensor", "user_sees", "x"][rng.integers(0, 6)]] = changed
    return _npz(**arrays)


# --- the test ---------------------------------------------------------------------------------------------------------


class _Said(logging.Handler):
    """Lines that are logged are short, too."""

    def emit(self, record: logging.LogRecord) -> None:
        assert len(record.getMessage()) <= LONGEST_MESSAGE, record.getMessage()


class Hangs(BaseException):
    """A reader took too long."""


def _alarm(*_: Any) -> None:
    raise Hangs


def run(readers: dict[str, Reader], numbers: range) -> tuple[list[str], dict[str, list[int]]]:
    """What went wrong, and for each reader how many inputs were read and how many were refused."""
    faults: list[str] = []
    counts = {name: [0, 0] for name in readers}
    before, said = signal.signal(signal.SIGPROF, _alarm), _Said()
    LOG.addHandler(said)
    LOG.propagate = False
    with tempfile.TemporaryDirectory() as top:
        for i in numbers:
            name, reader = list(readers.items())[i % len(readers)]
            rng = np.random.default_rng([2026, i])
            files = dict(reader.files)
            texts = [path for path in files if not path.endswith(".parquet")] or list(files)
            for _ in range(1 + (rng.random() < 0.2)):
                chosen = texts[rng.integers(0, len(texts))]
                files[chosen] = damaged(files[chosen], rng)
            folder = Path(top, name)
            for path, data in files.items():
                (folder / path).parent.mkdir(parents=True, exist_ok=True)
                (folder / path).write_bytes(data)
            refused = None
            try:
                signal.setitimer(signal.ITIMER_PROF, SECONDS)
                try:
                    reader.read(folder)
                finally:
                    signal.setitimer(signal.ITIMER_PROF, 0)
            except (ValueError, OSError) as error:
                refused = str(error)
                if len(refused) > LONGEST_MESSAGE:
                    faults.append(f"{i} ({name}): {len(refused)} characters: {refused[:200]}")
            except RoundingWarning:
                pass
            except (Exception, Hangs) as error:
                faults.append(f"{i} ({name}): {type(error).__name__}: {str(error)[:200]}")
            counts[name][refused is not None] += 1
    LOG.removeHandler(said)
    LOG.propagate = True
    signal.signal(signal.SIGPROF, before)
    return faults, counts


@pytest.fixture(scope="module")
def readers(tmp_path_factory):
    return _readers(tmp_path_factory.mktemp("swept"))


def test_sound_files_are_read(readers, tmp_path):
    for name, reader in readers.items():
        for path, data in reader.files.items():
            (tmp_path / name / path).parent.mkdir(parents=True, exist_ok=True)
            (tmp_path / name / path).write_bytes(data)
        reader.read(tmp_path / name)


def test_damaged_files_are_read_or_refused(readers):
    faults, counts = run(readers, range(20 * len(readers)))
    assert not faults, "\n".join(faults)
    assert all(refused for _, refused in counts.values())


@pytest.mark.slow
def test_many_damaged_files_are_read_or_refused(readers, capsys):
    count, first = (int(os.environ.get(f"EQUILIBRAX_FUZZ{of}", number)) for of, number in (("", 600), ("_FROM", 10**6)))
    memory = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    faults, counts = run(readers, range(first, first + count))
    grown = (resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - memory) / 2**20
    with capsys.disabled():
        print(f"\n{count:,} inputs, {len(faults)} faults, {grown:.2f} GiB more; read and refused: {counts}")
    assert not faults, "\n".join(faults[:20])
    assert grown < 1
