"""What families of random problems look like: a panel for every family of a kind, or for one of them alone."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
from matplotlib.figure import Figure

import equilibrax.figures._drawing as draw
from equilibrax._core.checks import check_choice
from equilibrax._core.text import plain
from equilibrax.studies import Family, catalog
from equilibrax.theory import value_of_information

Pairs = tuple[Any, Any]


def _tables(tables: Any) -> Pairs:
    user = np.broadcast_to(tables.user[:, None], tables.providers.shape)
    return user / tables.resolution, tables.providers / tables.resolution


def _markets(markets: Any) -> Pairs:
    user = np.broadcast_to(markets.user[:, None], markets.components.shape)
    return user / markets.resolution, markets.components / markets.resolution


def _games(games: Any) -> Pairs:
    return games.payoffs[:, 0] / games.resolution, games.payoffs[:, 1] / games.resolution


def _problems(problems: Any) -> Pairs:
    worth = value_of_information(problems, sets=[1, (1 << problems.num_items) - 1]).experiment
    return worth[:, 0], worth[:, 1]


def _raters(raters: Any) -> Pairs:
    return np.broadcast_to(raters.targets[:, :1], raters.ratings.shape), raters.ratings


def _answers(answers: Any) -> Pairs:
    shape = (answers.users.shape[0], answers.models.shape[0], *answers.users.shape[1:])
    return np.broadcast_to(answers.users[:, None], shape), np.broadcast_to(answers.models[None], shape)


_SHOWN: dict[str, tuple[dict[str, Any], str, str, Callable[[Any], Pairs]]] = {
    "tables": ({"count": 1000}, "utility of the user", "utility of a provider", _tables),
    "markets": ({"count": 500}, "utility of a user", "what it is worth to a provider", _markets),
    "games": ({"count": 1500}, "payoff of the first player", "payoff of the second", _games),
    "problems": ({"count": 3000, "states": 8, "items": 3}, "worth of the first item", "worth of all items", _problems),
    "raters": ({"items": 600, "raters": 24}, "rating of the user", "rating of a rater", _raters),
    "answers": ({"questions": 600}, "chance of an answer, people", "chance of it, models", _answers),
}
"""By kind: what is drawn of its families more than in their examples, and which two numbers of it go together how."""


def family_figure(name: str, path: draw.Target = None) -> Figure:
    """How two numbers of a random problem go together, with a panel for every family of a kind: the darker, the more.

    Or for one family alone, a panel for each kind that has one of its name.

    Of tables and markets these are what the same action is worth to a user and to a provider; of games in normal form,
    what a profile gives the first and the second player; of decision problems, what the first item of information and
    all of them are worth to a Bayesian; of raters and answers, what users and raters, or models, say. Parameters are
    those of the family's example.

    Args:
        name: "tables", "markets", "games", "problems", "raters" or "answers"; or the name of a family.
        path: a file to write (.png, .svg, .pdf), a Figure or SubFigure to draw into, or None for a new Figure.

    Raises:
        ValueError: on another name, or if `path` ends in no format.

    Example:
        >>> import equilibrax as eq
        >>> figure = eq.figures.family_figure("markets")
        >>> [panel.get_title() for panel in figure.axes[:3]]
        ['weak (error=0.05)', 'strong (error=0.05)', 'none (error=0.05)']
        >>> [panel.get_title() for panel in eq.figures.family_figure("near_hull").axes]
        ['near_hull (misalignment=0.05)']
    """
    known = catalog()
    families = [one for one in known if one.kind == name] or [one for one in known if one.name == name]
    check_choice("name", name, (*_SHOWN, *dict.fromkeys(one.name for one in known)) if not families else (name,))
    note = "Density of all pairs in random problems; the seed is 0, and every panel has its own scale of darkness."
    size: dict[str, Any] = (
        {"panel_width": 2.0, "height": 1.9} if len(families) > 1 else {"panel_width": 4.2, "height": 3.2}
    )
    with draw.page(path, len(families), note, columns=min(4, len(families)), **size) as (figure, panels):
        for panel, family in zip(panels, families):
            more, x, y, pairs = _SHOWN[family.kind]
            across, up = (np.ravel(part) for part in pairs(family.draw(**{**family.arguments, **more})))
            there = np.isfinite(across) & np.isfinite(up)
            for values, limit in ((across[there], panel.set_xlim), (up[there], panel.set_ylim)):
                low, high = float(values.min()), float(values.max())
                margin = 0.02 * (high - low) or 0.5
                limit(low - margin, high + margin)
            draw.density(panel, across[there], up[there])
            title = _title(family)
            if len({one.kind for one in families}) > 1:  # as `uniform`, of tables and of decision problems
                title = f"{family.kind}: {title}"
                panel.set(xlabel=x, ylabel=y)
            panel.set_title(title, fontsize="small")
        if len({one.kind for one in families}) == 1:
            draw.axis_labels(panels, *_SHOWN[families[0].kind][1:3])
    return figure


def _title(family: Family) -> str:
    own = ", ".join(f"{name}={family.arguments[name]:g}" for name in family.parameters if _is_number(family, name))
    return plain(f"{family.name} ({own})" if own and len(own) < 24 else family.name)


def _is_number(family: Family, name: str) -> bool:
    return isinstance(family.arguments[name], float)
