"""The files of a dataset: which should be there, their checksums, and what records and manifest say of them."""

from __future__ import annotations

import hashlib
import json
import os
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq

from equilibrax._core.column import schema
from equilibrax.verification.configuration import Configuration
from equilibrax.verification.report import Verification

KINDS = ("tables", "committees")


def file_name(kind: str, split: str, shard: int) -> str:
    """A shard's file, relative to the folder."""
    return f"{kind}/{split}-{shard:08}.parquet"


def record_name(shard: int) -> str:
    """A shard's record, relative to the folder."""
    return f"shards/{shard:08}.json"


def read_record(report: Verification, configuration: Configuration, folder: Path, shard: int) -> dict[str, Any] | None:
    """What a shard says of itself, None if that cannot be used."""
    name = record_name(shard)
    report.passed("records")
    try:
        found = json.loads((folder / name).read_bytes())
        files = {str(file): (int(f["rows"]), int(f["bytes"]), str(f["sha256"])) for file, f in found["files"].items()}
        sums = [int(found[key]) for key in ("tables", "rows", "retries", "resolved")]
        statuses = {str(status): int(number) for status, number in found["statuses"].items()}
    except FileNotFoundError:
        report.fail("records", name, "the record of a shard", "no file: the shard is missing")
        return None
    except (OSError, ValueError, KeyError, TypeError, AttributeError) as error:
        report.fail("records", name, "the record of a shard", f"something else ({error!r})")
        return None
    wanted = configuration.fingerprint
    if found.get("configuration") != wanted:
        got = f"{found.get('configuration')}: a shard of another configuration"
        report.fail("records", name, wanted, got, column="configuration")
    size = configuration["shard_size"]
    ids = [shard * size, min((shard + 1) * size, configuration["tables"])]
    for key, value in (("shard", shard), ("ids", ids)):
        if found.get(key) != value:
            report.fail("records", name, value, found.get(key), column=key)
    if "mixture" in configuration.description["config"]:
        part = configuration.part(shard)
        value = {key: getattr(part, key) for key in ("family", "states", "actions", "providers", "parameters")}
        if found.get("part") != value:
            report.fail("records", name, value, found.get("part"), column="part")
    expected = {file_name(kind, split, shard) for kind in KINDS for split in configuration.splits}
    if set(files) != expected:
        report.fail("records", name, sorted(expected), sorted(files), column="files")
    for kind, number, what in (("tables", sums[0], "tables"), ("committees", sums[1], "rows")):
        total = sum(rows for file, (rows, _, _) in files.items() if file.startswith(kind + "/"))
        if total != number:
            report.fail("records", name, f"{total}, the sum over its files", number, column=what)
    if sum(statuses.values()) != sums[1]:
        report.fail("records", name, f"{sums[1]}, its rows", sum(statuses.values()), column="statuses")
    return found


def read_rows(
    report: Verification, configuration: Configuration, folder: Path, name: str, said: dict[str, Any] | None
) -> pa.Table | None:
    """The rows of a file after its checksum and schema are checked; None if they cannot be used."""
    path = folder / name
    report.passed("files")
    try:
        with open(path, "rb") as content:
            digest = hashlib.file_digest(content, "sha256").hexdigest()
        size = path.stat().st_size
    except OSError as error:
        report.fail("files", name, "a file", error.strerror or error)
        return None
    if said is not None:
        report.passed("checksums")
        if size != said["bytes"]:
            report.fail("checksums", name, f"{said['bytes']} bytes", f"{size} bytes")
        elif digest != said["sha256"]:
            report.fail("checksums", name, f"SHA-256 {said['sha256']}", digest)
    try:
        with pq.ParquetFile(path) as parquet:
            rows = parquet.read()
        rows.validate(full=True)
    except (OSError, ValueError, pa.ArrowException) as error:
        report.fail("files", name, "Parquet", f"something else ({error})")
        return None
    if said is not None and rows.num_rows != said["rows"]:
        report.fail("records", record_name(int(path.stem[-8:])), f"{rows.num_rows} rows", said["rows"], column=name)
    report.passed("schema")
    wanted, found = schema(configuration.columns(name.partition("/")[0])), rows.schema
    if found.names != wanted.names:
        report.fail("schema", name, wanted.names, found.names)
        return None
    good = True
    for field in wanted:
        if found.field(field.name).type != field.type:
            report.fail("schema", name, field.type, found.field(field.name).type, column=field.name)
            good = False
    return rows.replace_schema_metadata() if good else None


