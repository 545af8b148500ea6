"""Random forgeries, all of whose checksums are right: each is found, or is of a kind that hurts nobody.

`EQUILIBRAX_FORGERIES=100 pytest tests/verification/test_campaign.py -m slow` makes so many.
"""

from __future__ import annotations

import hashlib
import json
import os
import random
import shutil
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import equilibrax as eq
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq
import pytest
from equilibrax.datasets.market_sweep import MarketSweepConfig, run_market_sweep
from equilibrax.datasets.sweep import SweepConfig, run_sweep
from equilibrax.verification import NoDataset, verify
from forging import close_again, read, write

SPLITS = (0.6, 0.2, 0.2)
TABLES = SweepConfig(tables=24, states=3, actions=2, providers=2, resolution=10, shard_size=8, splits=SPLITS)
MARKETS = MarketSweepConfig(markets=10, states=2, actions=2, providers=2, resolution=24, shard_size=8, splits=SPLITS)
MADE = {
    "selection": lambda folder: run_sweep(TABLES, folder),
    "joint": lambda folder: run_sweep(
        SweepConfig(tables=9, states=3, actions=2, providers=2, game=eq.Joint(), resolution=10, splits=SPLITS), folder
    ),
    "markets": lambda folder: run_market_sweep(MARKETS, folder),
}


@dataclass
class Forger:
    """A folder to spoil, and chance."""

    folder: Path
    chance: random.Random

    def file(self, results: bool = True, *, rows: bool = True) -> str:
        """One of its files, with rows."""
        layout = json.loads((self.folder / "sweep.json").read_text())["layout"]
        kind = layout["results" if results else "inputs"]
        names = sorted(str(path.relative_to(self.folder)) for path in (self.folder / kind).iterdir())
        return self.chance.choice([n for n in names if not rows or pq.read_metadata(self.folder / n).num_rows])

    def cell(self, change: Callable, kinds: Callable, *, results: bool = True) -> None:
        """Another value in a random row and column of such a type."""
        name = self.file(results)
        rows = read(self.folder, name)
        columns = [f.name for f in rows.schema if kinds(f.type) and rows[f.name].null_count < rows.num_rows]
        column = self.chance.choice(columns)
        values = rows[column].to_pylist()
        row = self.chance.choice([i for i, value in enumerate(values) if value is not None])
        values[row] = change(values[row])
        place = rows.column_names.index(column)
        write(self.folder, name, rows.set_column(place, column, pa.array(values, rows.schema.field(column).type)))

    def rows(self, change: Callable[[pa.Table], pa.Table], *, results: bool = True) -> None:
        name = self.file(results)
        write(self.folder, name, change(read(self.folder, name)))

    def json(self, name: str, change: Callable) -> None:
        file = self.folder / name
        said = json.loads(file.read_text())
        change(said)
        file.write_text(json.dumps(said))
        self.hashes()

    def hashes(self) -> None:
        """Of card, metadata and description in the manifest."""
        file = self.folder / "manifest.json"
        said = json.loads(file.read_text())
        for name in ("sweep.json", "README.md", "croissant.json"):
            content = (self.folder / name).read_bytes()
            said["files"][name] = {"bytes": len(content), "sha256": hashlib.sha256(content).hexdigest()}
        file.write_text(json.dumps(said))

    def described(self, change: Callable) -> None:
        """`sweep.json`, the manifest and every record's fingerprint, as who made them so."""
        self.json("sweep.json", change)
        said = json.loads((self.folder / "sweep.json").read_text())
        manifest = json.loads((self.folder / "manifest.json").read_text()) | said
        same = {name: value for name, value in said.items() if name != "git_revision"}
        unit = said["layout"]["unit"]
        same["config"] = {name: value for name, value in same["config"].items() if name != unit}
        digest = hashlib.sha256(json.dumps(same, sort_keys=True).encode()).hexdigest()
        for record in manifest["shards"]:
            record["configuration"] = digest
            (self.folder / "shards" / f"{record['shard']:08}.json").write_text(json.dumps(record))
        (self.folder / "manifest.json").write_text(json.dumps(manifest))
        self.hashes()

    def text(self, name: str, old: str, new: str) -> None:
        file = self.folder / name
        file.write_text(file.read_text().replace(old, new, 1))
        self.hashes()


