"""The files of a dataset: which should be there, their checksums, and what records and manifest say of them."""

from __future__ import annotations

import hashlib
import json
import os
import re
from collections import Counter
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa

from equilibrax._core.column import Column
from equilibrax.verification.card import croissant_faults, front_matter
from equilibrax.verification.configuration import Configuration
from equilibrax.verification.parquet import MOST_BYTES, NoSchema, TooLarge, read_file
from equilibrax.verification.report import NAMED, WORDS, Verification
from equilibrax.verification.safely import names_in, read_bytes, read_json, regular, sha256_of, short
from equilibrax.verification.training.questions import KINDS, text_bytes

DESCRIBING = ("sweep.json", "README.md", "croissant.json")
"""Files whose hashes the manifest has."""

FIGURES = ("figure5.png", "figure6.png", "figure7.png", "bound.png", "providers.png")
"""What `equilibrax plot` may have put beside the data."""

_RECORD = 2**20  # bytes of a record, at most
_MANIFEST = 2**26
_MORE = 10_000  # entries of a folder beyond those that should be there: enough to say that they should not


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
        found = read_json(folder / name, _RECORD)
        files = {str(file): (found["files"][file]["rows"], str(f["sha256"])) for file, f in found["files"].items()}
        sizes = [f["bytes"] for f in found["files"].values()]
        sums = [found[key] for key in (configuration.unit, "rows", "retries", "resolved")]
        statuses = dict(found["statuses"].items())
        numbers = [*sums, *sizes, *statuses.values(), *(rows for rows, _ in files.values())]
        if not all(type(number) is int and 0 <= number < 2**53 for number in numbers):
            raise TypeError("numbers that are no counts")
    except FileNotFoundError:
        report.fail("records", name, "the record of a shard", "no file: the shard is missing")
        return None
    except (OSError, ValueError, KeyError, TypeError, AttributeError) as error:
        report.fail("records", name, "the record of a shard", f"something else ({short(error)})")
        return None
    wanted = configuration.fingerprint
    if found.get("configuration") != wanted:
        got = f"{found.get('configuration')}: a shard of another configuration"
        report.fail("records", name, wanted, got, column="configuration")
    size = configuration["shard_size"]
    ids = [shard * size, min((shard + 1) * size, configuration.count)]
    for key, value in (("shard", shard), ("ids", ids)):
        if found.get(key) != value:
            report.fail("records", name, value, found.get(key), column=key)
    if "mixture" in configuration.description["config"]:
        part = configuration.part(shard)
        value = {key: getattr(part, key) for key in ("family", "states", "actions", "providers", "parameters")}
        if found.get("part") != value:
            report.fail("records", name, value, found.get("part"), column="part")
    expected = {file_name(kind, split, shard) for kind in configuration.folders for split in configuration.splits}
    if set(files) != expected:
        report.fail("records", name, sorted(expected), sorted(files), column="files")
        return None
    for kind, number, what in zip(configuration.kinds, sums, (configuration.unit, "rows")):
        total = sum(rows for file, (rows, _) in files.items() if file.startswith(kind + "/"))
        if total != number:
            report.fail("records", name, f"{total}, the sum over its files", number, column=what)
    if sum(statuses.values()) != sums[1]:
        report.fail("records", name, f"{sums[1]}, its rows", sum(statuses.values()), column="statuses")
    report.leave_out(WORDS, "retries and resolved of the records", 1)
    return found


