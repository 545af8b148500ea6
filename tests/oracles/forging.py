"""Changing datasets as a careful forger would: sizes, checksums, counts and manifest are true of the files again."""

from __future__ import annotations

import hashlib
import json
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq


def close_again(folder: Path) -> None:
    """Make sizes, checksums, counts and manifest true of the files, as a careful forger would."""
    layout, records = json.loads((folder / "sweep.json").read_text())["layout"], []
    unit, inputs, results = layout["unit"], layout["inputs"], layout["results"]
    for file in sorted((folder / "shards").iterdir()):
        record = json.loads(file.read_text())
        for name, said in record["files"].items():
            content = (folder / name).read_bytes()
            said |= {"rows": pq.read_metadata(folder / name).num_rows, "bytes": len(content)}
            said |= {"sha256": hashlib.sha256(content).hexdigest()}
        for kind, what in ((inputs, unit), (results, "rows")):
            record[what] = sum(said["rows"] for name, said in record["files"].items() if name.startswith(kind + "/"))
        of_results = [read(folder, name) for name in record["files"] if name.startswith(results)]
        status = [s for rows in of_results if "status" in rows.column_names for s in rows["status"].to_pylist()]
        record["statuses"] = {str(name): status.count(name) for name in sorted(set(status), key=str)}
        file.write_text(json.dumps(record))
        records.append(record)
    manifest = json.loads((folder / "manifest.json").read_text())
    manifest["shards"], totals = records, manifest["totals"]
    totals["bytes"] = sum(said["bytes"] for record in records for said in record["files"].values())
    for what in (unit, "rows"):
        totals[what] = sum(record[what] for record in records)
    for split, kinds in totals["splits"].items():
        for kind in kinds:
            kinds[kind] = sum(
                said["rows"] for r in records for name, said in r["files"].items() if name.startswith(f"{kind}/{split}")
            )
    totals["statuses"] = {}
    for record in records:
        for name, number in record["statuses"].items():
            totals["statuses"][name] = totals["statuses"].get(name, 0) + number
    (folder / "manifest.json").write_text(json.dumps(manifest))


def read(folder: Path, name: str) -> pa.Table:
    return pq.ParquetFile(folder / name).read()


def write(folder: Path, name: str, rows: pa.Table, close: bool = True) -> None:
    pq.write_table(rows, folder / name)
    if close:
        close_again(folder)


def change(folder: Path, name: str, column: str, row: int, value, close: bool = True) -> None:
    """Another value in one place; nothing but mathematics can tell."""
    rows = read(folder, name)
    values = rows[column].to_pylist()
    assert values[row] != value
    values[row] = value
    place = rows.column_names.index(column)
    kind = rows.schema.field(column).type
    write(folder, name, rows.set_column(place, column, pa.array(values, kind)), close)