def _real(kind: pa.DataType) -> bool:
    return pa.types.is_floating(kind)


def _whole(kind: pa.DataType) -> bool:
    return pa.types.is_integer(kind)


def _texts(kind: pa.DataType) -> bool:
    return pa.types.is_string(kind)


def _lists(kind: pa.DataType) -> bool:
    return pa.types.is_list(kind) and (_real(kind.value_type) or _whole(kind.value_type))


def _swapped(rows: pa.Table) -> pa.Table:
    column = next(name for name in ("worst_utility", "user") if name in rows.column_names)
    values = rows[column].to_pylist()
    return rows.set_column(rows.column_names.index(column), column, pa.array(values[::-1], rows[column].type))


FOUND: dict[str, Callable[[Forger], None]] = {
    "a utility a little better": lambda f: f.cell(lambda v: v + 1e-5, _real),
    "a utility much worse": lambda f: f.cell(lambda v: v - 1.0, _real),
    "a utility of the wrong sign": lambda f: f.cell(lambda v: -v - 1.0, _real),
    "a number that is missing": lambda f: f.cell(lambda v: None, _real),
    "a number that is no number": lambda f: f.cell(lambda v: float("nan"), _real),
    "a whole number more": lambda f: f.cell(lambda v: v + 1, _whole),
    "a whole number of the wrong sign": lambda f: f.cell(lambda v: -v - 1, _whole),
    "another text": lambda f: f.cell(lambda v: v + "|CYCLE", _texts),
    "no text": lambda f: f.cell(lambda v: "?", _texts),
    "a payoff changed": lambda f: f.cell(lambda v: [v[0] + 1, *v[1:]], _lists, results=False),
    "a payoff left out": lambda f: f.cell(lambda v: v[1:], _lists, results=False),
    "payoffs in another order": lambda f: f.cell(lambda v: [*v[1:], v[0] + 2], _lists, results=False),
    "rows in another order": lambda f: f.rows(lambda r: r.take(list(range(r.num_rows))[::-1])),
    "the first row again": lambda f: f.rows(lambda r: pa.concat_tables([r, r.slice(0, 1)])),
    "the last row left out": lambda f: f.rows(lambda r: r.slice(0, r.num_rows - 1)),
    "tables left out": lambda f: f.rows(lambda r: r.slice(1), results=False),
    "utilities of another row": lambda f: f.rows(lambda r: _swapped(r) if r.num_rows > 1 else r.slice(1)),
    "a column more": lambda f: f.rows(lambda r: r.append_column("score", pa.array([1.0] * r.num_rows))),
    "a column less": lambda f: f.rows(lambda r: r.drop([r.column_names[-2]])),
    "a column by another name": lambda f: f.rows(lambda r: r.rename_columns([*r.column_names[:-1], "state"])),
    "columns in another order": lambda f: f.rows(lambda r: r.select(r.column_names[::-1])),
    "a column of another type": lambda f: f.rows(
        lambda r: r.set_column(0, r.column_names[0], pc.cast(r[0], pa.int32()))
    ),
    "another seed": lambda f: f.described(lambda d: d["config"].update(seed=d["config"]["seed"] + 1)),
    "another resolution": lambda f: f.described(lambda d: d["config"].update(resolution=1000)),
    "another split": lambda f: f.described(lambda d: d["config"].update(splits=[0.5, 0.25, 0.25])),
    "more tables than there are": lambda f: f.described(
        lambda d: d["config"].update({d["layout"]["unit"]: d["config"][d["layout"]["unit"]] + 8})
    ),
    "another number of providers": lambda f: f.described(lambda d: d["config"].update(providers=3)),
    "another layout": lambda f: f.described(lambda d: d["layout"].update(key="id")),
    "an option more": lambda f: f.json("manifest.json", lambda d: d.update(viewer=False)),
    "a total": lambda f: f.json("manifest.json", lambda d: d["totals"].update(rows=1)),
    "a licence in the card": lambda f: f.text("README.md", "license: cc0-1.0", "license: mit"),
    "a type in the card": lambda f: f.text("README.md", "dtype: float64", "dtype: float32"),
    "a file in the card": lambda f: f.text("README.md", "/train-*.parquet", "/test-*.parquet"),
    "a type in Croissant": lambda f: f.text("croissant.json", "sc:Float", "sc:Text"),
    "a file of somebody's": lambda f: (f.folder / "setup.py").write_text("import os"),
    "a folder more": lambda f: (f.folder / "train").mkdir(),
    "a link": lambda f: (f.folder / "validation.parquet").symlink_to("/etc/hostname"),
    "a shard record less": lambda f: next((f.folder / "shards").iterdir()).unlink(),
    "a file less": lambda f: (f.folder / f.file(rows=False)).unlink(),
}
"""What must be found."""