def read_rows(
    report: Verification,
    configuration: Configuration,
    folder: Path,
    name: str,
    shard: int,
    said: dict[str, Any] | None,
) -> pa.Table | None:
    """The rows of a file after its size, checksum, schema and statistics are checked; None if they cannot be used."""
    kind = name.partition("/")[0]
    report.passed("files")
    try:
        content = read_bytes(folder / name, MOST_BYTES)
    except (OSError, ValueError) as error:
        report.fail("files", name, "a file", short(error))
        return None
    if said is None:
        report.leave_out("errors", "files of shards that have no record", 1)
        return None
    report.passed("checksums")
    if len(content) != said["bytes"]:
        report.fail("checksums", name, f"{said['bytes']} bytes", f"{len(content)} bytes")
    elif (digest := hashlib.sha256(content).hexdigest()) != said["sha256"]:
        report.fail("checksums", name, f"SHA-256 {said['sha256']}", digest)
    part, rows = configuration.part(shard), said["rows"]
    most = min(configuration["shard_size"], configuration.count)
    each = {configuration.kinds[0]: 1, configuration.kinds[1]: configuration.rows_each(part)}.get(kind, len(KINDS))
    if rows > most * each:
        report.fail("records", record_name(shard), "rows of the shard's tables", rows, column=name)
        return None
    letters = configuration.letters(part)
    widths = {}
    for column in configuration.columns(kind):
        widths[column.name] = 1
        for letter in column.size.split():
            widths[column.name] *= letters.get(letter) or int(letter)
        if column.group == "equilibria":
            widths[column.name] *= min(configuration["equilibria_cap"], part.actions ** min(part.states, 64))
        if column.group == "lotteries":  # at most one for every action that joins a provider's best ones
            widths[column.name] *= part.providers * part.states * part.actions + 1
    texts = {}
    if kind not in configuration.kinds:
        texts = text_bytes(part.states, part.actions, 1 + part.providers)
        widths |= {"accepted": part.providers, "choices": max(part.actions, 1 + part.providers)}
    report.passed("schema")
    try:
        read = read_file(content, configuration.columns(kind), rows, widths, texts)
        _check_missing(report, name, read, configuration.columns(kind))
        return read
    except TooLarge as error:
        report.leave_out("large", f"files of {error}", 1)
    except NoSchema as error:
        report.fail("schema", name, "columns as they are declared, and their statistics", error, column=error.column)
    except ValueError as error:
        report.fail("files", name, "Parquet as datasets have it", error)
    except (OSError, KeyError, TypeError, IndexError, pa.ArrowException) as error:
        report.fail("files", name, "Parquet", f"something else ({short(str(error))})")
    return None


def _check_missing(report: Verification, name: str, rows: pa.Table, columns: Sequence[Column]) -> None:
    """Columns that have a value in every row do: elsewhere what is missing is read as 0."""
    for column in columns:
        if not column.nullable and rows[column.name].null_count:
            missing = rows[column.name].combine_chunks().is_null().to_numpy(zero_copy_only=False)
            for row in np.flatnonzero(missing).tolist():
                report.fail("nulls", name, "a value", "none", row, column.name)


def check_extra(report: Verification, configuration: Configuration, folder: Path) -> list[int]:
    """Nothing but the dataset is in the folder; the shards that have a record, and the first of those that do not."""
    splits, shards = set(configuration.splits), configuration.shards
    present: set[int] = set()
    pattern = re.compile(r"(?:([a-z]+)-)?([0-9]{8})(\.json|\.parquet)")
    for kind in (*configuration.folders, "shards"):
        try:
            entries = names_in(folder / kind, shards * max(1, len(splits)) + _MORE)
        except OSError as error:
            report.fail("files", kind, "a folder", error.strerror or error)
            continue
        for entry in entries:
            match = pattern.fullmatch(entry.name)
            split, shard, suffix = match.groups() if match else (None, "", "")
            ours = match and int(shard) < shards and entry.is_file(follow_symlinks=False)
            if kind == "shards":
                ours = ours and split is None and suffix == ".json"
            else:
                ours = ours and split in splits and suffix == ".parquet"
            if not ours:
                report.fail("files", f"{kind}/{entry.name}", "nothing of this name", "a file")
            elif kind == "shards":
                present.add(int(shard))
    known = {*DESCRIBING, "manifest.json", *configuration.folders, "shards"}
    for entry in names_in(folder, len(known) + _MORE):
        if entry.name in FIGURES and _is_picture(Path(entry.path)):
            report.leave_out(WORDS, "figures", 1)
        elif entry.name not in known:
            report.fail("files", entry.name, "nothing of this name", "a file")
    missing = shards - len(present)
    first = [shard for shard in range(min(shards, len(present) + NAMED)) if shard not in present][:NAMED]
    report.failed["records"] += missing - len(first)
    return sorted([*present, *first])


def _is_picture(file: Path) -> bool:
    try:
        with regular(file) as (content, _):
            return content.read(8) == b"\x89PNG\r\n\x1a\n"
    except OSError:
        return False


