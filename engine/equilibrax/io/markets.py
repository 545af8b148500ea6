"""Markets from files and to files: CSV for people, NPZ for programs.

A CSV file has a header and one row per state, user and action:

    state,user,action,utility,Ann,Bob,weight:Ann,weight:Bob
    rain,Carol,umbrella,1,0.2,0.9,1/3,2/3
    rain,Carol,none,0,0.8,0.1,1/3,2/3
    sun,Carol,umbrella,0.3,0.2,1,1/3,2/3
    sun,Carol,none,1,0.9,0,1/3,2/3
    rain,Dave,walk,0,0.5,0.5,1,0
    sun,Dave,walk,1,0.5,0.5,1,0

`state`, `user`, `action` and `utility` (the user's) are required. Every column that is not named here is a provider,
1 to 16 of them, in column order; its numbers are the component F_ji(a, x), what it has from this user's action.

Optional columns:

| column | what it says | constant within | without it |
|---|---|---|---|
| `weight:PROVIDER` | lambda_ji, how much the provider cares for this user | market, user | 1 |
| `prior` | weight of the state, of any scale | market, state | uniform |
| `sees` | what the user observes on her own, any text | user, state | nothing |
| `sees:PROVIDER` | what the provider observes, any text | state | the state |
| `outcome` | the outcome y that utilities depend on, any text | state | each state its own |
| `market` | the market's name, where a file holds several | | one market, named after the file |

Users have their own actions; each action of a user has a row in every state. Names are numbered in order of first
appearance. Numbers are decimals or ratios such as 2/3 and are read exactly: utilities are rounded once to the
resolution, half to even, and weights are kept as they are. UTF-8, commas (or `sep`), quotes where needed; blank lines,
and lines before the header that start with `#`, are ignored.

A Parquet file, or a CSV packed as `.csv.gz`, has the same columns. Columns that look like row numbers (`Unnamed: 0`,
`index`, `id`, no name) are refused unless `ignore` or `providers` says what they are, and so are names of states, users
and so on that differ only by case, blanks or Unicode normalization.

An NPZ holds the arrays of `separable_market` (`user`, `components`, `weights`) or `general_market` (`user`, `tensor`),
with or without a batch axis; optionally `prior`, `available`, `provider_sees`, `user_sees`, `state_of`, and the strings
`state_names` `[X]`, `user_names` `[N]`, `provider_names` `[K]`, `action_names` `[N, A]` (empty where a user has fewer)
and `market_names` `[B]`. With the scalar integers `resolution` and `weight_resolution` all numbers are integers and the
fixed-point values themselves.

Letters: B markets, N users, K providers, X states, A actions.
"""

from __future__ import annotations

import os
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np

from equilibrax._core.checks import expect, positive_int
from equilibrax._core.fixed_point import DEFAULT_RESOLUTION
from equilibrax.io import _market_csv as csv_format
from equilibrax.io.files import (
    READABLE,
    TableFileError,
    check_same,
    fitting,
    load_arrays,
    names_of,
    naming,
    npz_bytes,
    read_bytes,
    step_of,
    suffix_of,
)
from equilibrax.io.names import check_different, reading, refuse_reading
from equilibrax.io.tables import _write_whole
from equilibrax.problems.market import Market, MarketLabels, general_market, separable_market

_SIGHTS = ("provider_sees", "user_sees", "state_of")
_NUMERIC = ("user", "components", "weights", "tensor", "prior", "available", *_SIGHTS)
_STEPS = ("resolution", "weight_resolution")
_NAMES = ("state_names", "user_names", "provider_names", "action_names", "market_names")
_ARRAYS = (*_NUMERIC, *_STEPS, *_NAMES)


