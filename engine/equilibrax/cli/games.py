"""Options that several commands read the same way."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Annotated, Any

import tyro


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
