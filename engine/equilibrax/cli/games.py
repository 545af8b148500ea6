"""Options that several commands read the same way."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Annotated, Any

import tyro


@dataclass(frozen=True)
class ReadingFlags:
    """How files of rows are read."""

    providers: Annotated[tuple[str, ...], tyro.conf.arg(metavar="COLUMN ...")] = ()
    """Columns of a CSV or Parquet file that are the providers, in this order; default: all that have no other
    meaning."""
    ignore: Annotated[tuple[str, ...], tyro.conf.arg(metavar="COLUMN ...")] = ()
    """Columns that are left out."""
    sep: Annotated[str, tyro.conf.arg(metavar="{,;|tab}")] = ","
    """What is between the fields of a CSV file."""
    decimal: Annotated[str, tyro.conf.arg(metavar="{.,}")] = "."
    """What numbers have between whole and part: a point or a comma."""

    def options(self) -> dict[str, Any]:
        """Arguments of `read_tables`, `read_market` and `read_raters`."""
        return {"providers": self.providers or None, "ignore": self.ignore, "sep": self.sep, "decimal": self.decimal}