def check_extra(report: Verification, configuration: Configuration, folder: Path) -> None:
    """Nothing but the dataset is in its three folders, and no other Parquet files are beside them."""
    splits, shards = set(configuration.splits), configuration.shards
    for kind in (*KINDS, "shards"):
        for name in _names(folder / kind):
            path = f"{kind}/{name}"
            stem = name.removesuffix(".json" if kind == "shards" else ".parquet")
            split, _, number = stem.rpartition("-") if kind != "shards" else ("", "", stem)
            ours = stem != name and len(number) == 8 and number.isdecimal() and int(number) < shards
            if not ours or (kind != "shards" and split not in splits):
                report.fail("files", path, "nothing of this name", "a file")
    for name in _names(folder):
        if name.endswith(".parquet"):
            report.fail("files", name, "nothing of this name", "a file")


def _names(folder: Path) -> Iterator[str]:
    try:
        yield from sorted(os.listdir(folder))
    except OSError:
        return


class Manifest:
    """`manifest.json`, compared with the records shard by shard as they are read."""

    def __init__(self, report: Verification, configuration: Configuration, folder: Path):
        self.report, self.configuration, self.sums = report, configuration, Counter()
        self.statuses: Counter[str] = Counter()
        self.splits = {split: dict.fromkeys(KINDS, 0) for split in configuration.splits}
        for name in ("README.md", "croissant.json"):
            report.passed("manifest")
            try:
                content = (folder / name).read_bytes()
                if name.endswith(".json"):
                    json.loads(content)
            except (OSError, ValueError) as error:
                report.fail("manifest", name, "the dataset's description", error)
        report.leave_out("words of README.md and croissant.json", 2)
        self.found: dict[str, Any] = {}
        self.shards: list[Any] = []
        report.passed("manifest")
        try:
            found = json.loads((folder / "manifest.json").read_bytes())
            self.shards, self.found = list(found["shards"]), dict(found)
        except (OSError, ValueError, KeyError, TypeError) as error:
            report.fail("manifest", "manifest.json", "the manifest of the dataset", repr(error))
            return
        for name, value in configuration.description.items():
            if found.get(name) != value:
                report.fail("manifest", "manifest.json", value, found.get(name), column=name)
        if len(self.shards) != configuration.shards:
            report.fail("manifest", "manifest.json", f"{configuration.shards} shards", len(self.shards))

    def compare(self, shard: int, record: dict[str, Any]) -> None:
        """Compare a shard's line with its record, and add the record up."""
        if self.found:
            self.report.passed("manifest")
            listed = self.shards[shard] if shard < len(self.shards) else None
            if listed != record:
                pair = (listed, record) if isinstance(listed, dict) else ({}, record)
                names = [key for key in {**pair[1], **pair[0]} if pair[0].get(key) != pair[1].get(key)]
                got = {key: pair[0].get(key) for key in names}
                expected = f"what {record_name(shard)} says, {_short({key: pair[1].get(key) for key in names})}"
                self.report.fail("manifest", "manifest.json", expected, _short(got), column=f"shards[{shard}]")
        for name in ("tables", "rows", "retries", "resolved"):
            self.sums[name] += record[name]
        self.statuses.update(record["statuses"])
        for name, file in record["files"].items():
            kind, _, rest = name.partition("/")
            split = rest.partition("-")[0]
            if split in self.splits and kind in KINDS:
                self.splits[split][kind] += file["rows"]
            self.sums["files"] += 1
            self.sums["bytes"] += file["bytes"]

    def close(self) -> None:
        """Compare the totals, once every shard was read."""
        if not self.found:
            return
        totals = {"shards": self.configuration.shards, **self.sums, "statuses": dict(self.statuses)}
        totals["splits"] = self.splits
        listed = self.found.get("totals")
        self.report.passed("manifest")
        for name, value in totals.items():
            got = listed.get(name) if isinstance(listed, dict) else None
            if got != value:
                self.report.fail("manifest", "manifest.json", value, got, column=f"totals.{name}")


def _short(value: object) -> str:
    text = json.dumps(value)
    return text if len(text) <= 300 else f"{text[:300]}..."
