"""What the figures show, as arrays: which rows count, how they are grouped, the paths of a growing market.

Nothing here draws. `equilibrax.figures.paper` does, and its tests read the numbers here.

Letters: N rows that are shown, B tables, K providers, P paths. A committee is a bitmask; bit j is provider j.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from jaxtyping import Bool, Float, Int

TOLERANCE = 1e-9
"""Smaller differences count as none: in units of utility, or of the optimum where that is larger than 1."""

_IDENTITY = ("table_id", "family", "seed", "num_providers", "committee", "committee_size")


class CannotShow(ValueError):
    """The rows are in order, but do not hold what a figure needs."""


@dataclass(frozen=True)
class ShownRows:
    """The rows that a figure shows, sorted by table (in order of first appearance), size and committee.

    Attributes:
        table: `[N]` the row's table, 0..B-1.
        committee: `[N]` bitmask of providers.
        size: `[N]` number of providers in the committee.
        values: `[N]` float64 each, the columns that were asked for, by name.
        table_id: `[B]` the ids of the tables.
        providers: `[B]` the number of providers of the tables.
        titles: B names for people: the family, with table id and seed where the family alone is ambiguous.
        left_out: `(reason, rows)` for each reason for which rows are not shown.
    """

    table: Int[np.ndarray, " N"]
    committee: Int[np.ndarray, " N"]
    size: Int[np.ndarray, " N"]
    values: dict[str, Float[np.ndarray, " N"]]
    table_id: Int[np.ndarray, " B"]
    providers: Int[np.ndarray, " B"]
    titles: tuple[str, ...]
    left_out: tuple[tuple[str, int], ...]

    def __len__(self) -> int:
        return len(self.table)

    def __getitem__(self, name: str) -> Float[np.ndarray, " N"]:
        return self.values[name]

    @property
    def num_tables(self) -> int:
        """Number of tables with at least one row shown, B."""
        return len(self.table_id)

    @property
    def sizes(self) -> list[int]:
        """The committee sizes that occur, ascending."""
        return [int(size) for size in np.unique(self.size)]

    def footnote(self) -> str:
        """What is shown and what is not, in one sentence or two."""
        return footnote(self.num_tables, len(self), self.left_out)


def footnote(tables: int, committees: int, left_out: Iterable[tuple[str, int]]) -> str:
    """What is shown and what is not, in one sentence or two."""
    text, left_out = f"{_count(tables, 'table')}, {_count(committees, 'committee')}.", list(left_out)
    if left_out:
        total = sum(rows for _, rows in left_out)
        reasons = ", ".join(f"{rows:,} {reason}" for reason, rows in left_out)
        text += f" {_count(total, 'row')} left out: {reasons}."
    return text


def _count(number: int, noun: str) -> str:
    return f"{number:,} {noun}{'' if number == 1 else 's'}"


def shown_rows(
    rows: pa.Table, columns: tuple[str, ...], *, whole_tables: bool = False, or_none: bool = False
) -> ShownRows:
    """The rows with status "OK" and a finite value in every one of `columns`, and a count of the others.

    Args:
        rows: result rows, one per (table, committee).
        columns: float columns that the figure needs.
        whole_tables: leave out every row of a table of which one row is left out.
        or_none: whether all may be left out, as of a part of the rows.

    Raises:
        ValueError: if a column is absent, or no row is left.
    """
    absent = [name for name in (*_IDENTITY, "status", *columns) if name not in rows.column_names]
    if absent:
        raise ValueError(f"rows: expected columns {', '.join(absent)}; got {', '.join(rows.column_names)}")
    family_codes, families = _family_codes(rows)
    identity = {name: _integers(rows, name) for name in _IDENTITY if name != "family"}
    table = _first_appearance(family_codes, identity["seed"], identity["table_id"])

    keep = np.ones(rows.num_rows, bool)
    left_out: list[tuple[str, int]] = []

    def leave_out(bad: np.ndarray, reason: str) -> None:
        bad = bad & keep
        if bad.any():
            left_out.append((reason, int(bad.sum())))
            keep[bad] = False

    status = rows["status"].combine_chunks().dictionary_encode()
    status_codes = np.asarray(pc.fill_null(status.indices, -1))
    names = status.dictionary.to_pylist()
    for code, name in sorted(enumerate([*names, "without status"]), key=lambda item: str(item[1])):
        if name != "OK":
            leave_out(status_codes == (code if code < len(names) else -1), f"{name}")
    values = {name: _floats(rows, name) for name in columns}
    for name in columns:
        leave_out(~np.isfinite(values[name]), f"without {name.replace('_', ' ')}")
    if whole_tables and left_out:
        leave_out(np.isin(table, np.unique(table[~keep])), "of the same tables")
    if not keep.any() and not or_none:
        raise nothing_shown(columns, left_out)

    order = np.flatnonzero(keep)
    order = order[np.lexsort([identity[name][order] for name in ("committee", "committee_size")] + [table[order]])]
    _, first, dense = np.unique(table[order], return_index=True, return_inverse=True)
    heads = order[first]
    table_id, seed = identity["table_id"][heads], identity["seed"][heads]
    return ShownRows(
        table=dense,
        committee=identity["committee"][order],
        size=identity["committee_size"][order],
        values={name: column[order] for name, column in values.items()},
        table_id=table_id,
        providers=identity["num_providers"][heads],
        titles=_titles([families[i] for i in family_codes[heads]], table_id, seed),
        left_out=tuple(left_out),
    )


def nothing_shown(columns: Iterable[str], left_out: Iterable[tuple[str, int]]) -> CannotShow:
    """What to say where all rows are left out."""
    why = ", ".join(f"{number:,} {reason}" for reason, number in left_out) or "no rows at all"
    return CannotShow(f"rows: expected rows with status OK and {', '.join(columns)}; got {why}")


def _integers(rows: pa.Table, name: str) -> np.ndarray:
    if rows[name].null_count:
        raise ValueError(f"rows: expected no nulls in {name}; got {rows[name].null_count}")
    return rows[name].to_numpy().astype(np.int64)


def _floats(rows: pa.Table, name: str) -> np.ndarray:
    return pc.fill_null(rows[name].cast(pa.float64()), float("nan")).to_numpy()


def _family_codes(rows: pa.Table) -> tuple[np.ndarray, list[str]]:
    encoded = pc.fill_null(rows["family"].cast(pa.string()), "").combine_chunks().dictionary_encode()
    return np.asarray(encoded.indices).astype(np.int64), encoded.dictionary.to_pylist()


def _first_appearance(*columns: np.ndarray) -> np.ndarray:
    """`[N]` a number per distinct combination, counted in the order in which they first appear."""
    if all((column[1:] == column[:-1]).all() for column in columns[:-1]) and (np.diff(columns[-1]) >= 0).all():
        return np.cumsum(np.diff(columns[-1], prepend=columns[-1][:1]) > 0)  # as in every shard of a sweep
    code = np.zeros(len(columns[0]), np.int64)
    for column in columns:
        distinct, inverse = np.unique(column, return_inverse=True)
        # Renumbered after every column, so the product stays below (number of rows)^2.
        code = np.unique(code * len(distinct) + inverse, return_inverse=True)[1]
    _, first, inverse = np.unique(code, return_index=True, return_inverse=True)
    return np.argsort(np.argsort(first))[inverse]


def _titles(families: list[str], table_id: np.ndarray, seed: np.ndarray) -> tuple[str, ...]:
    if len(set(families)) == len(families) and all(families):
        return tuple(families)
    names = [f"{family}, table {i}" if family else f"table {i}" for family, i in zip(families, table_id)]
    if len(set(names)) < len(names):
        names = [f"{name}, seed {s}" for name, s in zip(names, seed)]
    return tuple(names)


def below_bound(shown: ShownRows) -> Bool[np.ndarray, " N"]:
    """Rows whose worst equilibrium lies below optimum - 2 misalignment: there should be none (Theorem 6)."""
    bound = shown["optimum"] - 2 * shown["misalignment"]
    return shown["worst_utility"] < bound - _tolerance(shown)


def dynamics_above_worst(shown: ShownRows) -> Bool[np.ndarray, " N"]:
    """Rows whose best-response dynamics end at an equilibrium better for the user than the worst one."""
    return shown["dynamics_utility"] > shown["worst_utility"] + _tolerance(shown)


def _tolerance(shown: ShownRows) -> np.ndarray:
    return TOLERANCE * np.maximum(1.0, np.abs(shown["optimum"]))


def by_size(shown: ShownRows, values: np.ndarray, statistic=np.median) -> Float[np.ndarray, " sizes"]:
    """`statistic` of `values` `[N]` over the committees of each size in `shown.sizes`."""
    return np.array([statistic(values[shown.size == size]) for size in shown.sizes])


def worst_by_committee(shown: ShownRows, values: np.ndarray) -> Iterator[tuple[np.ndarray, np.ndarray]]:
    """`values` `[N]` laid out by committee, for the tables of each number of providers in turn.

    Yields:
        `([b], [b, 2**K])`: the indices of the tables with K providers, and their values; committee 0 is NaN.

    Raises:
        ValueError: if a table lacks a committee, or has one twice.
    """
    for providers in np.unique(shown.providers):
        tables = np.flatnonzero(shown.providers == providers)
        position = np.full(shown.num_tables, -1)
        position[tables] = np.arange(len(tables))
        mine = position[shown.table] >= 0
        place = position[shown.table[mine]], shown.committee[mine]
        if place[1].min() < 1 or place[1].max() >= 1 << providers:
            raise ValueError(f"rows: expected committees from 1 to {(1 << providers) - 1} for {providers} providers")
        times = np.zeros((len(tables), 1 << providers), np.int32)
        np.add.at(times, place, 1)
        titles = [shown.titles[i] for i in tables]
        if (times > 1).any():
            raise ValueError(_committees_message(times > 1, "has twice committee", titles))
        if (times[:, 1:] == 0).any():
            times[:, 0] = 1
            raise CannotShow(_committees_message(times == 0, "lacks committee", titles))
        laid_out = np.full(times.shape, np.nan)
        laid_out[place] = values[mine]
        yield tables, laid_out


def _committees_message(wrong: np.ndarray, what: str, titles: list[str]) -> str:
    bad_tables = np.flatnonzero(wrong.any(axis=1))
    committees = np.flatnonzero(wrong[bad_tables[0]])
    named = ", ".join(
        f"{committee} (bits {', '.join(str(j) for j in range(32) if committee >> j & 1)})"
        for committee in committees[:5].tolist()
    )
    more = f" and {len(committees) - 5:,} more" if len(committees) > 5 else ""
    others = f"; so do {len(bad_tables) - 1:,} other tables" if len(bad_tables) > 1 else ""
    return (
        f"rows: a path over growing markets needs every one of the {wrong.shape[1] - 1:,} committees once; "
        f"{titles[bad_tables[0]]} {what} {named}{more}{others}"
    )


def worst_along_one_path(shown: ShownRows, values: np.ndarray, seed: int) -> Float[np.ndarray, "B K"]:
    """`values` `[N]` by market size on one random path per table; NaN beyond a table's number of providers.

    Raises:
        ValueError: as `worst_by_committee`.
    """
    along = np.full((shown.num_tables, int(shown.providers.max())), np.nan)
    for tables, block in worst_by_committee(shown, values):
        providers = block.shape[1].bit_length() - 1
        markets = entry_paths(shown.table_id[tables], providers, 1, seed)[:, 0]
        along[tables, :providers] = np.take_along_axis(block, markets, axis=1)
    return along


def entry_paths(table_id: Int[np.ndarray, " B"], providers: int, paths: int, seed: int) -> Int[np.ndarray, "B P K"]:
    """Growing markets: `[b, p, k]` is the committee of size k+1 on path p of table b, one provider more each.

    Each path is a uniformly random order of the providers. It depends on seed, table id and path number, not
    on the other tables.
    """
    key = _scramble(np.uint64(seed & (2**64 - 1)) ^ np.uint64(0x9E3779B97F4A7C15))
    for counter in (table_id[:, None, None], np.arange(paths)[:, None], np.arange(providers)):
        key = _scramble(key ^ counter.astype(np.int64).view(np.uint64))
    order = np.argsort(key, axis=-1, kind="stable")
    return np.bitwise_or.accumulate(1 << order, axis=-1)


def _scramble(word: np.ndarray | np.uint64) -> np.ndarray:
    """One step of SplitMix64: a bijection of 64-bit words that looks random."""
    with np.errstate(over="ignore"):
        word = np.asarray(word) + np.uint64(0x9E3779B97F4A7C15)
        word = (word ^ (word >> np.uint64(30))) * np.uint64(0xBF58476D1CE4E5B9)
        word = (word ^ (word >> np.uint64(27))) * np.uint64(0x94D049BB133111EB)
    return word ^ (word >> np.uint64(31))
