"""Markets as CSV: one row per state, user and action. `equilibrax.io.markets` has the format.

Letters: B markets, N users, K providers, X states, A actions.
"""

from __future__ import annotations

import logging
import re
from collections.abc import Callable
from dataclasses import dataclass
from fractions import Fraction
from math import lcm
from pathlib import Path
from typing import Any

import numpy as np

from equilibrax._core.checks import INT32_MAX
from equilibrax._core.fixed_point import common_step
from equilibrax._core.partitions import restricted_growth
from equilibrax.io.files import TableFileError, check_dense, csv_bytes, decimal, line_of, naming, place_of, say, stem_of
from equilibrax.io.names import Reading, alike
from equilibrax.io.records import Rows, Texts, counted, exact, prior_weights, read_rows, utilities
from equilibrax.problems.market import Market, MarketLabels, separable_market

_REQUIRED = ("state", "user", "action", "utility")
_NAMES = ("market", "state", "user", "action")
RESERVED = (*_REQUIRED, "market", "prior", "sees", "outcome")
_WEIGHT, _SEES = "weight:", "sees:"
_LOOSE = re.compile(r"(weight|sees)[\s_.-]+(.+)", re.IGNORECASE)


@dataclass(frozen=True)
class _Row:
    line: int
    cells: dict[str, str]
    utilities: list[Fraction]  # the user's, then the components of the providers


def parse(
    data: bytes | Texts, path: Path, resolution: int | None, weight_resolution: int | None, how: Reading | None = None
) -> Market:
    """The markets of a CSV or Parquet file."""
    found = read_rows(data, path, _REQUIRED, RESERVED, how or Reading(), names=_is_name, about=_attached)
    for column in found.rows[0][1]:
        provider = _about(column)
        if provider is not None and provider not in (*found.providers, *found.left_out):
            raise TableFileError(
                f"{found.header}: column {column!r}: expected a provider of the file, got {provider!r}"
            )
    rows = [_row(cells, found, path, line, resolution) for line, cells in found.rows]
    file = _File(rows, found.providers, path)
    market = file.market(resolution, weight_resolution)
    if how is not None:
        markets = f"{counted(len(file.markets), 'market')}, " if len(file.markets) > 1 else ""
        sizes = f"{counted(len(file.states), 'state')}, {counted(len(file.users), 'user')}"
        say(logging.INFO, found.said(path, f"{markets}{sizes}, up to {counted(market.actions, 'action')}"))
    return market


def _is_name(column: str) -> bool:
    return column in (*_NAMES, "sees", "outcome") or column.startswith(_SEES)


def _attached(columns: list[str], where: str) -> list[str]:
    """The columns `weight:NAME` and `sees:NAME`; what may be meant as one of these is refused."""
    names = {alike(column) for column in columns}
    found = [column for column in columns if _about(column) is not None]
    for i, column in enumerate(columns):
        kind, sign, provider = (part.strip() for part in column.partition(":"))
        loose = _LOOSE.fullmatch(column)
        meant = sign and (kind.lower() in ("weight", "sees") or alike(provider) in names)
        if column not in found and (meant or (loose and alike(loose[2]) in names)):
            expected = f"'weight:{provider or 'NAME'}' or 'sees:{provider or 'NAME'}'"
            raise TableFileError(f"{where}: column {i + 1}: expected {expected} of a provider, got {column!r}")
    return found


def _about(column: str) -> str | None:
    """The provider in `weight:NAME` and `sees:NAME`."""
    return next((column[len(start) :].strip() for start in (_WEIGHT, _SEES) if column.startswith(start)), None)


def _row(cells: dict[str, str], found: Rows, path: Path, line: int, resolution: int | None) -> _Row:
    where = line_of(path, line)
    for column, text in cells.items():
        if not text:
            kind = "a name" if column in _NAMES else "a value"
            raise TableFileError(f"{where}: column {column!r}: expected {kind}, got an empty field")
    values = utilities(cells, ("utility", *found.providers), where, resolution)
    kept = {_tidy(column): text for column, text in cells.items() if _about(column) not in found.left_out}
    return _Row(line, {"market": stem_of(path), **kept}, values)


def _tidy(column: str) -> str:
    """`weight: Ann` is `weight:Ann`."""
    provider = _about(column)
    return column if provider is None else column.partition(":")[0] + ":" + provider