class Manifest:
    """`manifest.json`, compared with the records shard by shard as they are read."""

    def __init__(self, report: Verification, configuration: Configuration, folder: Path):
        self.report, self.configuration, self.folder, self.sums = report, configuration, folder, Counter()
        self.statuses: Counter[str] = Counter()
        self.splits = {split: dict.fromkeys(configuration.folders, 0) for split in configuration.splits}
        report.leave_out(WORDS, "words of README.md and croissant.json", 2)
        self.found: dict[str, Any] = {}
        self.shards: list[Any] = []
        report.passed("manifest")
        try:
            if os.lstat(folder / "manifest.json").st_size > _MANIFEST:
                report.leave_out("large", f"a manifest of more than {_MANIFEST:,} bytes", 1)
                return
            found = read_json(folder / "manifest.json", _MANIFEST)
            self.shards, self.found = list(found["shards"]), dict(found)
        except (OSError, ValueError, KeyError, TypeError) as error:
            report.fail("manifest", "manifest.json", "the manifest of the dataset", short(error))
            return
        for name, value in configuration.description.items():
            if found.get(name) != value:
                report.fail("manifest", "manifest.json", value, found.get(name), column=name)
        for name in set(found) - {*configuration.description, "files", "totals", "shards"}:
            report.fail("manifest", "manifest.json", "nothing of this name", found[name], column=name)
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
        for name in (self.configuration.unit, "rows", "retries", "resolved"):
            self.sums[name] += record[name]
        self.statuses.update(record["statuses"])
        for name, file in record["files"].items():
            kind, _, rest = name.partition("/")
            self.splits[rest.partition("-")[0]][kind] += file["rows"]
            self.sums["files"] += 1
            self.sums["bytes"] += file["bytes"]

    def close(self) -> None:
        """Compare the totals, card and metadata, once every shard was read."""
        if self.found:
            totals = {"shards": self.configuration.shards, **self.sums, "statuses": dict(self.statuses)}
            totals["splits"] = self.splits
            self._compare("totals", totals, self.found.get("totals"))
            self._check_hashes(self.found.get("files"))
        self._check_card()

    def _compare(self, what: str, expected: dict[str, Any], listed: Any) -> None:
        self.report.passed("manifest")
        listed = listed if isinstance(listed, dict) else {}
        for name in {**expected, **listed}:
            if listed.get(name) != expected.get(name):
                got = expected.get(name), listed.get(name)
                self.report.fail("manifest", "manifest.json", *got, column=f"{what}.{name}")

    def _check_hashes(self, listed: Any) -> None:
        said = {}
        for name in DESCRIBING:
            try:
                content = read_bytes(self.folder / name, 2**24)
                said[name] = {"bytes": len(content), "sha256": hashlib.sha256(content).hexdigest()}
            except (OSError, ValueError) as error:
                self.report.fail("manifest", name, "the dataset's description", short(error))
        self._compare("files", said, listed)

    def _check_card(self) -> None:
        splits = [split for split, kinds in self.splits.items() if any(kinds.values())]
        self.report.passed("card", 2)
        try:
            front = front_matter(self.configuration, splits, self.sums["rows"])
            card = read_bytes(self.folder / "README.md", 2**24).decode()
            if not card.startswith(front):
                pairs = zip(front.split("\n"), card.split("\n"))
                expected, got = next((pair for pair in pairs if pair[0] != pair[1]), ("a front matter", "none"))
                self.report.fail("card", "README.md", expected, got)
            faults = croissant_faults(read_json(self.folder / "croissant.json", 2**24), self.configuration, splits)
            for name, (expected, got) in faults.items():
                self.report.fail("card", "croissant.json", short(expected), short(got), column=name)
        except (OSError, ValueError, AttributeError, TypeError) as error:
            self.report.fail("card", "README.md and croissant.json", "the dataset's description", short(error))


def check_manifest(report: Verification, folder: Path, expected: str) -> None:
    """Whether the manifest is the one of this SHA-256, which came by another way than the dataset."""
    report.passed("manifest")
    try:
        got = sha256_of(folder / "manifest.json")
    except OSError as error:
        got = short(error)
    if got != expected.lower():
        report.fail("manifest", "manifest.json", f"SHA-256 {expected}", got)


def _short(value: object) -> str:
    return short(json.dumps(value), 300)
