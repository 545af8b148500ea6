"""A new column takes one declaration, and a check: schema, rows, card, metadata, documents and verification follow."""

from __future__ import annotations

import json
import runpy
import subprocess
import sys
from pathlib import Path

import equilibrax as eq
import numpy as np
import pyarrow.parquet as pq
import pytest
from equilibrax._core.column import Column, schema
from equilibrax._core.columns import COLUMNS, declared
from equilibrax.games.selection_result import SelectionResult
from equilibrax.verification import verify
from equilibrax.verification.results import CHECKED, Block

ROOT = Path(__file__).parents[2]
TOY = Column("spread", "float64", "best minus worst utility", "utility", "a toy", nullable=True)
CONFIG = eq.SweepConfig(tables=6, states=2, actions=2, providers=2, shard_size=8, splits=(1.0, 0.0, 0.0), seed=5)
FILE = "committees/train-00000000.parquet"


@pytest.fixture
def toy(monkeypatch):
    """All that it takes: a declaration, and a result that knows the value."""
    monkeypatch.setitem(COLUMNS, "committees", (*COLUMNS["committees"], TOY))
    monkeypatch.setattr(SelectionResult, TOY.name, property(lambda r: r.best_utility - r.worst_utility), raising=False)


@pytest.fixture
def dataset(toy, tmp_path):
    assert eq.run_sweep(CONFIG, tmp_path).closed
    return tmp_path


def test_schema_and_rows_have_it(toy):
    assert schema(declared("committees")).names[-1] == "spread"
    result = eq.solve(eq.sample_tables("uniform", 4, states=2, actions=2, providers=2, seed=0))
    rows = eq.rows.committee_rows(result, ("weights",))
    assert rows.column_names[-3:] == ["misalignment_weights", "misalignment_offset", "spread"]
    expected = (result.best_utility - result.worst_utility).reshape(-1)
    np.testing.assert_array_equal(rows["spread"].to_numpy(), expected)


def test_readers_card_and_metadata_have_it(dataset):
    assert eq.rows.read_committees(dataset).column_names[-1] == "spread"
    card = (dataset / "README.md").read_text()
    assert "| `spread` | float64 | utility | best minus worst utility (a toy) |" in card
    assert "  - name: spread\n    dtype: float64\n" in card
    records = json.loads((dataset / "croissant.json").read_text())["recordSet"]
    [field] = [field for record in records for field in record["field"] if field["name"] == "spread"]
    assert (field["description"], field["dataType"]) == ("best minus worst utility (a toy) [utility]", "sc:Float")


def test_documents_have_it(toy):
    with_tables = runpy.run_path(str(ROOT / ".ci/columns.py"))["with_tables"]
    text = (ROOT / "docs/datasets.md").read_text()
    assert "`spread`" not in text
    assert "| `spread` | float64 |" in with_tables(text)


def test_verification_wants_it_and_says_that_nothing_checks_it_until_something_does(dataset, monkeypatch):
    found = verify(dataset)
    assert found.holds, found.failures
    assert found.not_checked["the column spread of committees, which nothing checks"] == 18

    def check(block: Block, solved: np.ndarray, flags: np.ndarray) -> None:
        spread, here = block.number("spread", solved)
        truth = block.utilities(block.answers.best) - block.utilities(block.answers.worst)
        block.compare("best", "spread", truth, spread, spread != truth, here)

    monkeypatch.setitem(CHECKED, "spread", check)
    found = verify(dataset)
    assert found.holds, found.failures
    assert not any("spread" in what for what in found.not_checked)

    rows = pq.ParquetFile(dataset / FILE).read()
    wrong = rows["spread"].to_numpy() + np.eye(1, 18, 7)[0]
    pq.write_table(rows.set_column(rows.column_names.index("spread"), "spread", [wrong]), dataset / FILE)
    failed = {(f.check, f.row, f.column) for f in verify(dataset).failures if f.check not in ("checksums", "manifest")}
    assert failed == {("best", 7, "spread")}


def test_a_dataset_without_it_is_named(tmp_path, monkeypatch):
    eq.run_sweep(CONFIG, tmp_path)
    monkeypatch.setitem(COLUMNS, "committees", (*COLUMNS["committees"], TOY))
    found = [(f.check, f.file, f.column) for f in verify(tmp_path).failures]
    described = [("card", "README.md", None), ("card", "croissant.json", "recordSet")]
    assert sorted(found, key=str) == [*described, ("schema", FILE, None)]


def test_a_column_without_a_value_is_an_error(monkeypatch):
    monkeypatch.setitem(COLUMNS, "tables", (*COLUMNS["tables"], TOY))
    with pytest.raises(AttributeError, match="column 'spread': expected an extractor or an attribute"):
        eq.rows.table_rows(eq.sample_tables("uniform", 1, states=2, actions=2, providers=2, seed=0))


# --- all declarations -----------------------------------------------------------------------------------------------


@pytest.mark.parametrize("document", sorted((ROOT / "docs").glob("*.md")), ids=lambda path: path.name)
def test_the_documents_say_what_is_declared(document):
    text = document.read_text()
    assert runpy.run_path(str(ROOT / ".ci/columns.py"))["with_tables"](text) == text, "run python .ci/columns.py"


def test_every_declared_column_is_in_a_document():
    text = "".join(path.read_text() for path in (ROOT / "docs").glob("*.md"))
    places = {(kind, column.group) for kind, columns in COLUMNS.items() for column in columns}
    assert {place for place in places if f"<!-- columns: {' '.join(place).strip()} -->" not in text} == set()


@pytest.mark.parametrize("kind", COLUMNS)
def test_names_are_unique_and_types_are_those_of_arrow(kind):
    names = [column.name for column in COLUMNS[kind]]
    assert len(set(names)) == len(names)
    for column in COLUMNS[kind]:
        assert column.arrow == schema([column]).field(0).type
        assert column.meaning
        assert ("float64" in column.type and not column.exact) == (column.stored(True).type != column.type)


def test_declarations_need_neither_jax_nor_arrow():
    code = "import sys, equilibrax._core.columns; sys.exit(bool({'jax', 'pyarrow'} & set(sys.modules)))"
    assert subprocess.run([sys.executable, "-c", code]).returncode == 0
