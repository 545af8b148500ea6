"""Options that several commands read the same way."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Any

import tyro

from equilibrax.io.movielens import MOVIELENS_RESOLUTION, movielens_table
from equilibrax.io.tables import PAPER_TABLES, TableFileError, load_paper_table, read_table_groups, read_tables
from equilibrax.problems.tables import UtilityTables

RESOLUTION = 10_000
"""Fixed-point steps per unit of utility of tables in decimals, unless the user asks for others."""


@dataclass(frozen=True)
class FileFlags:
    """How files of rows are read, by commands whose `--providers` says more than which columns these are."""

    ignore: Annotated[tuple[str, ...], tyro.conf.arg(metavar="COLUMN ...")] = ()
    """Columns that are left out."""
    sep: Annotated[str, tyro.conf.arg(metavar="{,;|tab}")] = ","
    """What is between the fields of a CSV file."""
    decimal: Annotated[str, tyro.conf.arg(metavar="{.,}")] = "."
    """What numbers have between whole and part: a point or a comma."""

    def options(self) -> dict[str, Any]:
        """Arguments of `read_tables`, `read_market` and `read_raters`."""
        return {"ignore": self.ignore, "sep": self.sep, "decimal": self.decimal}


@dataclass(frozen=True)
class ReadingFlags(FileFlags):
    """How files of rows are read."""

    providers: Annotated[tuple[str, ...], tyro.conf.arg(metavar="COLUMN ...")] = ()
    """Columns of a CSV or Parquet file that are the providers, in this order; default: all that have no other
    meaning."""

    def options(self) -> dict[str, Any]:
        """The same, with the providers."""
        return {**super().options(), "providers": self.providers or None}


def columns_or_count(providers: tuple[str, ...], drawn: bool, default: int) -> tuple[tuple[str, ...] | None, int]:
    """What `--providers` says where it is a number for random problems, and columns for files: columns, and number.

    Raises:
        ValueError: if a number is wanted and something else came.
    """
    if not drawn or not providers:
        return providers or None, default
    came = " ".join(providers)
    if not came.isascii() or not came.isdecimal():
        raise ValueError(f"--providers: expected a number for random ones, which have no columns, got {came!r}")
    return None, int(came)


def named_tables(name: str | Path, resolution: int | None, **options: Any) -> UtilityTables:
    """Tables of a file, of MovieLens's raw ratings in a folder or zip file, or the paper's table of that name.

    The resolution None is one that represents the tables of a file, `RESOLUTION` for the paper's, and for raw ratings,
    whose averages are no decimals, `MOVIELENS_RESOLUTION`. Options are those of `read_tables`.
    """
    found = _built_in(name, resolution)
    return read_tables(name, resolution=resolution, **options) if found is None else found


def named_groups(name: str | Path, resolution: int | None, **options: Any) -> list[UtilityTables]:
    """The same as batches, for tables of different sizes; options are those of `read_table_groups`."""
    found = _built_in(name, resolution)
    return read_table_groups(name, resolution=resolution, **options) if found is None else [found]


def _built_in(name: str | Path, resolution: int | None) -> UtilityTables | None:
    """What is no file of tables; None for such a file."""
    path = Path(name)
    if str(name) in PAPER_TABLES and not path.exists():
        return load_paper_table(str(name), resolution=RESOLUTION if resolution is None else resolution)
    if path.is_dir() and not any((path / name).exists() for name in ("ratings.csv", "movies.csv")):
        expected = "a file of tables, or a folder with MovieLens's ratings.csv and movies.csv"
        raise TableFileError(f"{path}: expected {expected}, got a folder without these")
    if path.is_dir() or path.suffix.lower() == ".zip":
        return movielens_table(path, resolution=MOVIELENS_RESOLUTION if resolution is None else resolution)
    return None
