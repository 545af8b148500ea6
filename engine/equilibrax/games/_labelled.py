"""Results with their names: printed, selected, and handed on as frames, arrays with coordinates, or text for papers.

Which axes an array has is what its field says: `B` tables, `R` lambdas, `C` committees, `X` states, `A` actions, `K`
providers, `N` users; "..." is all that comes before. So a new game's result has all of this without a word.
"""

from __future__ import annotations

import os
import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, fields, replace
from typing import TYPE_CHECKING, Any, Self

import numpy as np

from equilibrax._core.committees import committee_text
from equilibrax._core.text import html_table, latex, markdown
from equilibrax.problems import Batch

if TYPE_CHECKING:
    import pandas
    import polars
    import pyarrow
    import xarray

_SHAPE = re.compile(r"""['"]([^'"]*)['"]""")
_DIMS = {"R": "rationality", "C": "committee", "X": "state", "A": "action", "K": "provider", "N": "user"}
_SHOWN = 60  # lines of a notebook's table


@dataclass(frozen=True)
class _Grid:
    """Cells of a printed table."""

    headings: list[str]
    numeric: list[bool]
    lines: list[list[str]]


class Summarized:
    """What every result of any game can be turned into: a line, rows, and tables for notebooks and papers."""

    game: Any
    status: Any
    problem: Any
    failures: int
    _unit: str

    def __init_subclass__(cls, **options: Any) -> None:
        super().__init_subclass__(**options)
        cls.__repr__ = Summarized.__repr__  # a dataclass would print all of its arrays

    def __len__(self) -> int:
        """How many tables (or markets, or games) were solved."""
        return self.status.shape[0]

    def __repr__(self) -> str:
        return f"<{type(self).__name__}: {self._summary()}>"

    def _summary(self) -> str:
        lost = f", {self.failures:,} rows not solved" if self.failures else ""
        return f"{self.game.name}, {_counted(len(self), self._unit)}{lost}"

    def _repr_html_(self) -> str:
        grid = self._grid(4, most=_SHOWN)
        rest = self.status.size - _SHOWN
        more = f"<p>{rest:,} more lines: <code>to_pandas()</code> has all</p>" if len(grid.lines) > _SHOWN else ""
        shown = html_table(grid.lines[:_SHOWN], head=grid.headings, caption=self._summary(), right=grid.numeric)
        return shown + more

    # --- frames

    def to_arrow(self) -> pyarrow.Table:
        """A row for every table, committee (lambda, user), with columns of names; for every equilibrium of games in
        normal form; for every depth of markets of information.

        What columns mean is in docs/dataframes.md.
        """
        import equilibrax

        return equilibrax.rows.result_rows(self)

    def to_pandas(self) -> pandas.DataFrame:
        """The rows of `to_arrow` as a pandas DataFrame; whole numbers stay whole where some are missing.

        Raises:
            ImportError: without pandas.

        Example:
            >>> import equilibrax as eq
            >>> frame = eq.solve(eq.load_paper_table("synthetic-1"), committees=[("AI 1", "AI 3")]).to_pandas()
            >>> frame["committee_names"].tolist(), frame["equilibria"].tolist()
            (['AI 1+AI 3'], [1])
        """
        import equilibrax

        return equilibrax.rows.as_pandas(self.to_arrow())

    def to_polars(self) -> polars.DataFrame:
        """The rows of `to_arrow` as a polars DataFrame.

        Raises:
            ImportError: without polars.
        """
        import polars

        return polars.DataFrame(self.to_arrow())

    def write(self, path: str | os.PathLike[str], *, format: str | None = None) -> None:
        """Write the rows of `to_arrow`, with all names, to a file whose suffix says the format.

        Args:
            path: .parquet, .csv, .json, .xlsx (with openpyxl), .md or .tex.
            format: one of these without the dot, whatever the suffix.

        Raises:
            ValueError: on another format.
            ImportError: if a library for it is missing.
            OSError: if the file cannot be written.
        """
        import equilibrax

        equilibrax.rows.write_rows(self.to_arrow(), path, format=format)

    # --- text

    def to_markdown(self, *, decimals: int = 4) -> str:
        """A Markdown table with a line for every table and committee (lambda, user).

        Args:
            decimals: of utilities.

        Example:
            >>> import equilibrax as eq
            >>> result = eq.solve(eq.load_paper_table("synthetic-1"), "joint", committees=[1])
            >>> print(result.to_markdown(decimals=2).splitlines()[1])
            |:---|---:|---:|---:|---:|---:|---:|:---|:---|
        """
        grid = self._grid(decimals)
        rule = "".join(f"|{'---:' if numeric else ':---'}" for numeric in grid.numeric) + "|"
        lines = [" | ".join(map(markdown, line)) for line in (grid.headings, *grid.lines)]
        return "\n".join([f"| {lines[0]} |", rule, *(f"| {line} |" for line in lines[1:])])

    def to_latex(self, *, decimals: int = 4) -> str:
        r"""A LaTeX table in the style of the package booktabs, with the lines of `to_markdown`.

        Args:
            decimals: of utilities.

        Example:
            >>> import equilibrax as eq
            >>> print(eq.solve(eq.load_paper_table("synthetic-1"), committees=[1]).to_latex().splitlines()[0])
            \begin{tabular}{lrrrrrrrrl}
        """
        grid = self._grid(decimals)
        columns = "".join("r" if numeric else "l" for numeric in grid.numeric)
        head, *lines = [" & ".join(map(latex, line)) + r" \\" for line in (grid.headings, *grid.lines)]
        parts = [r"\begin{tabular}{" + columns + "}", r"\toprule", head, r"\midrule", *lines, r"\bottomrule"]
        return "\n".join([*parts, r"\end{tabular}"])

    def _grid(self, decimals: int, most: int | None = None) -> _Grid:
        """Cells of all tables, or of the first until there are more than `most` lines."""
        several = len(self) > 1
        grid = _Grid([], [], [])
        for table, name in enumerate(self.problem.unique_names()):
            shown = self._table(table, decimals)
            if not grid.headings:
                grid.headings.extend([self._unit] * several + [str(column.header) for column in shown.columns])
                grid.numeric.extend([False] * several + [column.justify == "right" for column in shown.columns])
            for line in zip(*(list(column.cells) for column in shown.columns)):
                grid.lines.append([name] * several + list(map(str, line)))
            if most is not None and len(grid.lines) > most:
                break
        return grid

    def _table(self, table: int, decimals: int) -> Any:
        raise NotImplementedError