PASSES: dict[str, Callable[[Forger], None]] = {
    "prose of the card": lambda f: f.text("README.md", "# Equilibria", "# The best equilibria"),
    "prose of Croissant": lambda f: f.text("croissant.json", "random", "fine"),
    "who made it": lambda f: f.text("croissant.json", "equilibrax contributors", "somebody else"),
    "the git revision": lambda f: f.described(lambda d: d.update(git_revision="0" * 40)),
    "the versions it was made with": lambda f: f.described(lambda d: d["made_with"].update(jax="9.9.9")),
    "another compression": lambda f: f.rows(lambda r: r),
    "the number of retries": lambda f: _retries(f.folder),
}
"""What is not: no number, row or file that a reader takes depends on it. `--manifest-sha256` finds it."""


def _retries(folder: Path) -> None:
    manifest = json.loads((folder / "manifest.json").read_text())
    manifest["totals"]["retries"] = manifest["shards"][0]["retries"] = 7
    (folder / "shards/00000000.json").write_text(json.dumps(manifest["shards"][0]))
    (folder / "manifest.json").write_text(json.dumps(manifest))


@pytest.fixture(scope="module")
def made(tmp_path_factory):
    folders = {name: tmp_path_factory.mktemp(name) for name in MADE}
    for name, make in MADE.items():
        make(folders[name])
    return folders


def campaign(made: dict[str, Path], top: Path, numbers: range) -> tuple[list[str], Counter[str]]:
    """Forgeries that passed though they should not or were found though they hurt nobody; and how many of each kind."""
    kinds, wrong, counts = [*FOUND, *PASSES], [], Counter()
    for i in numbers:
        kind = kinds[i % len(kinds)]
        source = [*made][(i // len(kinds)) % len(made)]
        folder = Path(shutil.copytree(made[source], top / str(i)))
        pinned = hashlib.sha256((folder / "manifest.json").read_bytes()).hexdigest()
        {**FOUND, **PASSES}[kind](Forger(folder, random.Random(i)))
        close = kind == "another compression" or (kind in FOUND and folder.joinpath("manifest.json").exists())
        if close and kind not in ("a shard record less", "a file less", "a total", "an option more"):
            close_again(folder)
        try:
            report = verify(folder, programs=None)
            held = report.holds
        except NoDataset:
            held = False
        counts[f"{kind}: {'passes' if held else 'found'}"] += 1
        if held != (kind in PASSES):
            wrong.append(f"{i}: {kind} in {source}")
        if held and verify(folder, sample=0, manifest_sha256=pinned).holds:
            wrong.append(f"{i}: {kind} in {source}, with the hash of the manifest")
        shutil.rmtree(folder)
    return wrong, counts


def test_kinds_that_pass_hurt_nobody(made, tmp_path):
    first = len(FOUND)
    wrong, _ = campaign(made, tmp_path, range(first, first + len(PASSES)))
    assert wrong == []


@pytest.mark.slow
def test_random_forgeries_are_found(made, tmp_path, capsys):
    wrong, counts = campaign(made, tmp_path, range(int(os.environ.get("EQUILIBRAX_FORGERIES", "40"))))
    with capsys.disabled():
        print(f"\n{sum(counts.values())} forgeries: {dict(counts)}")
    assert wrong == []