def read_market(
    path: str | os.PathLike[str],
    *,
    resolution: int | None = None,
    weight_resolution: int | None = None,
    providers: Sequence[str] | None = None,
    ignore: Sequence[str] = (),
    sep: str = ",",
    decimal: str = ".",
) -> Market:
    """Markets from a `.csv`, `.csv.gz`, `.parquet` or `.npz` file, in the format of this module's documentation.

    What was read is logged, a line at level INFO of the logger `equilibrax.io`.

    Args:
        path: the file; its suffix says the format.
        resolution: steps per unit of utility; None is the smallest power of ten of at least 10,000 that represents the
            utilities, as for `from_arrays`. An NPZ that holds a `resolution` keeps its own.
        weight_resolution: steps per unit of weight; None: for a CSV the fewest that hold all weights exactly, for an
            NPZ as for `separable_market`.
        providers: columns that are the providers, in this order; None for all columns without another meaning.
        ignore: columns that are left out.
        sep: what is between fields of a CSV: a comma, ";", "|", or a tab, for which `tab` stands, too.
        decimal: what numbers have between whole and part, "." or ",".

    Returns:
        The file's markets as one batch; `market_id` is the position in the file. Markets of a CSV carry labels.

    Raises:
        TableFileError: a `ValueError` naming the file, the line and column or the array, what was expected and what
            came.
        ValueError: if a resolution is not a positive whole number.

    Example:
        >>> import pathlib, tempfile
        >>> import equilibrax as eq
        >>> rows = "state,user,action,utility,Ann,weight:Ann", "rain,Carol,go,0.25,1,2/3", "sun,Carol,go,1,1,2/3"
        >>> with tempfile.TemporaryDirectory() as folder:
        ...     path = pathlib.Path(folder, "weather.csv")
        ...     _ = path.write_text("\\n".join(rows))
        ...     market = eq.read_market(path)
        >>> market.user.tolist(), market.weights.tolist(), market.weight_resolution, market.labels.users
        ([[[[2500], [10000]]]], [[[2]]], 3, ('Carol',))
    """
    if resolution is not None:
        resolution = positive_int("resolution", resolution)
    if weight_resolution is not None:
        weight_resolution = positive_int("weight_resolution", weight_resolution)
    path, how = Path(path), reading(providers, ignore, sep, decimal)
    if suffix_of(path, READABLE) == ".npz":
        refuse_reading(path, how)
        return _from_npz(read_bytes(path), path, resolution, weight_resolution)
    return csv_format.parse(read_bytes(path), path, resolution, weight_resolution, how)