class Labelled(Summarized):
    """What every result of committees can be turned into besides; a part of `Result`."""

    committees: Any
    rationalities: Any
    table_id: Any
    columns: Any
    _rationality: Any

    # --- what it is

    def _summary(self) -> str:
        sizes = f"{_counted(len(self), self._unit)} x {_counted(len(self.committees), 'committee')}"
        worst = np.asarray(getattr(self, "worst_utility", np.nan), float)
        known = worst[np.isfinite(worst)]
        reach = f", worst utility {known.min():.4g} to {known.max():.4g}" if known.size else ""
        lost = f", {self.failures:,} rows not solved" if self.failures else ""
        return f"{self._caption()}, {sizes}{reach}{lost}"

    def _caption(self) -> str:
        raise NotImplementedError

    # --- parts

    def sel(self, *, table: Any = None, committee: Any = None) -> Self:
        """The result for some tables and committees, by name.

        Args:
            table: the name of a table (or market), or its position; or a list of these. None: all.
            committee: the names of its providers in a tuple, or joined as in "Ann+Bob", or a bitmask; or a list of
                committees. None: all.

        Raises:
            ValueError: if there is no such table or provider, or the committee was not solved.

        Example:
            >>> import equilibrax as eq
            >>> result = eq.solve(eq.load_paper_table("synthetic-2"))
            >>> result.sel(table="synthetic-2", committee=("AI 1", "AI 2")).worst_utility.round(4).tolist()
            [[0.8733]]
        """
        tables = None if table is None else [self.problem.place(one) for one in _several(table)]
        chosen = None if committee is None else [self.index(one) for one in _several(committee)]
        return self._part(self, tables, chosen)

    def index(self, committee: Any) -> int:
        raise NotImplementedError

    def _part(self, whole: Any, tables: list[int] | None, committees: list[int] | None) -> Any:
        changed: dict[str, Any] = {}
        for f in fields(whole):
            value: Any = getattr(whole, f.name)
            axes, nested = _axes(f.type), hasattr(value, "__dataclass_fields__") and f.name != "game"
            if isinstance(value, Batch):
                value = value if tables is None else value.select(tables)
            elif nested:
                value = self._part(value, tables, committees)
            elif axes is not None and value is not None:
                if tables is not None and axes[0] in ("B", "..."):
                    value = value[tables]
                if committees is not None and ("C" in axes or axes == ["..."]):
                    value = value.take(committees, axis=0 if axes == ["C"] else self.status.ndim - 1)
            changed[f.name] = value
        return replace(whole, **changed)

    def to_xarray(self) -> xarray.Dataset:
        """All numbers as arrays with dimensions and coordinates: tables, committees, states and so on by name.

        Dimensions are `table` (of markets `market`), `committee`, and where there are some `rationality`, `state`,
        `provider`, `user`. Committees are texts such as "Ann+Bob"; `committee_mask` has their bitmasks.

        Raises:
            ImportError: without xarray, which the extra `xarray` installs.

        Example:
            >>> import equilibrax as eq
            >>> data = eq.solve(eq.load_paper_table("synthetic-2")).to_xarray()
            >>> data.worst_utility.dims, data.worst_scheme.dims
            (('table', 'committee'), ('table', 'committee', 'state'))
            >>> float(data.worst_utility.sel(table="synthetic-2", committee="AI 1+AI 2").round(4))
            0.8733
        """
        import xarray

        said = {column.name: column for column in self.columns}
        data = {}
        for name, values, dims in self._arrays():
            column = said.get(name)
            about = {"long_name": name.replace("_", " ")}
            if column is not None:
                about |= {"units": column.unit} if column.unit else {}
                about["description"] = column.described
            data[name] = (dims, values, about)
        return xarray.Dataset(data, self._coordinates(data), {"game": str(self.game), "title": self._caption()})

    def _arrays(self) -> Iterator[tuple[str, np.ndarray, tuple[str, ...]]]:
        """All arrays, with the names of their dimensions."""
        lead = (self._unit, *(["rationality"] if self._rationality.grid else []))
        known = {}
        for f in fields(self):  # pyright: ignore[reportArgumentType]
            value, axes = getattr(self, f.name), _axes(f.type)
            if axes is not None and value is not None and axes != ["C"]:
                before = lead if axes[0] in ("...", "B") and axes != ["B"] else lead[:1]
                committee = ("committee",) if "C" in axes or axes == ["..."] else ()
                rest = tuple(_DIMS[axis] for axis in axes if axis in "XAKN")
                known[f.name] = value, (*before, *committee, *rest)
        for column in self.columns:
            value = getattr(self, column.name, None)
            if column.name not in known and isinstance(value, np.ndarray) and value.ndim >= self.status.ndim:
                known[column.name] = value, (*lead, "committee")
        for name, (value, dims) in known.items():
            value = np.asarray(value)
            dims = (*dims, "user")[: value.ndim] if value.ndim == len(dims) + 1 else dims
            named = [f"of_{dim}" if dim in dims[:i] else dim for i, dim in enumerate(dims)]
            if "provider" in named and value.shape[at := named.index("provider")] == self.problem.num_providers + 1:
                named[at] = "player"
            yield name, value, tuple(named)

    def _coordinates(self, data: dict[str, Any]) -> dict[str, Any]:
        names = self.problem.provider_names()
        committees = self.committees.tolist()
        known = {
            self._unit: self.problem.unique_names(),
            "rationality": [np.nan if r is None else r for r in self.rationalities],
            "committee": [committee_text(mask, names) for mask in committees],
            "state": self.problem.state_names(),
            "provider": names,
            "player": ("user", *names),
            "user": getattr(self.problem, "user_names", tuple)(),
        }
        known["of_user"] = known["user"]
        used = {dim for dims, *_ in data.values() for dim in dims}
        found: dict[str, Any] = {dim: (dim, np.asarray(own)) for dim, own in known.items() if dim in used}
        found["committee_mask"] = ("committee", np.asarray(committees))
        found["committee_size"] = ("committee", np.asarray([mask.bit_count() for mask in committees]))
        found[f"{self._unit}_id"] = (self._unit, self.table_id)
        return found


def _counted(number: int, what: str) -> str:
    return f"{number:,} {what}{'s' * (number != 1)}"


def _several(given: Any) -> Sequence[Any]:
    return given if isinstance(given, list) else [given]


def _axes(annotation: Any) -> list[str] | None:
    """The axes that a field's annotation names; None if it is not an array."""
    found = _SHAPE.search(annotation) if isinstance(annotation, str) else None
    return [axis.lstrip("*") for axis in found[1].split()] if found else None
