"""Files of rows, as texts: CSV with any separator, gzipped or not, and Parquet; and the exact numbers in them."""

from __future__ import annotations

import csv
import gzip
import io
import re
import reprlib
import shlex
from collections.abc import Callable, Collection, Iterable, Iterator, Sequence
from dataclasses import dataclass
from decimal import Decimal
from fractions import Fraction
from pathlib import Path

from equilibrax._core.checks import INT32_MAX
from equilibrax._core.fixed_point import DEFAULT_RESOLUTION, whole_weights
from equilibrax.io.files import TableFileError, line_of
from equilibrax.io.names import SEPARATORS, Reading, alike, check_alike, choose_providers
from equilibrax.io.parquet import parquet_texts
from equilibrax.problems.tables import MAX_PROVIDERS

# Three digits of exponent: 1e999999999 is a short text and a number that does not fit in memory.
NUMBER = re.compile(r"[+-]?(?:[0-9]+(?:\.[0-9]*)?|\.[0-9]+)(?:[eE][+-]?[0-9]{1,3})?")
_HEAD = 2**16  # bytes in which a header ends
_RATIO = re.compile(r"([+-]?[0-9]{1,18})/([0-9]{1,18})")

# --- rows -------------------------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class Texts:
    """The texts of a file: `rows[i]` begins on line `lines[i]`; `header` is the line of the names of the columns."""

    columns: list[str]
    rows: list[list[str]]
    lines: list[int]
    header: int
    skipped: int  # lines of comments before the header


def read_texts(data: bytes | Texts, path: Path, sep: str = ",", required: Sequence[str] = ()) -> Texts:
    """All texts of a CSV or Parquet file, without space around them; every row has a text for every column."""
    if isinstance(data, Texts):  # of a data frame
        columns, rows, lines, header, skipped = data.columns, data.rows, data.lines, data.header, data.skipped
    elif data.startswith(b"PAR1"):
        columns, rows = parquet_texts(data, path)
        columns, rows = _tidy(columns), [_tidy(row) for row in rows]
        header, skipped, lines = 0, 0, list(range(1, len(rows) + 1))
    else:
        if data.startswith(b"PK\x03\x04"):
            raise TableFileError(f"{path}: expected a CSV file, got a zip file (.xlsx is one: save the sheet as CSV)")
        found = _Records(data, path, sep)
        header, columns = next(iter(found), (1, []))
        skipped, lines, rows = found.skipped, [], []
        _check_separator(columns, line_of(path, header), sep)
        for line, fields in found:
            if len(fields) != len(columns):
                expected = f"expected {len(columns)} field{'s' * (len(columns) > 1)} as in the header"
                comment = "; a line that begins with # is a row, comments are before the header"
                hint = comment if fields[0].startswith("#") else ""
                raise TableFileError(f"{line_of(path, line)}: {expected}, got {len(fields)}{hint}")
            rows.append(fields)
            lines.append(line)
    where = line_of(path, header)
    if not columns:
        wanted = f"a header with {', '.join(required)}" if required else "a header"
        raise TableFileError(f"{where}: expected {wanted}, got an empty file")
    for i, column in enumerate(columns):
        if column and column in columns[:i]:
            raise TableFileError(f"{where}: column {i + 1}: expected every name once, got {column!r} again")
    for name in required:
        if name not in columns:
            cased = next((f", and {c!r}" for c in columns if alike(c) == alike(name)), "")
            raise TableFileError(
                f"{where}: expected a column {name!r}, got only {reprlib.repr(columns)}{cased}{_after(skipped)}"
            )
    return Texts(columns, rows, lines, header, skipped)


def header_of(path: Path) -> list[str]:
    """The names of the columns of a CSV with commas, nothing of an empty one; its rows may be anything."""
    with open(path, "rb") as file:
        packed = file.read(2) == b"\x1f\x8b"
    with gzip.open(path) if packed else open(path, "rb") as file:
        data = file.read(_HEAD)
    return next(iter(_Records(data[: data.rfind(b"\n") + 1] or data, path, ",")), (1, []))[1]


