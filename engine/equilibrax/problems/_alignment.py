"""Arrays that carry labels (pandas, xarray), brought into one order by these, and the labels that they had.

A pandas DataFrame has states as index and actions as columns, a Series has states as index; an xarray DataArray has
dims `table`, `provider`, `state`, `action`, or some of them. Neither library is imported. What has no labels is taken
by position, in the order of the others.

Letters: B tables, K providers, X states, A actions.
"""

from __future__ import annotations

import reprlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from equilibrax.problems._labels import Labels

_AXES = ("table", "provider", "state", "action")


@dataclass
class _Labelled:
    """Values with the names of some of their axes; the last axes are those of `dims`."""

    argument: str
    values: Any
    dims: tuple[str, ...] = ()
    names: dict[str, tuple[str, ...]] = field(default_factory=dict)


def aligned(
    user: Any, providers: Any, prior: Any, available: Any, labels: Labels | None, named: Mapping[str, Any]
) -> tuple[Any, Any, Any, Any, Labels | None]:
    """The arguments of `from_arrays` without labels, and these.

    Args:
        user: and the next three as in `from_arrays`.
        providers: or a mapping from names to `[X, A]` or `[B, X, A]`.
        prior: or None.
        available: or None.
        labels: or None.
        named: names by argument, or None: `states`, `actions`, `provider_names`.

    Raises:
        ValueError: if names differ between arguments, or are given twice.
    """
    given = {argument: names_given(argument, names) for argument, names in named.items() if names is not None}
    if labels is not None and given:
        raise ValueError(f"{next(iter(given))}: expected no names beside labels, got {reprlib.repr(given)}")
    parts = [_labelled("user", user, ("state", "action"))]
    if isinstance(providers, Mapping):
        given.setdefault("provider_names", names_given("providers", list(providers)))
        own = given["provider_names"]
        by_name = {str(name): value for name, value in providers.items()}
        _same("providers", "providers", own, tuple(by_name))
        parts += [_labelled(f"providers[{name!r}]", by_name[name], ("state", "action")) for name in own]
    elif providers is not None:
        parts.append(_labelled("providers", providers, ("provider", "state", "action")))
    last = len(parts)
    parts.append(_labelled("prior", prior, ("state",)))
    parts.append(_labelled("available", available, ("state", "action")))
    found = {axis: given[argument] for axis, argument in _ARGUMENTS.items() if argument in given}
    if labels is not None:
        found = {"state": labels.states, "action": labels.actions, "provider": labels.providers}
    for part in parts:
        for axis, names in part.names.items():
            found.setdefault(axis, names)
    arrays = [_ordered(part, found) for part in parts]
    if isinstance(providers, Mapping):
        providers = np.stack([np.asarray(array) for array in arrays[1:last]], axis=-3)
    else:
        providers = arrays[1]
    if labels is None and found:
        labels = _labels(
            found, arrays[0], providers, {axis: argument for axis, argument in _ARGUMENTS.items() if argument in given}
        )
    return arrays[0], providers, arrays[last], arrays[last + 1], labels


_ARGUMENTS = {"state": "states", "action": "actions", "provider": "provider_names"}


def names_given(argument: str, names: Any) -> tuple[str, ...]:
    """Names as texts, each once."""
    if isinstance(names, str) or not isinstance(names, Sequence | np.ndarray) or not len(names):
        raise ValueError(f"{argument}: expected a list of names, got {names!r}")
    texts = tuple(map(str, names))
    if len(set(texts)) < len(texts):
        raise ValueError(f"{argument}: expected every name once, got {reprlib.repr(list(texts))}")
    return texts


def _labelled(argument: str, value: Any, axes: tuple[str, ...]) -> _Labelled:
    if hasattr(value, "dims") and hasattr(value, "coords"):  # xarray
        dims = tuple(value.dims)
        if not set(dims) <= {"table", *axes} or not set(axes) <= set(dims):
            raise ValueError(f"{argument}: expected dims {', '.join(axes)} and perhaps table, got {list(dims)}")
        order = tuple(axis for axis in _AXES if axis in dims)
        names = {d: names_given(argument, value.coords[d].values.tolist()) for d in order if d in value.coords}
        return _Labelled(argument, value.transpose(*order).values, order, names)
    if hasattr(value, "index") and hasattr(value, "to_numpy") and not isinstance(value, list | tuple):  # pandas
        labels = (value.index, value.columns) if hasattr(value, "columns") else (value.index,)
        own = axes[-2:] if len(labels) == 2 else axes[-1:]
        if len(axes) != len(labels) or any(getattr(index, "nlevels", 1) > 1 for index in labels):
            raise ValueError(
                f"{argument}: expected labels of {' and '.join(axes)}, got a {type(value).__name__} with others; "
                f"a frame with a row per state and action goes into from_dataframe"
            )
        return _Labelled(
            argument, value.to_numpy(), own, {axis: names_given(argument, list(i)) for axis, i in zip(own, labels)}
        )
    if hasattr(value, "__dataframe__") or hasattr(value, "collect_schema"):  # polars and pyarrow have no row labels
        raise ValueError(
            f"{argument}: expected an array, or a DataFrame whose index names the states, got a {type(value).__name__}"
            f" without one; a frame with a row per state and action goes into from_dataframe"
        )
    return _Labelled(argument, value)


