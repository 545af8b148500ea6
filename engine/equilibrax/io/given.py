"""What is to be solved, from whatever is at hand: a table's name, a file, a data frame, MovieLens's ratings."""

from __future__ import annotations

import os
import zipfile
import zlib
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq

from equilibrax._core.suggestions import did_you_mean
from equilibrax.io.files import READABLE, TableFileError, suffix_of
from equilibrax.io.frames import frame_table, from_dataframe, is_frame, is_market_frame, market_from_dataframe
from equilibrax.io.markets import read_market
from equilibrax.io.movielens import MOVIELENS_RESOLUTION, movielens_table
from equilibrax.io.records import header_of
from equilibrax.io.tables import PAPER_TABLES, load_paper_table, read_table_groups, read_tables
from equilibrax.problems.tables import UtilityTables, from_dict

_COLUMNS = ("state", "action", "user")

RESOLUTION = 10_000
"""Fixed-point steps per unit of utility of the paper's tables, unless others are asked for."""


def as_problem(given: Any) -> Any:
    """A batch from a name of the paper's tables, a file, a folder of MovieLens, a data frame or a dictionary.

    Args:
        given: whatever it is; what is none of these is returned as it is.

    Raises:
        ValueError: on a text that is neither a name nor a file, or a file or frame that is none of tables or markets.

    Example:
        >>> import equilibrax as eq
        >>> eq.io.as_problem("synthetic-1").names()
        ['synthetic-1']
    """
    if isinstance(given, str | os.PathLike):
        path = Path(given)
        if str(given) not in PAPER_TABLES and not path.exists():
            raise ValueError(f"tables: expected tables, a data frame, {_nothing(path)}")
        return read_market(path) if path.is_file() and _is_market(path) else named_tables(given, None)
    if isinstance(given, dict):
        columns = all(not hasattr(part, "items") for part in given.values())
        return _of_frame(given) if columns else from_dict(given)
    return _of_frame(given) if is_frame(given) else given


def _of_frame(frame: Any) -> Any:
    if is_market_frame(frame):
        return market_from_dataframe(frame)
    names = frame_table(frame).column_names
    if not set(_COLUMNS) <= set(names):
        call = "from_dataframe(frame, state=..., action=..., user=...)"
        raise ValueError(
            f"tables: expected a frame with the columns {', '.join(_COLUMNS)}, got {', '.join(names)}; {call} says "
            f"which columns mean these"
        )
    return from_dataframe(frame)


def _nothing(path: Path) -> str:
    """What to say of a name that is neither a table's nor a file's."""
    known = (*PAPER_TABLES, *(other.name for other in _beside(path)))
    names = f"a file ({', '.join(READABLE)}) or one of {', '.join(PAPER_TABLES)}"
    return f"{names}, got {str(path)!r}, which is not there{did_you_mean(path.name, known)}"


def _beside(path: Path) -> list[Path]:
    try:
        return [other for other in path.parent.iterdir() if other.name.lower().endswith(READABLE)]
    except OSError:
        return []


def _is_market(path: Path) -> bool:
    """Whether a file has the columns of a market; where that cannot be told, whoever reads it as tables says so."""
    try:
        suffix = suffix_of(path, READABLE)
        if suffix == ".npz":
            with zipfile.ZipFile(path) as file:
                return bool({"components.npy", "tensor.npy"} & set(file.namelist()))
        if suffix == ".parquet":
            names = pq.read_schema(path).names
        else:
            names = header_of(path)
        return {"utility", "user"} <= set(names)
    except (OSError, EOFError, ValueError, zipfile.BadZipFile, zlib.error, pa.ArrowException):
        return False


def named_tables(name: str | os.PathLike[str], resolution: int | None, **options: Any) -> UtilityTables:
    """Tables of a file, of MovieLens's raw ratings in a folder or zip file, or the paper's table of that name.

    The resolution None is one that represents the tables of a file, `RESOLUTION` for the paper's, and for raw ratings,
    whose averages are no decimals, `MOVIELENS_RESOLUTION`. Options are those of `read_tables`.
    """
    found = _built_in(name, resolution)
    return read_tables(name, resolution=resolution, **options) if found is None else found


def named_groups(name: str | os.PathLike[str], resolution: int | None, **options: Any) -> list[UtilityTables]:
    """The same as batches, for tables of different sizes; options are those of `read_table_groups`."""
    found = _built_in(name, resolution)
    return read_table_groups(name, resolution=resolution, **options) if found is None else [found]


def _built_in(name: str | os.PathLike[str], resolution: int | None) -> UtilityTables | None:
    """What is no file of tables; None for such a file."""
    path = Path(name)
    if str(name) in PAPER_TABLES and not path.exists():
        return load_paper_table(str(name), resolution=RESOLUTION if resolution is None else resolution)
    if not path.exists() and (not path.suffix or did_you_mean(path.name, [other.name for other in _beside(path)])):
        raise TableFileError(f"tables: expected {_nothing(path)}")
    if path.is_dir() and not any((path / name).exists() for name in ("ratings.csv", "movies.csv")):
        expected = "a file of tables, or a folder with MovieLens's ratings.csv and movies.csv"
        raise TableFileError(f"{path}: expected {expected}, got a folder without these")
    if path.is_dir() or path.suffix.lower() == ".zip":
        return movielens_table(path, resolution=MOVIELENS_RESOLUTION if resolution is None else resolution)
    return None
