"""Options that several commands read the same way."""

from __future__ import annotations

from pathlib import Path

from equilibrax.io.movielens import MOVIELENS_RESOLUTION, movielens_table
from equilibrax.io.tables import PAPER_TABLES, TableFileError, load_paper_table, read_tables
from equilibrax.problems.tables import UtilityTables

RESOLUTION = 10_000
"""Fixed-point steps per unit of utility of tables in decimals, unless the user asks for others."""


def named_tables(name: str | Path, resolution: int | None) -> UtilityTables:
    """Tables of a file, of MovieLens's raw ratings in a folder or zip file, or the paper's table of that name.

    The resolution None is `RESOLUTION`; for raw ratings, whose averages are no decimals, `MOVIELENS_RESOLUTION`.
    """
    path = Path(name)
    if str(name) in PAPER_TABLES and not path.exists():
        return load_paper_table(str(name), resolution=RESOLUTION if resolution is None else resolution)
    if path.is_dir() and not any((path / name).exists() for name in ("ratings.csv", "movies.csv")):
        expected = "a .csv or .npz file, or a folder with MovieLens's ratings.csv and movies.csv"
        raise TableFileError(f"{path}: expected {expected}, got a folder without these")
    if path.is_dir() or path.suffix.lower() == ".zip":
        return movielens_table(path, resolution=MOVIELENS_RESOLUTION if resolution is None else resolution)
    return read_tables(path, resolution=RESOLUTION if resolution is None else resolution)