def need_rows(found: Texts, path: Path) -> None:
    """Refuse a file without rows."""
    if not found.rows:
        raise TableFileError(f"{line_of(path, found.header)}: expected rows after the header, got none")


def skipped_text(skipped: int) -> str:
    """What was skipped before the header, for people."""
    return f"{skipped} line{'s' * (skipped > 1)} of comments before the header skipped" if skipped else ""


def _after(skipped: int) -> str:
    return f" ({skipped_text(skipped)})" if skipped else ""


def _tidy(fields: Iterable[str]) -> list[str]:
    """Fields without space around them; line ends within are those of Unix."""
    return [
        field.strip().replace("\r\n", "\n").replace("\r", "\n") if "\r" in field else field.strip() for field in fields
    ]


class _Records:
    """The records of a CSV, each with the number of its first line; without blank lines, and comments at the top."""

    def __init__(self, data: bytes, path: Path, sep: str):
        try:
            self.text = data.decode("utf-8-sig")
        except UnicodeDecodeError as error:
            before = io.StringIO(data[: error.start].decode() + "?", newline="")
            where, byte = line_of(path, sum(1 for _ in before)), data[error.start]
            raise TableFileError(f"{where}: expected UTF-8 text, got byte 0x{byte:02x}") from error
        self.path, self.skipped, self.blanks = path, 0, " \r\n" if sep == "\t" else None
        self.start = 0  # first line of the current record; 0 between records
        self.reader = csv.reader(self._lines(), strict=True, skipinitialspace=True, delimiter=sep)

    def _lines(self) -> Iterator[str]:
        top = True
        for number, line in enumerate(io.StringIO(self.text, newline=""), 1):
            if not self.start:  # a blank line inside a quoted field belongs to the field
                if not line.strip(self.blanks):
                    continue
                if top and line.startswith("#"):
                    self.skipped += 1
                    continue
                self.start = number
            top = False
            yield line

    def __iter__(self) -> Iterator[tuple[int, list[str]]]:
        while True:
            self.start = 0
            try:
                fields = next(self.reader)
            except StopIteration:
                return
            except csv.Error as error:
                where = line_of(self.path, self.start)
                raise TableFileError(f"{where}: expected well-formed CSV, got: {error}") from error
            yield self.start, _tidy(fields)


def _check_separator(columns: list[str], where: str, sep: str) -> None:
    for other, name in SEPARATORS.items():
        if other != sep and sum(column.count(other) for column in columns) > max(len(columns) - 1, 0):
            shown = "tab" if other == "\t" else other
            raise TableFileError(
                f"{where}: expected names with {SEPARATORS[sep]} between them, got {name}; read it with "
                f"sep={shown!r} (--sep {shlex.quote(shown)})"
            )


# --- rows of tables and markets ---------------------------------------------------------------------------------------


@dataclass(frozen=True)
class Rows:
    """Rows of a file of tables or markets: number of the first line, and text by column."""

    providers: tuple[str, ...]
    rows: list[tuple[int, dict[str, str]]]
    left_out: list[str]
    skipped: int
    header: str  # its place

    def said(self, path: Path, sizes: str) -> str:
        """One line that says what was read."""
        left = f"left out: {', '.join(map(repr, self.left_out))}" if self.left_out else ""
        parts = [f"{sizes}, {counted(len(self.providers), 'provider')}: {', '.join(self.providers)}", left]
        return f"{path}: " + "; ".join(filter(None, [*parts, skipped_text(self.skipped)]))


def counted(number: int, what: str) -> str:
    """`1 state`, `2 states`."""
    return f"{number:,} {what}{'s' * (number != 1)}"


