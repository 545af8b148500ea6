"""What a column of rows is: a name, a type, what it means, and how Arrow and people are told.

Neither JAX nor Arrow is needed to read this module.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import pyarrow as pa

_LIST = "list of "


@dataclass(frozen=True)
class Column:
    """A column of rows.

    Attributes:
        name: its name in files, and of the result's attribute that holds its values unless an extractor has them.
        type: "int8", "int16", "int32", "int64", "float32", "float64", "bool", "string", or "list of" such a type.
        meaning: what it holds.
        unit: what numbers count or measure, "" where that is no question.
        source: the definition or theorem that it comes from.
        size: length of the (inner) lists as a product of letters, "K X A" say.
        nullable: whether NaN, negative counts and lists that begin with either are missing values.
        exact: whether it keeps 64 bits where results are stored in 32: settings do, results do not.
        group: the group of columns that rows must have to have it; "" is in all rows of its kind.
    """

    name: str
    type: str
    meaning: str
    unit: str = ""
    source: str = ""
    size: str = ""
    nullable: bool = False
    exact: bool = False
    group: str = ""

    @property
    def depth(self) -> int:
        """How many lists are around a value."""
        return self.type.count(_LIST)

    @property
    def element(self) -> str:
        """The type of a value inside all lists."""
        return self.type.removeprefix(_LIST * self.depth)

    @property
    def described(self) -> str:
        """The meaning, with the length of lists and the source."""
        return (
            self.meaning + (f"; {self.size} values" if self.size else "") + (f" ({self.source})" if self.source else "")
        )

    @property
    def arrow(self) -> pa.DataType:
        """Its type in Arrow."""
        import pyarrow as pa

        kind = pa.type_for_alias(self.element)
        for _ in range(self.depth):
            kind = pa.list_(kind)
        return kind

    def stored(self, float32: bool) -> Column:
        """The column as datasets with or without `float32` store it."""
        return replace(self, type=self.type.replace("float64", "float32")) if float32 and not self.exact else self


def schema(columns: Iterable[Column]) -> pa.Schema:
    """Names and types of columns, for Arrow."""
    import pyarrow as pa

    return pa.schema([(column.name, column.arrow) for column in columns])


def type_name(kind: pa.DataType) -> str:
    """What `Column.type` calls a type of Arrow."""
    import pyarrow as pa

    if pa.types.is_list(kind):
        return _LIST + type_name(kind.value_type)
    return {"double": "float64", "float": "float32"}.get(str(kind), str(kind))


def column_table(columns: Iterable[Column]) -> str:
    """Markdown: a line per column.

    Example:
        >>> print(column_table([Column("seed", "int64", "seed that it was drawn with")]))
        | column | type | unit | |
        |---|---|---|---|
        | `seed` | int64 | | seed that it was drawn with |
    """
    lines = [f"| `{c.name}` | {c.type} | {c.unit and c.unit + ' '}| {c.described} |" for c in columns]
    return "\n".join(["| column | type | unit | |", "|---|---|---|---|", *lines])