class _File:
    """Rows of a file, and the order in which its names appear."""

    def __init__(self, rows: list[_Row], providers: tuple[str, ...], path: Path):
        self.rows, self.providers, self.path = rows, providers, path
        self.markets, self.states, self.users = (
            list(dict.fromkeys(row.cells[name] for row in rows)) for name in ("market", "state", "user")
        )
        self.actions = [
            list(dict.fromkeys(row.cells["action"] for row in rows if row.cells["user"] == user)) for user in self.users
        ]

    def market(self, resolution: int | None, weight_resolution: int | None) -> Market:
        values, available = self._utilities()
        weights = self._weights()
        if weight_resolution is None:
            weight_resolution = self._common_step(weights)
        sees, states = self._column_of("sees", "user", "state"), self.states
        user_sees = None if sees is None else [[sees(user, x) for x in states] for user in self.users]
        views = [self._column_of(_SEES + provider, "state") for provider in self.providers]
        provider_sees = [[view(x) if view else x for x in states] for view in views] if any(views) else None
        outcome = self._column_of("outcome", "state")
        labels = MarketLabels(
            tuple(states), tuple(self.users), self.providers, tuple(map(tuple, self.actions)), tuple(self.markets)
        )
        prior = self._prior()
        with naming(self.path):
            return separable_market(
                values[:, 0],
                values[:, 1:],
                weights,
                prior,
                available=available,
                provider_sees=_counted(provider_sees),
                user_sees=_counted(user_sees),
                state_of=None if outcome is None else _counted([[outcome(x) for x in states]])[0],
                resolution=resolution,
                weight_resolution=weight_resolution,
                labels=labels,
            )

    def line_of(self, row: _Row) -> str:
        return line_of(self.path, row.line)

    def _utilities(self) -> tuple[np.ndarray, np.ndarray]:
        """`[B, 1 + K, N, X, A]` and `[B, N, A]`: every action of a user has a row in every state."""
        b, n, x, a = len(self.markets), len(self.users), len(self.states), max(map(len, self.actions))
        markets, states, users = ({name: i for i, name in enumerate(names)} for names in self._names())
        actions = [{name: i for i, name in enumerate(names)} for names in self.actions]
        check_dense(self.path, (b, n, x, a), 1 + len(self.providers), len(self.rows))
        lines = np.zeros((b, n, x, a), np.int64)
        values = np.full((b, 1 + len(self.providers), n, x, a), Fraction(0), object)
        for row in self.rows:
            i = users[row.cells["user"]]
            at = (markets[row.cells["market"]], i, states[row.cells["state"]], actions[i][row.cells["action"]])
            if lines[at]:
                here = f"{self.line_of(row)}: user {row.cells['user']!r}, state {row.cells['state']!r}"
                came = f"{row.cells['action']!r} again after {place_of(self.path, lines[at])}"
                raise TableFileError(f"{here}: expected every action once, got {came}")
            lines[at] = row.line
            values[at[0], :, i, at[2], at[3]] = row.utilities
        there: np.ndarray = np.asarray(lines > 0)
        available: np.ndarray = np.asarray(there.any(axis=2))
        missing = available[:, :, None] & ~there
        if missing.any():
            m, i, s, k = np.argwhere(missing)[0].tolist()
            line = int(lines[m, i, :, k].max())
            raise TableFileError(
                f"{line_of(self.path, line)}: user {self.users[i]!r}, action {self.actions[i][k]!r}: expected a row in "
                f"every state{self._in(m)}, got none in {self.states[s]!r}"
            )
        if not available.any(axis=2).all():
            m, i = np.argwhere(~available.any(axis=2))[0].tolist()
            raise TableFileError(f"{self.path}: expected rows of user {self.users[i]!r}{self._in(m)}, got none")
        return values, available

    def _in(self, market: int) -> str:
        return f" of market {self.markets[market]!r}" if len(self.markets) > 1 else ""

    def _names(self) -> tuple[list[str], list[str], list[str]]:
        return self.markets, self.states, self.users

    def _prior(self) -> list[list[int]]:
        """`[B, X]` whole weights."""
        value = self._column_of("prior", "market", "state", numeric=True)
        if value is None:
            return [[1] * len(self.states)] * len(self.markets)
        for row in self.rows:
            if exact(row.cells["prior"], f"{self.line_of(row)}: column 'prior'") <= 0:
                came = row.cells["prior"]
                raise TableFileError(f"{self.line_of(row)}: column 'prior': expected a positive weight, got {came!r}")
        weights = []
        for market in self.markets:
            weights.append(prior_weights([exact(value(market, state), "") for state in self.states], str(self.path)))
        return weights

    def _weights(self) -> list[list[list[Fraction]]]:
        """`[B, K, N]` exact lambda, 1 where the file has none."""
        columns = {p: self._column_of(_WEIGHT + p, "market", "user", numeric=True) for p in self.providers}
        for row in self.rows:
            for provider, column in columns.items():
                here = f"{self.line_of(row)}: column {_WEIGHT + provider!r}"
                if column and exact(row.cells[_WEIGHT + provider], here) < 0:
                    came = row.cells[_WEIGHT + provider]
                    raise TableFileError(f"{here}: expected a weight of at least 0, got {came!r}")
        return [
            [
                [exact(column(market, user), "") if column else Fraction(1) for user in self.users]
                for column in columns.values()
            ]
            for market in self.markets
        ]

    def _common_step(self, weights: list[list[list[Fraction]]]) -> int:
        every = [w for one in weights for row in one for w in row]
        step = common_step(every)
        if step is None:
            common = lcm(*(w.denominator for w in every))
            raise TableFileError(
                f"{self.path}: weights: expected ratios of whole numbers up to {INT32_MAX}, got the common step "
                f"1/{common}; give a weight_resolution to round them to"
            )
        return step

    def _column_of(self, column: str, *keys: str, numeric: bool = False) -> Callable[..., str] | None:
        """A column that depends on `keys` alone, as a function of them; None if the file has none."""
        if column not in self.rows[0].cells:
            return None
        first: dict[tuple[str, ...], _Row] = {}
        for row in self.rows:
            key = tuple(row.cells[name] for name in keys)
            seen = first.setdefault(key, row)
            texts = (row.cells[column], seen.cells[column])
            here = f"{self.line_of(row)}: column {column!r}"
            if texts[0] != texts[1] and not (numeric and exact(texts[0], here) == exact(texts[1], here)):
                about = ", ".join(f"{name} {text!r}" for name, text in zip(keys, key))
                raise TableFileError(
                    f"{here}: expected {texts[1]!r} for {about} as on {place_of(self.path, seen.line)}, "
                    f"got {texts[0]!r}"
                )

        def of(*key: str) -> str:
            if key not in first:
                missing = ", ".join(f"{name} {text!r}" for name, text in zip(keys, key))
                raise TableFileError(f"{self.path}: expected a row for {missing}, got none")
            return first[key].cells[column]

        return of


