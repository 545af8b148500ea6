"""Tables and markets from data frames: pandas, polars, pyarrow, or whatever speaks Arrow or the interchange protocol.

A frame has what a CSV file of `equilibrax.io.tables` has, a row for every table, state and action, in any order. None
of the libraries is imported, and numbers are read as those of files are: a float is the shortest decimal that is read
as it, in its own precision; a `Fraction` or `Decimal` is exact.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from contextlib import suppress
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
    return speaks or _is_pandas(value)


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
    action that has no row in some state is unavailable there. Levels of a pandas index whose names have a meaning here
    are columns too; an index without a name means nothing, and one with another name is refused unless `providers` or
    `ignore` has it.

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
    renamed = {}
    for name, given in {"state": state, "action": action, "user": user, "prior": prior, "table": table}.items():
        if given in renamed:
            raise ValueError(f"{name}: expected another column than that of {renamed[given]}, got {given!r}")
        if given is not None:
            renamed[given] = name
    how = reading(providers, ignore)
    texts = frame_texts(frame, renamed, ("prior", "table", *(how.providers or ()), *how.ignore))
    found = in_their_words(renamed, lambda: table_format.parse(texts, _HERE, resolution, how)[0])
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
    how = reading(providers, ignore)
    texts = frame_texts(frame, {}, (*market_format.RESERVED, *(how.providers or ()), *how.ignore))
    market = in_their_words({}, lambda: market_format.parse(texts, _HERE, resolution, weight_resolution, how))
    if "market" in texts.columns or market.labels is None:
        return market
    return replace(market, labels=replace(market.labels, markets=()))


def is_market_frame(frame: Any) -> bool:
    """Whether a frame has the columns of a market rather than those of tables."""
    return set(_MARKET) <= set(map(str, frame_table(frame).column_names))


def frame_texts(frame: Any, renamed: Mapping[str, str], meanings: Collection[str]) -> Texts:
    """All cells as texts, some columns under other names; `meanings` are names that mean something besides."""
    table = frame_table(frame)
    names = list(map(str, table.column_names))
    for name in _levels(frame):
        if name not in renamed and name not in meanings:
            raise ValueError(
                f"frame: expected an index without a name or with one of {', '.join([*renamed, *meanings])}, got "
                f"{name!r}; leave it out with ignore=[{name!r}], or make it a provider with providers=[...]"
            )
    for name in renamed:
        if name not in names:
            raise ValueError(
                f"{renamed[name]}: expected a column of the frame, got {name!r}; it has {', '.join(names)}"
                f"{did_you_mean(name, names)}"
            )
    new = [renamed.get(name, name) for name in names]
    for i, now in enumerate(new):
        if now in new[:i]:
            one, other = names[new.index(now)], names[i]
            raise ValueError(f"{now}: expected one column of this meaning, got {one!r} and {other!r}; rename one")
    rows = [
        list(row) for row in zip(*(column_texts(column, _HERE, name) for name, column in zip(names, table.columns)))
    ]
    return Texts([name.strip() for name in new], rows, list(range(1, len(rows) + 1)), 0, 0)


def frame_table(frame: Any) -> pa.Table:
    """A frame as an Arrow table; columns of objects that Arrow does not know are texts.

    Raises:
        ValueError: if it is no frame.
    """
    if isinstance(frame, pa.Table):
        return frame
    if hasattr(frame, "collect_schema") and hasattr(frame, "collect"):  # lazy
        frame = frame.collect()
    if _is_pandas(frame):
        levels = {name: frame.index.get_level_values(name) for name in _levels(frame)}
        own = [frame.iloc[:, i] for i in range(len(frame.columns))]  # by place: a name may be there twice
        names = [_name(name) for name in (*levels, *frame.columns)]
        return pa.table([_array(column) for column in (*levels.values(), *own)], names=names)
    if isinstance(frame, Mapping):
        for name, column in frame.items():
            if isinstance(column, str | bytes) or not hasattr(column, "__len__"):
                raise ValueError(f"frame: expected columns, got {type(column).__name__} for {name!r}")
        sizes = {len(column) for column in frame.values()}
        if len(sizes) != 1:
            raise ValueError(f"frame: expected columns of one length, got {sorted(sizes)}")
        return pa.table([_array(column) for column in frame.values()], names=list(map(str, frame)))
    if hasattr(frame, "__arrow_c_stream__"):
        with suppress(pa.ArrowException):  # a series speaks Arrow, too
            return pa.table(frame)
    elif hasattr(frame, "__dataframe__"):
        from pyarrow.interchange import from_dataframe as through_interchange

        return through_interchange(frame)
    raise ValueError(f"frame: expected a data frame or a dictionary of columns, got {type(frame).__name__}")


def _levels(frame: Any) -> list[Any]:
    """Names of levels of a pandas index; not those of levels that are columns as well."""
    found = frame.index.names if _is_pandas(frame) else ()
    return [name for name in found if name is not None and name not in frame.columns]


def _is_pandas(frame: Any) -> bool:
    return hasattr(frame, "reset_index") and hasattr(frame, "columns")


def _name(name: Any) -> str:
    """The name of a column; pandas has NaN for None."""
    return "" if name is None or name != name else str(name)


def _array(values: Any) -> Any:
    try:
        return pa.array(values)
    except (pa.ArrowException, OverflowError, TypeError):  # Fraction, a large number, or several types
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