def read_rows(
    data: bytes | Texts,
    path: Path,
    required: Sequence[str],
    reserved: Collection[str],
    how: Reading,
    *,
    names: Callable[[str], bool],
    about: Callable[[list[str], str], Collection[str]] = lambda columns, where: (),
) -> Rows:
    """The rows of a CSV or Parquet file.

    Args:
        data: its bytes; or its texts, if it is no file.
        path: its path.
        required: columns that it must have.
        reserved: columns with a meaning.
        how: how to read it.
        names: whether a column has names; the others have numbers.
        about: of all columns, at a place, those that say something about a provider.
    """
    found = read_texts(data, path, how.sep, required)
    where = line_of(path, found.header)
    for i, column in enumerate(found.columns):
        if column not in reserved and alike(column) in reserved and column not in how.ignore:
            problem = f"expected {alike(column)!r} in lower case, got {column!r}"
            raise TableFileError(f"{where}: column {i + 1}: {problem}")  # it would pass for a provider
    named = {*how.ignore, *(how.providers or ())}
    attached = about([column for column in found.columns if column not in named], where)
    providers, left = choose_providers(found.columns, where, {*reserved, *attached}, how)
    for name in required:
        if name in how.ignore:
            raise TableFileError(f"{where}: ignore: expected no column that is needed, got {name!r}")
    if not 1 <= len(providers) <= MAX_PROVIDERS:
        raise TableFileError(f"{where}: expected 1 to {MAX_PROVIDERS} provider columns, got {len(providers)}")
    need_rows(found, path)
    kept = [(i, c, how.decimal != "." and not names(c)) for i, c in enumerate(found.columns) if c not in left]
    rows = [
        (line, {c: pointed(row[i], f"{line_of(path, line)}: column {c!r}") if n else row[i] for i, c, n in kept})
        for line, row in zip(found.lines, found.rows)
    ]
    for column in (c for _, c, _ in kept if names(c)):
        check_alike((cells[column], f"{line_of(path, line)}: column {column!r}") for line, cells in rows)
    return Rows(providers, rows, left, found.skipped, where)


# --- numbers ----------------------------------------------------------------------------------------------------------


def pointed(text: str, where: str) -> str:
    """A number with a decimal comma as one with a point."""
    if "." in text:
        raise TableFileError(f"{where}: expected a number with a decimal comma, got {reprlib.repr(text)}")
    return text.replace(",", ".")


def comma_hint(text: str) -> str:
    """What to say of a text that may be a number with a decimal comma."""
    comma = "," in text and NUMBER.fullmatch(text.replace(",", ".", 1))
    return "; if that is a decimal comma, say decimal=',' (--decimal ,)" if comma else ""


def exact(text: str, where: str) -> Fraction:
    """A decimal such as 0.25, or a ratio of whole numbers such as 2/3, exactly."""
    ratio = _RATIO.fullmatch(text)
    if ratio and int(ratio[2]):
        return Fraction(int(ratio[1]), int(ratio[2]))
    if not NUMBER.fullmatch(text):
        came = reprlib.repr(text) + comma_hint(text)  # shortened
        raise TableFileError(f"{where}: expected a decimal number such as 0.25 or a ratio such as 2/3, got {came}")
    return Fraction(Decimal(text))


def utilities(cells: dict[str, str], columns: Iterable[str], where: str, resolution: int | None) -> list[Fraction]:
    """The numbers of a row, exactly, if they can be held."""
    values = []
    steps = resolution or DEFAULT_RESOLUTION
    for column in columns:
        here = f"{where}: column {column!r}"
        values.append(exact(cells[column], here))
        if abs(round(values[-1] * steps)) > INT32_MAX:
            came = f"{reprlib.repr(cells[column])} at resolution {steps}"
            raise TableFileError(f"{here}: expected utility x resolution up to {INT32_MAX}, got {came}")
    return values


def prior_weights(weights: Sequence[Fraction], where: str) -> list[int]:
    """Whole weights of the states, as `whole_weights`."""
    try:
        return whole_weights("prior", weights, "shares of")
    except ValueError as error:
        expected = f"weights in ratios of whole numbers up to {INT32_MAX}"
        raise TableFileError(f"{where}: column 'prior': expected {expected}, got larger ratios ({error})") from error