def _counted(rows: list[list[str]] | None) -> Any:
    """Names to whole numbers, row by row."""
    return None if rows is None else [restricted_growth(row) for row in rows]


def text(market: Market, labels: MarketLabels, named: bool) -> bytes:
    """A separable market as CSV; `named`: with a column of the markets' names."""
    user, components = np.asarray(market.user), np.asarray(market.components)
    prior, available, weights = (np.asarray(a) for a in (market.prior, market.available, market.weights))
    knows = any(any(row) for row in market.user_sees)
    everything = tuple(range(market.states))
    blind = [j for j, row in enumerate(market.provider_sees) if row != everything]
    outcome = market.state_of != everything
    header = [*["market"] * named, "state", "user", "action", "prior", *["outcome"] * outcome, *["sees"] * knows]
    header += ["utility", *labels.providers, *[_WEIGHT + name for name in labels.providers]]
    lines = [header + [_SEES + labels.providers[j] for j in blind]]
    for b, x, i, a in np.argwhere(np.moveaxis(np.repeat(available[:, :, None], market.states, 2), 1, 2)).tolist():
        row = [labels.markets[b]] * named + [labels.states[x], labels.users[i], labels.actions[i][a], str(prior[b, x])]
        row += [str(market.state_of[x])] * outcome + [str(market.user_sees[i][x])] * knows
        values = [user[b, i, x, a], *components[b, :, i, x, a]]
        row += [_shown(int(v), market.resolution) for v in values]
        row += [_shown(int(w), market.weight_resolution) for w in weights[b, :, i]]
        lines.append(row + [str(market.provider_sees[j][x]) for j in blind])
    return csv_bytes(lines)


def _shown(value: int, steps: int) -> str:
    """`value / steps` as a decimal if it has one, else as a ratio."""
    exact = Fraction(value, steps)
    places = next((p for p in range(10) if 10**p % exact.denominator == 0), None)
    return str(exact) if places is None else decimal(int(exact * 10**places), places)
