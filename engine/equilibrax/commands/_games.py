"""Options that several commands read the same way."""

from __future__ import annotations

from pathlib import Path

from equilibrax.reading import PAPER_TABLES, load_paper_table, read_tables
from equilibrax.tables import UtilityTables


def named_tables(name: str | Path, resolution: int) -> UtilityTables:
    """Tables of a file, or the paper's table of that name if there is no such file."""
    if str(name) in PAPER_TABLES and not Path(name).exists():
        return load_paper_table(str(name), resolution=resolution)
    return read_tables(name, resolution=resolution)


def parse_rationality(text: str) -> tuple[float, ...]:
    """Numbers joined by commas, such as `1,3,10,inf`; none from an empty text."""
    try:
        return tuple(float(part) for part in text.split(",")) if text else ()
    except ValueError:
        raise ValueError(f"--rationality: expected numbers joined by commas, such as 1,10,inf, got {text!r}") from None
