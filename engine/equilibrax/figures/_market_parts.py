"""Rows of markets as figures take them, and what those figures have in common: people, their names, games and notes."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import pyarrow as pa
from matplotlib.axes import Axes
from matplotlib.ticker import MaxNLocator, ScalarFormatter

import equilibrax.figures._drawing as draw

MAX_LINES = 24
"""More users (of all markets) than this are pooled."""

MARKET_NAMES = ("market_name", "user_name")
"""Optional columns of rows with the names that figures show."""

DARK = "#444444"
POINTS = {"linestyle": "", "marker": "o", "markersize": 2.8, "markeredgewidth": 0, "alpha": 0.45, "zorder": 3}
LONGEST = 36
"""Letters of a name beside a panel."""
NEEDED = ("market", "family", "game", "user", "worst_utility", "best_utility", "benchmark", "bound", "committee_size")
"""Columns of rows of users that figures need."""

_COLOURS = {"personalized": draw.BLUE, "anonymous": draw.VERMILLION}


@dataclass(frozen=True)
class Rows:
    """Columns of result rows as arrays, and the games in them, each with its lambda where users are quantal."""

    columns: dict[str, np.ndarray]
    games: list[str]

    def __getitem__(self, name: str) -> np.ndarray:
        return self.columns[name]

    def only(self, keep: np.ndarray) -> Rows:
        return Rows({name: values[keep] for name, values in self.columns.items()}, self.games)


def read_rows(rows: pa.Table, columns: tuple[str, ...]) -> Rows:
    """Columns as arrays; a game for each lambda.

    Raises:
        ValueError: if a column is absent.
    """
    absent = [name for name in columns if name not in rows.column_names]
    if absent:
        raise ValueError(f"rows: expected columns {', '.join(absent)}; got {', '.join(rows.column_names)}")
    columns += tuple(name for name in MARKET_NAMES if name in rows.column_names)
    found = {name: rows[name].to_numpy(zero_copy_only=False) for name in columns}
    for name in ("worst_utility", "best_utility", "benchmark", "bound", "worst_before", "worst_after"):
        if name in found:
            found[name] = np.asarray(found[name], np.float64)
    if "rationality" in rows.column_names:
        values = np.asarray(rows["rationality"].to_numpy(zero_copy_only=False), np.float64)
        names = {v: f", λ = {v:g}".replace("inf", "∞") for v in np.unique(values[~np.isnan(values)])}
        if names:
            found["game"] = np.array([g + names.get(v, "") for g, v in zip(found["game"], values)], object)
    return Rows(found, list(dict.fromkeys(found["game"].tolist())))


def require(shown: Rows, what: str) -> Rows:
    """The rows, if there are any.

    Raises:
        ValueError: saying what is missing.
    """
    if not len(shown["user"]):
        raise ValueError(f"rows: expected rows with {what}, got none")
    return shown


def say_if_empty(panel: Axes, mine: Rows) -> None:
    """A game without rows keeps its panel, which says why it is empty."""
    if not len(mine["user"]):
        panel.text(0.5, 0.5, "no equilibrium", transform=panel.transAxes, ha="center", va="center", color=draw.GREY)


def footnote(shown: Rows, every: Rows, what: str = "an equilibrium and a benchmark") -> str:
    """The footnote."""
    markets = len({(f, m) for f, m in zip(shown["family"].tolist(), shown["market"].tolist())})
    people = len(people_of(shown))
    note = f"{counted(markets, 'market')}, {counted(people, 'user')}."
    sizes = np.unique(shown["committee_size"])
    note += f" All {sizes[0]} providers are in the market." if len(sizes) == 1 and sizes[0] > 1 else ""
    return note + left_out(shown, every, what)


def left_out(shown: Rows, every: Rows, what: str) -> str:
    """How many rows of which game are not shown, as they lack something."""
    lost = {game: int((every["game"] == game).sum() - (shown["game"] == game).sum()) for game in every.games}
    each = " and ".join(f"{number:,} of {game}" for game, number in lost.items() if number)
    return f" {counted(sum(lost.values()), 'row')} left out without {what}: {each}." if each else ""


def counted(number: int, noun: str) -> str:
    """A number with its noun."""
    return f"{number:,} {noun}{'' if number == 1 else 's'}"


def _person(rows: Rows) -> np.ndarray:
    """A user of a market, as one object for each row."""
    people = np.empty(len(rows["user"]), object)
    people[:] = list(zip(rows["family"].tolist(), rows["market"].tolist(), rows["user"].tolist()))
    return people


def is_person(rows: Rows, person: tuple) -> np.ndarray:
    """Which rows are of a user."""
    family, market, user = person
    return (rows["family"] == family) & (rows["market"] == market) & (rows["user"] == user)


def people_of(rows: Rows) -> list[tuple]:
    """Users, of several markets too, in the order of the rows."""
    return list(dict.fromkeys(_person(rows).tolist()))


def names_of(rows: Rows, people: list[tuple], users: Sequence[str]) -> list[str]:
    """Of users: as given, else as their rows have them; with the names of markets, if there are several."""
    ambiguous = len({person[1] for person in people if person[0] == people[0][0]}) > 1
    markets = [f"{family} {number}" if ambiguous else str(family) for family, number, _ in people]
    known = [f"user {i + 1}" for _, _, i in people]
    for column, names in (("market_name", markets), ("user_name", known)):
        own = dict(zip(_person(rows).tolist(), rows[column].tolist())) if column in rows.columns else {}
        names[:] = [own.get(person) or name for person, name in zip(people, names)]
    known = [str(users[person[2]]) if person[2] < len(users) else name for person, name in zip(people, known)]
    several = len({person[:2] for person in people}) > 1
    return [f"{market}, {user}" if several else user for market, user in zip(markets, known)]


def colour_of(game: str) -> str:
    """The colour of a game."""
    return _COLOURS.get(game.split(",")[0], draw.GREY)


def utility_axis(panel: Axes) -> None:
    """Few ticks, and numbers in full."""
    panel.xaxis.set_major_locator(MaxNLocator(4, steps=[1, 2, 2.5, 5, 10]))
    panel.xaxis.set_major_formatter(ScalarFormatter(useOffset=False))


def name_rows(panel: Axes, names: list[str]) -> None:
    """Names of users at the left, with a line for each."""
    panel.set_yticks(range(len(names)), names)
    panel.set_ylim(len(names) - 0.4, -0.6)
    panel.tick_params(axis="y", length=0)
    for row in range(len(names)):
        panel.axhline(row, color="#EEEEEE", linewidth=0.6, zorder=0)