def write_market(market: Market, path: str | os.PathLike[str]) -> None:
    """Write markets to a `.csv` or `.npz` file that reads back to the same markets; inverse of `read_market`.

    A CSV is read back with the market's own `resolution` and `weight_resolution`; it holds the prior in lowest terms,
    and numbers in place of missing names. Neither format holds ids, family and seed. The bytes are read back and
    compared before they are written; the file appears whole or not at all.

    Args:
        market: B markets.
        path: the file, replaced if it exists; its suffix says the format.

    Raises:
        TableFileError: if the path cannot be written, or the format cannot hold the markets exactly. A CSV holds
            separable markets whose names differ and appear in their order.

    Example:
        >>> import pathlib, tempfile
        >>> import equilibrax as eq
        >>> market = eq.problems.theorem_4_1_market()
        >>> with tempfile.TemporaryDirectory() as folder:
        ...     eq.write_market(market, pathlib.Path(folder, "market.csv"))
        ...     again = eq.read_market(pathlib.Path(folder, "market.csv"))
        >>> bool((again.components == market.components).all()), again.labels.actions[0]
        (True, ('1', '2', '3', 'abstain'))
    """
    expect("market", market, Market)
    path = Path(path)
    suffix = suffix_of(path)
    with fitting(suffix, "markets"):
        if suffix == ".csv":
            if not market.separable:
                raise TableFileError(f"{path}: expected a separable market, got a general one")
            prior = np.asarray(market.prior)
            labels = _full_labels(market, path.stem)
            expected = replace(market, prior=prior // np.gcd.reduce(prior, axis=1, keepdims=True), labels=labels)
            data = csv_format.text(market, labels, labels.markets != (path.stem,))
            again = csv_format.parse(data, path, market.resolution, market.weight_resolution)
        else:
            names = tuple(market.names()) if market.labels and market.labels.markets else ()
            expected = replace(market, labels=market.labels and replace(market.labels, markets=names))
            data = _to_npz(expected)
            again = _from_npz(data, path, market.resolution, market.weight_resolution)
        arrays = ("user", "components", "weights", "tensor", "prior", "available")
        check_same(path, again, expected, (*arrays, *_SIGHTS, *_STEPS, "labels"))
    _write_whole(path, data)


def _full_labels(market: Market, stem: str) -> MarketLabels:
    """The market's labels without gaps, with the names of this batch of markets."""
    numbers = tuple(str(a) for a in range(market.actions))
    labels = market.labels or MarketLabels(
        market.state_names(), market.user_names(), market.provider_names(), (numbers,) * market.users
    )
    actions = tuple(names + numbers[len(names) :] for names in labels.actions)
    actions = tuple(
        tuple(name for name, there in zip(names, row) if there) for names, row in zip(actions, _ever(market))
    )
    named = bool(labels.markets)
    names = market.names() if named else [f"{name} {i}" for i, name in enumerate(market.names())]
    return replace(labels, actions=actions, markets=tuple(names) if named or len(names) > 1 else (stem,))


# --- NPZ --------------------------------------------------------------------------------------------------------------


def _from_npz(data: bytes, path: Path, resolution: int | None, weight_resolution: int | None) -> Market:
    arrays = load_arrays(data, path, _ARRAYS, _utilities)
    if "tensor" in arrays and ("components" in arrays or "weights" in arrays):
        raise TableFileError(f"{path}: expected either a tensor, or components and weights, got both")
    given: dict[str, Any] = {key: arrays.get(key) for key in ("prior", "available", *_SIGHTS)}
    general = "tensor" in arrays
    values = {key: arrays[key] for key in _utilities(arrays)}
    with naming(path):
        if "resolution" in arrays:
            resolution = step_of("resolution", arrays["resolution"])
            weight_resolution = weight_resolution or DEFAULT_RESOLUTION
            if "weight_resolution" in arrays:
                weight_resolution = step_of("weight_resolution", arrays["weight_resolution"])
            for key, value in values.items():
                if value.dtype.kind not in "iu":
                    raise ValueError(f"{key}: expected whole numbers beside a resolution, got {value.dtype}")
                values[key] = value / (weight_resolution if key == "weights" else resolution)
        if general:
            market = general_market(**values, **given, resolution=resolution)
        else:
            market = separable_market(**values, **given, resolution=resolution, weight_resolution=weight_resolution)
        return (
            market
            if not any(key in arrays for key in _NAMES)
            else replace(market, labels=_labels(arrays, market, path))
        )


def _utilities(arrays: dict[str, Any]) -> tuple[str, ...]:
    """The arrays of utilities, general or separable."""
    return ("user", "tensor") if "tensor" in arrays else ("user", "components", "weights")


def _labels(arrays: dict[str, np.ndarray], market: Market, path: Path) -> MarketLabels:
    b, n, a = np.asarray(market.available).shape
    numbers = np.array([[str(k) for k in range(a)]] * n)
    shapes = {"state_names": (market.states,), "user_names": (n,), "provider_names": (market.num_providers,)}
    shapes |= {"action_names": (n, a), "market_names": (b,)}
    default: dict[str, Any] = {
        "state_names": market.state_names(),
        "user_names": market.user_names(),
        "provider_names": market.provider_names(),
        "action_names": numbers,
        "market_names": (),
    }
    found = {key: names_of(arrays, key, shape, default[key]) for key, shape in shapes.items()}
    actions = tuple(tuple(name for name in row if name) for row in found["action_names"])
    states, users, providers, markets = (tuple(found[key]) for key in shapes if key != "action_names")
    for kind, own in zip(("state_names", "user_names", "provider_names"), (states, users, providers)):
        check_different(f"{path}: {kind}", own)
    for user, own in zip(users, actions):
        check_different(f"{path}: action_names of {user!r}", own)
    labels = MarketLabels(states, users, providers, actions, markets)
    least = [int(np.nonzero(row)[0].max()) + 1 for row in _ever(market)]
    for names, needed, user in zip(actions, least, users):
        if len(names) < needed:
            raise ValueError(f"action_names: expected {needed} names for {user!r}, got {len(names)}")
    return labels


def _to_npz(market: Market) -> bytes:
    utilities = _utilities({} if market.separable else {"tensor": market.tensor})
    arrays: dict[str, Any] = {key: np.asarray(getattr(market, key)) for key in (*utilities, "prior", "available")}
    arrays |= {key: np.array(getattr(market, key)) for key in _SIGHTS}
    arrays |= {key: np.int64(getattr(market, key)) for key in _STEPS}
    if market.labels:
        labels = market.labels
        padded = [list(names) + [""] * (market.actions - len(names)) for names in labels.actions]
        names = (labels.states, labels.users, labels.providers, padded, labels.markets)
        arrays |= {key: np.array(value, np.str_) for key, value in zip(_NAMES, names) if len(value)}
    return npz_bytes(arrays)


def _ever(market: Market) -> np.ndarray:
    """`[N, A]`, which actions a user has in some market."""
    return np.asarray(np.asarray(market.available).any(axis=0))