def _ordered(part: _Labelled, found: Mapping[str, tuple[str, ...]]) -> Any:
    """The values in the order of the names that were found."""
    values = part.values
    for axis, names in part.names.items():
        wanted = found[axis]
        _same(part.argument, axis, wanted, names)
        if wanted != names:
            place = {name: i for i, name in enumerate(names)}
            at = part.dims.index(axis) - len(part.dims)
            values = np.take(values, [place[name] for name in wanted], axis=at)
    return values


def _same(argument: str, axis: str, wanted: tuple[str, ...], came: tuple[str, ...]) -> None:
    if set(wanted) != set(came):
        what = axis if axis.endswith("s") else f"{axis}s"
        raise ValueError(
            f"{argument}: expected the {what} {reprlib.repr(list(wanted))}, in any order, "
            f"got {reprlib.repr(list(came))}"
        )


def _labels(found: dict[str, tuple[str, ...]], user: Any, providers: Any, given: Mapping[str, str]) -> Labels:
    """Names where there are some, numbers for the rest; those that are given as an argument must be as many."""
    shapes = np.shape(user), np.shape(providers)
    if len(shapes[0]) < 2 or len(shapes[1]) < 3:  # whoever checks shapes says so
        sizes = (0, 0, 0)
    else:
        sizes = (shapes[0][-2], shapes[0][-1], shapes[1][-3])
    for axis, size in zip(_AXES[2:] + _AXES[1:2], sizes):
        if axis in given and size not in (0, len(found[axis])):
            raise ValueError(f"{given[axis]}: expected {size} names, got {len(found[axis])}")
    default = [tuple(map(str, range(n))) for n in sizes[:2]] + [tuple(f"provider {j + 1}" for j in range(sizes[2]))]
    states, actions, names = (found.get(axis, own) for axis, own in zip(_AXES[2:] + _AXES[1:2], default))
    return Labels(states, actions, names, found.get("table", ()))


# --- dictionaries -----------------------------------------------------------------------------------------------------


def nested_arrays(data: Any) -> dict[str, Any]:
    """The arguments of `from_arrays` from nested dictionaries, as `from_dict` describes."""
    if not isinstance(data, Mapping) or not data:
        raise ValueError(f"data: expected a dictionary with user and providers, got {type(data).__name__}")
    several = "user" not in data
    tables = data if several else {"": data}
    for name, table in tables.items():
        where = f"data[{name!r}]" if several else "data"
        if not isinstance(table, Mapping) or not {"user", "providers"} <= set(table) <= {"user", "providers", "prior"}:
            came = list(table) if isinstance(table, Mapping) else type(table).__name__
            raise ValueError(f"{where}: expected user, providers and perhaps prior, got {reprlib.repr(came)}")
        for player, part in (("user", {"": table["user"]}), ("providers", table["providers"])):
            deep = isinstance(part, Mapping) and part and all(isinstance(p, Mapping) for p in part.values())
            if not deep or not all(isinstance(row, Mapping) for p in part.values() for row in p.values()):
                raise ValueError(f"{where}[{player!r}]: expected dictionaries of actions in one of states, got others")
    first = next(iter(tables.values()))
    states, names = tuple(map(str, first["user"])), tuple(map(str, first["providers"]))
    actions = tuple(dict.fromkeys(str(a) for table in tables.values() for row in table["user"].values() for a in row))
    shape = (len(tables), len(states), len(actions))
    players = np.full((1 + len(names), *shape), 0, object)
    there, prior = np.zeros((1 + len(names), *shape), bool), np.ones(shape[:2], object)
    for b, (name, table) in enumerate(tables.items()):
        where = f"data[{name!r}]" if several else "data"
        _same(f"{where}['providers']", "providers", names, tuple(map(str, table["providers"])))
        own = {str(key): value for key, value in table["providers"].items()}
        for p, player in enumerate([table["user"], *(own[j] for j in names)]):
            at = f"{where}['user']" if p == 0 else f"{where}['providers'][{names[p - 1]!r}]"
            _same(at, "states", states, tuple(map(str, player)))
            for state, row in player.items():
                for action, value in row.items():
                    if str(action) not in actions:
                        raise ValueError(f"{at}: expected the user's actions {list(actions)}, got {action!r}")
                    place = (p, b, states.index(str(state)), actions.index(str(action)))
                    players[place], there[place] = value, True
        if (there[1:, b] != there[0, b]).any():
            j, x, a = np.argwhere(there[1:, b] != there[0, b])[0].tolist()
            raise ValueError(
                f"{where}['providers'][{names[j]!r}]: expected the actions that the user has in every state, got "
                f"others in state {states[x]!r} ({actions[a]!r})"
            )
        if "prior" in table:
            weights = {str(key): value for key, value in table["prior"].items()}
            _same(f"{where}['prior']", "states", states, tuple(weights))
            prior[b] = [weights[x] for x in states]
    labels = Labels(states, actions, names, tuple(map(str, tables)) if several else ())
    return {
        "user": players[0], "providers": np.moveaxis(players[1:], 0, 1), "prior": prior, "available": there[0],
        "labels": labels,
    }  # fmt: skip
