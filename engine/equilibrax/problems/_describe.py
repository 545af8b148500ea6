"""What a batch holds, in a few lines: sizes, names, missing actions, ties, resolution, ranges; and one of it in full.

Letters: B tables, K providers, X states, A actions.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from itertools import islice
from typing import Any

import numpy as np

from equilibrax._core.text import html_table, plain

_NAMES = 8  # names that are shown
_LINES = 24  # of a problem in a notebook


class Description(dict[str, Any]):
    """What `describe` found, by name; printed as a line for each.

    Example:
        >>> import equilibrax as eq
        >>> eq.load_paper_table("synthetic-2").describe()["ties"]
        {'user': 0.0, 'AI 1': 0.0, 'AI 2': 0.0, 'AI 3': 0.0, 'AI 4': 0.0, 'AI 5': 0.0}
    """

    def __repr__(self) -> str:
        width = max(map(len, self), default=0)
        return "\n".join(f"{name:<{width}}  {_shown(value)}" for name, value in self.items())

    __str__ = __repr__

    def __or__(self, more: Any) -> Description:
        return Description({**self, **more})

    def _repr_html_(self) -> str:
        return html_table((name, _shown(value)) for name, value in self.items())


def describe(
    what: str,
    sizes: Mapping[str, int],
    names: Mapping[str, Sequence[str]],
    players: Mapping[str, np.ndarray],
    available: np.ndarray,
    steps: Any,
    weights: np.ndarray | None,
) -> Description:
    """A description.

    Args:
        what: what one of the batch is called.
        sizes: by their words.
        names: by what they are of.
        players: whole numbers in steps of utility by player, `[..., A]`.
        available: the same shape, or one that broadcasts to it: which actions exist.
        steps: per unit of utility; broadcasts to the same shape.
        weights: `[B, X]` of the states, or None where there are none.
    """
    found = Description()
    found[what] = counted(sizes)
    found.update({kind: tuple(own) for kind, own in names.items()})
    found["missing actions"] = float(1 - np.mean(available)) if available.size else 0.0
    ties, ranges = {}, {}
    for name, values in players.items():
        values = np.asarray(values).astype(np.int64)
        there = np.broadcast_to(available, values.shape)
        lowest = np.iinfo(np.int64).min
        best = np.where(there, values, lowest).max(axis=-1, keepdims=True, initial=lowest)
        tied = ((values == best) & there).sum(axis=-1) > 1
        ties[name] = float(tied.mean()) if tied.size else 0.0
        real = (values / steps)[there]
        ranges[name] = (float(real.min()), float(real.max())) if real.size else (0.0, 0.0)
    found["ties"] = ties  # share of states with several best actions
    found["ranges"] = ranges
    if weights is not None and weights.size:
        shares = weights / weights.sum(axis=1, keepdims=True)
        found["prior"] = (float(shares.min()), float(shares.max()))
    return found


def counted(sizes: Mapping[str, int]) -> str:
    """Sizes in words.

    Example:
        >>> counted({"tables": 1, "states": 3})
        '1 table, 3 states'
    """
    return ", ".join(f"{n:,} {word if n != 1 else word.removesuffix('s')}" for word, n in sizes.items())


def html_of(
    name: str,
    along: Sequence[tuple[str, Sequence[Any]]],
    players: Mapping[str, np.ndarray],
    available: np.ndarray,
    steps: Any,
) -> str:
    """A problem for a notebook: a line for every action that exists, with its utilities; the first lines, if many.

    Args:
        name: the problem's.
        along: what every axis is of, and the names along it; of the last axis perhaps for every place of the first.
        players, available, steps: of one problem, as in `describe`.
    """
    numbers = {player: values.astype(np.int64) / steps for player, values in players.items()}
    shape = np.broadcast_shapes(*(values.shape for values in numbers.values()), available.shape)
    there = np.broadcast_to(available, shape)
    columns = [np.broadcast_to(values, shape) for values in numbers.values()]

    def named(at: tuple[int, ...]) -> list[Any]:
        last = along[-1][1]
        own = last if isinstance(last[0], str) else last[at[0]]
        return [*(names[i] for (_, names), i in zip(along[:-1], at)), own[at[-1]]]

    first = islice((at for at in np.ndindex(*shape) if there[at]), _LINES)
    lines = [[*named(at), *(f"{values[at]:.6g}" for values in columns)] for at in first]
    head = [*(kind for kind, _ in along), *numbers]
    right = [False] * len(along) + [True] * len(columns)
    rest = int(there.sum()) - len(lines)
    return html_table(lines, head=head, caption=name, right=right) + (f"<p>{rest:,} more lines</p>" if rest else "")


def _shown(value: Any) -> str:
    if isinstance(value, Mapping):
        parts = [f"{plain(name)} {_shown(part)}" for name, part in value.items()]
        return _listed(parts)
    if isinstance(value, tuple) and value and isinstance(value[0], float):
        return f"{value[0]:g} to {value[1]:g}" if value[0] != value[1] else f"{value[0]:g}"
    if isinstance(value, tuple):
        return _listed([plain(name) for name in value])
    if isinstance(value, float):
        return f"{100 * value:.3g} %"
    return f"{value:,}" if isinstance(value, int) else plain(value)


def _listed(parts: Sequence[str]) -> str:
    return ", ".join(parts[:_NAMES]) + (f" and {len(parts) - _NAMES:,} more" if len(parts) > _NAMES else "")
