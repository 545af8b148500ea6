"""Tables and markets from data frames: pandas, polars, pyarrow, or whatever speaks Arrow or the interchange protocol.

A frame has what a CSV file of `equilibrax.io.tables` has, a row for every table, state and action, in any order. None
of the libraries is imported, and numbers are read as those of files are: a float is the shortest decimal that is read
as it, in its own precision; a `Fraction` or `Decimal` is exact.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import pyarrow as pa

from equilibrax._core.suggestions import did_you_mean
from equilibrax.io import _market_csv as market_format, _table_csv as table_format
from equilibrax.io.files import TableFileError
from equilibrax.io.names import reading
from equilibrax.io.parquet import column_texts
from equilibrax.io.records import Texts
from equilibrax.problems.market import Market
from equilibrax.problems.tables import UtilityTables

_HERE = Path("frame")
_MARKET = ("state", "user", "action", "utility")


def is_frame(value: Any) -> bool:
    """Whether a value is a frame, of whatever library."""
    speaks = any(hasattr(value, name) for name in ("__arrow_c_stream__", "__dataframe__", "collect_schema"))
    return speaks or (hasattr(value, "columns") and hasattr(value, "reset_index"))


def from_dataframe(
    frame: Any,
    *,
    state: str = "state",
    action: str = "action",
    user: str = "user",
    providers: Sequence[str] | None = None,
    prior: str | None = None,
    table: str | None = None,
    ignore: Sequence[str] = (),
    resolution: int | None = None,
) -> UtilityTables:
    """Utility tables from a data frame with a row for every state and action (and table), in any order.

    Labels are the values in the columns; states, actions and tables are numbered in order of first appearance. An
    action that has no row in some state is unavailable there. Levels of a pandas index that have a name are columns
    too; other indices mean nothing.

    Args:
        frame: of pandas, polars (lazy or not), pyarrow, or another library that exports Arrow; or a dictionary of
            columns.
        state: column with the names of the states; so are the next two.
        action: column with the names of the actions.
        user: column with the user's utilities.
        providers: columns with the utilities of 1 to 16 providers, whose names they are; None for all columns that are
            not named otherwise.
        prior: column with the weight of the state, of any scale; None is the column `prior`, if there is one, else
            uniform.
        table: column with the name of the table; None is the column `table`, if there is one, else all is one table.
        ignore: columns that are left out.
        resolution: as for `from_arrays`.

    Returns:
        The frame's tables as one batch, with labels; tables of different sizes are no batch.

    Raises:
        ValueError: naming the column and the row, what was expected and what came.

    Example:
        >>> import equilibrax as eq
        >>> columns = {"weather": ["sun", "rain", "sun", "rain"], "tip": ["walk", "walk", "bus", "bus"]}
        >>> frame = columns | {"Alice": [1, 0, 0.3, 1], "Ann": [0.9, 0.8, 0.2, 0.2]}
        >>> tables = eq.from_dataframe(frame, state="weather", action="tip", user="Alice")
        >>> tables.state_names(), tables.provider_names(), tables.user.tolist()
        (('sun', 'rain'), ('Ann',), [[[10000, 3000], [0, 10000]]])
    """
    renamed = {state: "state", action: "action", user: "user"}
    renamed |= {given: name for given, name in ((prior, "prior"), (table, "table")) if given is not None}
    texts = frame_texts(frame, renamed)
    found = in_their_words(renamed, lambda: table_format.parse(texts, _HERE, resolution, reading(providers, ignore))[0])
    if "table" in texts.columns or found.labels is None:
        return found
    return replace(found, labels=replace(found.labels, tables=()))


def market_from_dataframe(
    frame: Any,
    *,
    providers: Sequence[str] | None = None,
    ignore: Sequence[str] = (),
    resolution: int | None = None,
    weight_resolution: int | None = None,
) -> Market:
    """Markets from a data frame with the columns of the files of `read_market`, its rows in any order.

    Args:
        frame: as for `from_dataframe`.
        providers: columns that are the providers; None for all without another meaning.
        ignore: columns that are left out.
        resolution: as for `read_market`, and so is the next.
        weight_resolution: steps per unit of weight.

    Raises:
        ValueError: naming the column and the row, what was expected and what came.

    Example:
        >>> import equilibrax as eq
        >>> names = {"state": ["s", "s"], "user": ["Ida", "Ida"], "action": ["go", "stay"]}
        >>> market = eq.io.market_from_dataframe(names | {"utility": [1, 0], "Ann": [0, 1]})
        >>> market.user_names(), market.provider_names(), market.user.tolist()
        (('Ida',), ('Ann',), [[[[10000, 0]]]])
    """
    texts = frame_texts(frame, {})
    how = reading(providers, ignore)
    market = in_their_words({}, lambda: market_format.parse(texts, _HERE, resolution, weight_resolution, how))
    if "market" in texts.columns or market.labels is None:
        return market
    return replace(market, labels=replace(market.labels, markets=()))


def is_market_frame(frame: Any) -> bool:
    """Whether a frame has the columns of a market rather than those of tables."""
    return set(_MARKET) <= set(map(str, frame_table(frame, _MARKET).column_names))


def frame_texts(frame: Any, renamed: Mapping[str, str]) -> Texts:
    """All cells as texts, some columns under other names."""
    table = frame_table(frame, tuple(renamed))
    names = list(map(str, table.column_names))
    for name in renamed:
        if name not in names:
            raise ValueError(
                f"{renamed[name]}: expected a column of the frame, got {name!r}; it has {', '.join(names)}"
                f"{did_you_mean(name, names)}"
            )
    new = [renamed.get(name, name) for name in names]
    for name, now in zip(names, new):
        if new.count(now) > 1:
            raise ValueError(f"{now}: expected one column of this meaning, got {now!r} beside {name!r}; rename {now!r}")
    rows = [
        list(row) for row in zip(*(column_texts(column, _HERE, name) for name, column in zip(names, table.columns)))
    ]
    return Texts([name.strip() for name in new], rows, list(range(1, len(rows) + 1)), 0, 0)


def frame_table(frame: Any, wanted: Sequence[str] = ()) -> pa.Table:
    """A frame as an Arrow table; columns of objects that Arrow does not know are texts.

    Raises:
        ValueError: if it is no frame.
    """
    if isinstance(frame, pa.Table):
        return frame
    if hasattr(frame, "collect_schema") and hasattr(frame, "collect"):  # lazy
        frame = frame.collect()
    if hasattr(frame, "reset_index"):  # pandas: named levels of the index are columns, others mean nothing
        named = [name for name in frame.index.names if name in wanted and name not in frame.columns]
        frame = frame.reset_index(named).reset_index(drop=True) if named else frame.reset_index(drop=True)
        return pa.table([_array(frame[name]) for name in frame.columns], names=list(map(str, frame.columns)))
    if isinstance(frame, Mapping):
        sizes = {len(column) for column in frame.values()}
        if len(sizes) != 1:
            raise ValueError(f"frame: expected columns of one length, got {sorted(sizes)}")
        return pa.table([_array(column) for column in frame.values()], names=list(map(str, frame)))
    if hasattr(frame, "__arrow_c_stream__"):
        return pa.table(frame)
    if hasattr(frame, "__dataframe__"):
        from pyarrow.interchange import from_dataframe as through_interchange

        return through_interchange(frame)
    raise ValueError(f"frame: expected a data frame or a dictionary of columns, got {type(frame).__name__}")


def _array(values: Any) -> Any:
    try:
        return pa.array(values)
    except (pa.ArrowInvalid, pa.ArrowTypeError, pa.ArrowNotImplementedError, TypeError):  # Fraction, or several types
        return pa.array([None if value is None else str(value) for value in values], pa.string())


def in_their_words(renamed: Mapping[str, str], parse: Any) -> Any:
    """What is parsed of a frame some of whose columns have other names; errors have the frame's own."""
    try:
        return parse()
    except TableFileError as error:
        text = str(error)
        for given, name in renamed.items():
            text = text.replace(f"column {name!r}", f"column {given!r}")
        raise ValueError(text) from None
