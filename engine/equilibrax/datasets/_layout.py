"""Where things are in the folder of a sweep, what its shards say of themselves, and whether that is true.

What is here needs nothing but `sweep.json`, so it holds for folders of any work, on machines that cannot solve it.
"""

from __future__ import annotations

import hashlib
import json
import os
import re
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from equilibrax._core.files import remove_abandoned
from equilibrax._core.messages import shortened
from equilibrax._core.version import __version__
from equilibrax.datasets.splits import DEFAULT_SHARES, split_names

FORMAT_VERSION = 3
"""Version of the folder's layout. A folder of a newer one is refused, and so is one of an older."""

DESCRIPTION = "sweep.json"
RECORDS = "shards"
TEXT = "text"
"""The folder of games in words with their questions."""
CLOSING = ("manifest.json", "croissant.json", "README.md")
"""What is written when all shards are done."""

MANIFEST = ("files", "totals", "shards")
"""What the manifest holds besides what is in `sweep.json`."""

_MARKS = (
    b'"family_version"',
    b'"equilibria-of-ai-providers"',
    b"pretty_name: Equilibria of games between AI providers",
)
PATIENCE = 60.0
"""Seconds to wait for another process that opens or closes the folder; a stopped one holds nobody up for ever."""

_OF_SYSTEMS = ("lost+found", ".DS_Store")  # in folders that nobody has put anything into
_HEAD = 2**14  # bytes in which each of `CLOSING` has its mark

_COUNTS = ("shard", "rows", "retries", "resolved")
"""Numbers in every record, besides that of its tables."""


