"""How rows are read: which columns are providers, and which names are one name.

What may be a mistake is refused rather than guessed: a column that looks like a row number is no provider, and names
that differ only by case, blanks or Unicode normalization are not two names.
"""

from __future__ import annotations

import re
import reprlib
import shlex
import unicodedata
from collections.abc import Collection, Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from equilibrax._core.checks import check_choice
from equilibrax.io.files import TableFileError

SEPARATORS = {",": "commas", ";": "semicolons", "\t": "tabs", "|": "bars"}
"""What may be between fields."""

# What pandas, R, Spark and spreadsheets call the number of a row when they write it as a column.
_ROW_NUMBER = re.compile(
    r"|unnamed: ?_?[0-9]+((\.|_level_)[0-9]+)*|__index(_level_[0-9]+)?__|level_[0-9]+|\.\.\.[0-9]+|#"
    r"|index|_?id|idx|row|row[ ._]?(number|num|nr|no|id|idx|index|names?)",
    re.IGNORECASE,
)


@dataclass(frozen=True)
class Reading:
    """How a file of rows is to be read; made by `reading`."""

    providers: tuple[str, ...] | None = None
    ignore: tuple[str, ...] = ()
    sep: str = ","
    decimal: str = "."


def reading(providers: Any = None, ignore: Any = (), sep: str = ",", decimal: str = ".") -> Reading:
    """How to read a file.

    Args:
        providers: columns that are the providers, in this order; None for all columns without another meaning. What is
            neither is left out.
        ignore: columns that are left out.
        sep: what is between fields: a comma, ";", "|", or a tab, for which `tab` stands, too.
        decimal: "." or ",".

    Raises:
        ValueError: naming the argument.
    """
    sep = {"tab": "\t", "\\t": "\t"}.get(sep, sep)
    check_choice("sep", sep, tuple(SEPARATORS))
    check_choice("decimal", decimal, (".", ","))
    names = [(given,) if isinstance(given, str) else tuple(given or ()) for given in (providers, ignore)]
    for option, found in zip(("providers", "ignore"), names):
        if not all(isinstance(name, str) for name in found) or len(set(found)) < len(found):
            raise ValueError(f"{option}: expected different names of columns, got {reprlib.repr(list(found))}")
    return Reading(names[0] or None, names[1], sep, decimal)


def refuse_reading(path: Path, how: Reading) -> None:
    """Refuse what only files of rows have, for another file."""
    if how != Reading():
        raise TableFileError(
            f"{path}: expected a CSV or Parquet file with providers, ignore, sep or decimal, got an .npz"
        )


def alike(name: str, *, case: bool = False) -> str:
    """The same text for names that differ only by Unicode normalization, blanks, characters that are not seen, and
    (unless `case`) case."""
    text = unicodedata.normalize("NFKC", name) if not name.isascii() else name
    if not text.isprintable():
        text = "".join(c for c in text if c.isspace() or unicodedata.category(c) not in ("Cf", "Cc"))
    return " ".join(text.split() if case else text.casefold().split())


def check_alike(names: Iterable[tuple[str, str]], *, case: bool = False) -> None:
    """Refuse two spellings of a name; names come with their places."""
    first: dict[str, tuple[str, str]] = {}
    known: set[str] = set()
    for name, where in names:
        if name not in known:
            known.add(name)
            before = first.setdefault(alike(name, case=case), (name, where))
            if before[0] != name:
                raise TableFileError(
                    f"{where}: expected one spelling of a name, got {reprlib.repr(name)} ({ascii(name)[:80]}) after "
                    f"{reprlib.repr(before[0])} ({before[1].rpartition(', ')[2]})"
                )


def check_different(where: str, names: Sequence[str]) -> None:
    """Refuse names of an archive that are empty or not different; a file of rows cannot have such."""
    seen: set[str] = set()
    for i, name in enumerate(names):
        if not name or name in seen:
            came = f"{reprlib.repr(name)} again" if name else "an empty one"
            raise TableFileError(f"{where}: expected different names, got {came} in place {i}")
        seen.add(name)
    check_alike((name, f"{where}, place {i}") for i, name in enumerate(names))


def is_row_number(column: str) -> bool:
    """Whether a column is called as programs call the numbers of rows; no name is one."""
    return _ROW_NUMBER.fullmatch(column) is not None


def choose_providers(
    columns: Sequence[str], where: str, meanings: Collection[str], how: Reading
) -> tuple[tuple[str, ...], list[str]]:
    """The providers among columns, and what is left out; `meanings` are columns that mean something else."""
    for option, names in (("providers", how.providers or ()), ("ignore", how.ignore)):
        for name in names:
            if name not in columns:
                raise TableFileError(
                    f"{where}: {option}: expected {name!r} among the file's names, got {reprlib.repr(list(columns))}"
                )
    rest = [column for column in columns if column not in meanings and column not in how.ignore]
    for name in how.providers or ():
        if name not in rest:
            raise TableFileError(f"{where}: providers: expected columns without another meaning, got {name!r}")
    if how.providers is None:
        for column in rest:
            if is_row_number(column):
                wanted = "the name of a provider" if column else "a name"
                came = f"{column!r}, as row numbers are called" if column else "an empty one"
                raise TableFileError(
                    f"{where}: column {columns.index(column) + 1}: expected {wanted}, got {came}; leave "
                    f"it out with ignore=[{column!r}] (--ignore {shlex.quote(column)}), or name the providers with "
                    f"providers=[...] (--providers)"
                )
    chosen = tuple(rest) if how.providers is None else how.providers
    left = dict.fromkeys([*how.ignore, *(column for column in rest if column not in chosen)])
    check_alike((name, f"{where}: column {columns.index(name) + 1}") for name in columns if name not in left)
    return chosen, list(left)
