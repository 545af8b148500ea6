"""Options that several commands read the same way."""

from __future__ import annotations

import os
from collections.abc import Iterable, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Any, Literal

import tyro

from equilibrax.cli.flags.idle import Idle
from equilibrax.io.tables import PAPER_TABLES


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


def idle_reading(places: Iterable[str | os.PathLike[str]], *names: str) -> Idle:
    """How files of rows are read, where there is none among these: names of the paper's tables, MovieLens's ratings.

    Args:
        places: files, folders and names.
        names: more flags that are about files of rows.
    """
    rows = [Path(one) for one in places if str(one) not in PAPER_TABLES or Path(one).exists()]
    none = all(path.is_dir() or path.suffix.lower() == ".zip" for path in rows)
    return [(("reading", *names), "for files of rows")] if none else []


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


@dataclass(frozen=True)
class LookFlags:
    """How figures look."""

    width: Annotated[float | None, tyro.conf.arg(metavar="MM")] = None
    """Width of figures in millimetres; letters keep their size. Default: as the number of panels suggests."""
    style: Literal["paper", "talk"] = "paper"
    """Letters of 8 points for a page, or half as large again for a screen."""

    def printed(self) -> AbstractContextManager[None]:
        """Within it figures look so.

        Raises:
            ValueError: if a figure cannot be as wide as that.
        """
        from equilibrax.figures import printed

        return printed(self.formats, width=self.width, style=self.style)

    @property
    def formats(self) -> Sequence[str]:
        """Those that are asked for whatever names of files end in."""
        return ()

    def check(self, figure: Path | None) -> None:
        """Refuse a file that no figure can be, and a look that none can have.

        Raises:
            ValueError: naming the flag.
        """
        with self.printed():
            if figure is not None and figure.suffix not in (".png", ".svg", ".pdf"):
                raise ValueError(f"--figure: expected a file that ends in .png, .svg or .pdf, got {str(figure)!r}")


@dataclass(frozen=True)
class FigureFlags(LookFlags):
    """The same, where figures have names of their own."""

    format: tuple[Literal["png", "svg", "pdf"], ...] = ("png",)
    """Formats of figures, beside each other."""

    @property
    def formats(self) -> Sequence[str]:
        """All that are named."""
        return self.format

    def files(self, folder: Path, names: Sequence[str]) -> list[Path]:
        """The files as which figures of these names are written."""
        return [folder / Path(name).with_suffix(f".{one}") for name in names for one in self.format]