@dataclass(frozen=True)
class Layout:
    """A folder and the part of its description that says what is where.

    Attributes:
        folder: the folder.
        description: what `sweep.json` holds.
    """

    folder: Path
    description: dict[str, Any]

    @property
    def unit(self) -> str:
        return self.description["layout"]["unit"]

    @property
    def kinds(self) -> tuple[str, ...]:
        """Names of the folders of files: of inputs, of results, and of text if there is any."""
        more = (TEXT,) if self.description["config"].get("text") else ()
        return (self.description["layout"]["inputs"], self.description["layout"]["results"], *more)

    @property
    def shares(self) -> tuple[float, ...]:
        """Shares of train, validation and test."""
        return tuple(self.description["config"].get("splits", DEFAULT_SHARES))

    @property
    def splits(self) -> list[str]:
        """The splits that are written."""
        return split_names(self.shares)

    @property
    def seed(self) -> int:
        return self.description["config"]["seed"]

    @property
    def count(self) -> int:
        """How many tables."""
        return self.description["config"][self.unit]

    @property
    def shard_size(self) -> int:
        return self.description["config"]["shard_size"]

    @property
    def shards(self) -> int:
        return -(-self.count // self.shard_size)

    @property
    def made_with(self) -> dict[str, Any]:
        """Packages, device and backend of the process that began it; a shard of others has its own in its record."""
        return self.description.get("made_with", {})

    @property
    def fingerprint(self) -> str:
        """SHA-256 of the description without the number of tables and the git revision."""
        decisive = {name: value for name, value in self.description.items() if name != "git_revision"}
        decisive["config"] = {name: value for name, value in decisive["config"].items() if name != self.unit}
        return hashlib.sha256(json.dumps(decisive, sort_keys=True).encode()).hexdigest()

    def ids(self, shard: int) -> range:
        """Numbers of the tables of a shard."""
        return range(shard * self.shard_size, min((shard + 1) * self.shard_size, self.count))

    def files(self, shard: int, kind: str) -> list[str]:
        """The shard's files of a kind, by split, relative to the folder."""
        return [f"{kind}/{split}-{shard:08}.parquet" for split in self.splits]

    def record(self, shard: int) -> Path:
        """The file that says that the shard is done."""
        return self.folder / RECORDS / f"{shard:08}.json"


class Damaged(ValueError):
    """Something in the folder is not what it should be."""

    def __init__(self, message: object):
        super().__init__(shortened(message))


def described(description: dict[str, Any]) -> str:
    """The text of `sweep.json`."""
    return json.dumps(description, indent=2, allow_nan=False) + "\n"


def read_layout(folder: Path) -> Layout | None:
    """The layout of a folder, None if it has no `sweep.json` and no manifest to recover that from.

    Raises:
        ValueError: if that is of a newer or older format, or not the description of a sweep.
    """
    file = folder / DESCRIPTION
    try:
        found = json.loads(file.read_bytes() if file.exists() else _recovered(folder))
        layout, version = Layout(folder, found), found["format"]
        if version == FORMAT_VERSION or type(version) is not int:
            if type(version) is not int:
                raise TypeError("the format is no number")
            numbers = (layout.count, layout.shard_size, layout.seed)
            names = (layout.unit, *layout.kinds, found["layout"]["key"], found["equilibrax"])
            if not all(type(n) is int for n in numbers) or not all(type(name) is str for name in names):
                raise TypeError("numbers and names are not numbers and names")
            if min(layout.count, layout.shard_size) < 1:
                raise ValueError(f"{layout.count} {layout.unit} in shards of {layout.shard_size}")
            _ = layout.shards, layout.splits, layout.fingerprint, found["git_revision"], found["family_version"]
            return layout
    except FileNotFoundError:
        return None
    except (ValueError, KeyError, TypeError, ZeroDivisionError, OverflowError, RecursionError) as error:
        raise Damaged(
            f"{file}: expected the description of a sweep, got something else ({error}); use another folder"
        ) from error
    if version > FORMAT_VERSION:
        raise Damaged(
            f"{file}: expected a format of at most {FORMAT_VERSION}, got {version}; this folder was made by a newer "
            f"equilibrax ({found.get('equilibrax')}), this one is {__version__}: continue it with that one"
        )
    raise Damaged(
        f"{file}: expected format {FORMAT_VERSION}, got {version}, which is no longer written; sweep into a new folder"
    )


def _recovered(folder: Path) -> str:
    """The text of a `sweep.json` that is lost, from the manifest, which has it and its SHA-256.

    Raises:
        FileNotFoundError: if there is none, or what it says is not what was there.
    """
    with suppress(ValueError, KeyError, TypeError, AttributeError, RecursionError):
        manifest = json.loads((folder / CLOSING[0]).read_bytes())
        text = described({name: value for name, value in manifest.items() if name not in MANIFEST})
        if hashlib.sha256(text.encode()).hexdigest() == manifest["files"][DESCRIPTION]["sha256"]:
            return text
    raise FileNotFoundError(folder / DESCRIPTION)


def check_not_of_others(layout: Layout) -> None:
    """Refuse to replace a file that only has the name of one of `CLOSING`.

    Raises:
        ValueError: naming it.
    """
    for name, mark in zip(CLOSING, _MARKS):
        file = layout.folder / name
        with suppress(FileNotFoundError), open(file, "rb") as content:
            if mark not in content.read(_HEAD):
                raise ValueError(
                    f"directory: expected no {name} or one of equilibrax, got {file}, which would be replaced; move it"
                )


def read_record(layout: Layout, shard: int) -> dict[str, Any] | None:
    """What a shard says of itself if it is done, else None.

    It is done when its record is there, is about all of its tables (a sweep of fewer may have ended within it), and the
    files that it names are there in the sizes that it names.

    Raises:
        Damaged: if the record is not one, or of another configuration.
    """
    file = layout.record(shard)
    try:
        found = json.loads(file.read_bytes())
        fingerprint, ids, files = found["configuration"], found["ids"], found["files"]
        sizes = {name: file["bytes"] for name, file in files.items()}
        counts = [found[name] for name in (layout.unit, *_COUNTS)] + [found["statuses"][s] for s in found["statuses"]]
        counts += [file[name] for file in files.values() for name in ("bytes", "rows")]
        texts = [file["sha256"] for file in files.values()]
        if not all(type(count) is int for count in counts) or not all(type(text) is str for text in texts):
            raise TypeError("numbers and names are not numbers and names")
    except FileNotFoundError:
        return None
    except (ValueError, KeyError, TypeError, AttributeError, RecursionError) as error:
        raise Damaged(
            f"{file}: expected the record of a shard, got something else ({error}); remove it to have it made again"
        ) from error
    if fingerprint != layout.fingerprint:
        raise Damaged(f"{file}: expected a shard of this sweep, got one of another; remove it to have it made again")
    if ids != [layout.ids(shard).start, layout.ids(shard).stop]:
        return None
    if set(sizes) != {name for kind in layout.kinds for name in layout.files(shard, kind)}:
        raise Damaged(f"{file}: expected its files by split, got {sorted(sizes)}; remove it to have it made again")
    return found if all(_size(layout.folder / name) == size for name, size in sizes.items()) else None


def recorded(layout: Layout) -> list[int]:
    """The shards that have a record, done or not, rising."""
    try:
        names = os.listdir(layout.folder / RECORDS)
    except (FileNotFoundError, NotADirectoryError):
        return []
    numbers = (int(name[:-5]) for name in names if re.fullmatch(r"[0-9]{8,9}\.json", name))
    return sorted(number for number in numbers if number < layout.shards)


def _size(file: Path) -> int | None:
    with suppress(FileNotFoundError, NotADirectoryError):
        return file.stat().st_size


def find_faults(layout: Layout, shard: int, check: bool) -> list[str] | None:
    """What is wrong with a shard whose record is there; `check` reads every byte of its files.

    None if another process is making it again: the record goes before the files do, and comes back after them.
    """
    while True:
        before = _bytes(layout.record(shard))
        if before is None:
            return None
        with suppress(FileNotFoundError):
            found = list(map(shortened, _faults(layout, shard, check)))
            if not found or _bytes(layout.record(shard)) == before:
                return found


def _bytes(file: Path) -> bytes | None:
    with suppress(FileNotFoundError):
        return file.read_bytes()


def _faults(layout: Layout, shard: int, check: bool) -> Iterator[str]:
    try:
        found = read_record(layout, shard)
        record = found or json.loads(layout.record(shard).read_bytes())
    except ValueError as error:
        yield str(error)
        return
    start, stop = layout.ids(shard).start, layout.ids(shard).stop
    if record["ids"] != [start, stop]:
        yield f"{layout.record(shard)}: expected tables {start} to {stop - 1}, got {record['ids']}; sweep again"
        return
    for name, expected in record["files"].items():
        file = layout.folder / name
        size = _size(file)
        if size is None:
            yield f"{file}: expected a file, got none; sweep again"
        elif size != expected["bytes"]:
            yield f"{file}: expected {expected['bytes']} bytes, got {size}; sweep again"
        elif check:
            with open(file, "rb") as content:
                came = hashlib.file_digest(content, "sha256").hexdigest()
            if came != expected["sha256"]:
                yield f"{file}: expected SHA-256 {expected['sha256']}, got {came}; remove it and sweep again"


def remove_leftovers(layout: Layout) -> None:
    """What killed processes have left: files under temporary names that nobody is writing, whatever their age."""
    remove_abandoned(layout.folder, "|".join(map(re.escape, (DESCRIPTION, *CLOSING))))
    for name, pattern in (*((kind, r"[a-z]+-\d{8}\.parquet") for kind in layout.kinds), (RECORDS, r"\d{8}\.json")):
        if (layout.folder / name).is_dir():
            remove_abandoned(layout.folder / name, pattern)


def first_results(folder: Path) -> Iterator[str]:
    """Names of files in the folder that only a sweep writes."""
    for entry in sorted(os.scandir(folder), key=lambda entry: entry.name):
        if entry.name == RECORDS and entry.is_dir():
            yield from (f"{RECORDS}/{name}" for name in sorted(os.listdir(entry.path)) if name.endswith(".json"))


def first_others(folder: Path, ours: tuple[str, ...]) -> Iterator[str]:
    """Names in a folder without `sweep.json` that no sweep has put there: all but folders without files of ours."""
    for entry in sorted(os.scandir(folder), key=lambda entry: entry.name):
        unfinished = entry.name.startswith(f".{DESCRIPTION}.") or entry.name in _OF_SYSTEMS
        if not unfinished and not (entry.name in ours and entry.is_dir() and not _whole_files(entry.path)):
            yield entry.name


def _whole_files(folder: str) -> list[str]:
    names = [entry.name for entry in os.scandir(folder) if not entry.is_dir()]
    return [name for name in names if not (name.startswith(".") and name.endswith(".tmp"))]
