"""Families of random utility tables, reproducible to the bit.

A table is a function of the family (its name and version), the seed, the table's 64-bit id, the sizes, the
resolution and the family's parameters, and of nothing else: it has the same bits in any batch, shard, process
and JAX version and on any device. So table 7,000,000,123 of a study can be drawn again alone, and shards need
not talk to each other.

The built-in families, with R = `resolution`, all but `senders` with a uniform prior, all with all actions (2509.15090,
Definition 1, Remark 1 and Appendix A; the constructions are in `equilibrax_kernels.families`):

| family | what it is | parameters | utilities |
|---|---|---|---|
| `uniform` | user and providers independent | | 0..1 |
| `noisy` | providers = user + independent noise of mean zero (Appendix A) | `noise` | 0..1 |
| `biased` | the same with noises that are correlated between providers | `noise`, `correlation` | 0..1 |
| `systematic` | providers = user + a bonus for a favourite action | `bonus` | 0..1 + bonus |
| `hull` | user = weighted average of the providers + offset: misalignment 0 | | 0..1 |
| `near_hull` | the same + noise on the user: at most the given misalignment | `misalignment` | 0..1 |
| `zero_sum` | providers = user + terms that sum to zero over providers | `spread` | -spread..1 + spread |
| `senders` | as `uniform`, with a random prior: weights of states uniform on 1..100 | | 0..1 |

Parameters that are utilities are rounded to the nearest multiple of `1 / resolution`. `register_family` adds
a family.
"""

from __future__ import annotations

import inspect
import math
from collections import Counter
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from functools import partial
from typing import Any
from zlib import crc32

import jax
import jax.numpy as jnp
import numpy as np
from equilibrax_kernels import random_tables as kernels
from equilibrax_kernels.cpu.threads import run_over_tables
from equilibrax_kernels.host_keys import host_table_keys

from equilibrax._core.batching import cores
from equilibrax._core.checks import INT32_MAX, check_whole, shown
from equilibrax._core.compile_cache import jit
from equilibrax.problems.tables import MAX_PROVIDERS, MAX_VALUE, UtilityTables, from_integers, table_id_words

_INT64_MAX = 2**63 - 1
_WORDS_IN_CACHE = 2**14  # that NumPy draws at a time
_WORTH_COMPILING = 2**22
"""Utilities of one size that NumPy draws, in a quarter of a second, before a compiler takes one second or more."""

_drawn: Counter[Any] = Counter()  # of them, by kernel and sizes


@dataclass(frozen=True)
class _Parameter:
    """A real parameter in 0..`high`, and the integer that the kernel takes for it."""

    default: float
    high: float
    integer: Callable[[float, int], int]


@dataclass(frozen=True)
class _BuiltIn:
    """A family with a kernel of integers; `parameters` are in the order of the kernel's arguments."""

    name: str
    kernel: Callable[..., tuple[kernels.Array, kernels.Array]]
    description: str
    source: str
    parameters: Mapping[str, _Parameter] = field(default_factory=dict)
    widened_by: str = ""  # the parameter by which utilities exceed 0..R
    least_resolution: int = 1
    prior: Callable[..., kernels.Array] | None = None  # of the kernels; None is uniform
    version: int = 1

    @property
    def defaults(self) -> dict[str, Any]:
        return {name: parameter.default for name, parameter in self.parameters.items()}


@dataclass(frozen=True, eq=False)
class _Own:
    """A family that a user has registered. Equal to itself alone, as befits a constant under jit."""

    name: str
    function: Callable[..., Any]
    description: str
    defaults: dict[str, Any]
    version: int
    takes_resolution: bool
    source: str = "its author"


def _steps(value: float, resolution: int) -> int:
    return round(value * resolution)


def _root(value: float, resolution: int) -> int:
    return round(math.sqrt(value) * 2**31)


_NOISE = _Parameter(0.5, 0.5, _steps)

_BUILT_IN = {
    family.name: family
    for family in (
        _BuiltIn(
            "uniform",
            kernels.uniform,
            "user and providers independent, all utilities uniform",
            "2509.15090, Section 7.1",
        ),
        _BuiltIn(
            "noisy",
            kernels.noisy,
            "user uniform, providers = user + independent noise of mean zero",
            "2509.15090, Appendix A",
            {"noise": _NOISE},
        ),
        _BuiltIn(
            "biased",
            kernels.biased,
            "as noisy, with noises that are correlated between providers",
            "2509.15090, Appendix A, without its independence",
            {"noise": _NOISE, "correlation": _Parameter(0.5, 1.0, _root)},
        ),
        _BuiltIn(
            "systematic",
            kernels.systematic,
            "user uniform, providers = user + a bonus for a favourite action",
            "2509.15090, Remark 1",
            {"bonus": _Parameter(0.3, math.inf, _steps)},
            widened_by="bonus",
        ),
        _BuiltIn(
            "hull",
            kernels.hull,
            "user = weighted average of uniform providers + offset, exactly",
            "2509.15090, Definition 1 with epsilon = 0",
            least_resolution=kernels.HULL_WEIGHTS_SUM - 1,
        ),
        _BuiltIn(
            "near_hull",
            kernels.near_hull,
            "as hull, with noise of mean zero on the user",
            "2509.15090, Definition 1",
            {"misalignment": _Parameter(0.05, 0.5, _steps)},
            least_resolution=kernels.HULL_WEIGHTS_SUM - 1,
        ),
        _BuiltIn(
            "zero_sum",
            kernels.zero_sum,
            "user uniform, providers = user + terms that sum to zero over providers",
            "2509.15090, Remark 1",
            {"spread": _Parameter(0.3, math.inf, _steps)},
            widened_by="spread",
        ),
        _BuiltIn(
            "senders",
            kernels.senders,
            "user and providers independent, all utilities uniform, and a random prior",
            "Hossain et al., 2402.04971, for its utilities; the prior is of equilibrax",
            prior=kernels.random_prior,
        ),
    )
}

_OWN: dict[str, _Own] = {}


def families() -> dict[str, str]:
    """The families that `sample_tables` knows: name to a one-line description, parameters and their defaults.

    Example:
        >>> import equilibrax as eq
        >>> eq.problems.families()["noisy"]
        'user uniform, providers = user + independent noise of mean zero (noise=0.5)'
    """
    return {name: _describe(family) for name, family in {**_BUILT_IN, **_OWN}.items()}


def sample_tables(
    family: str,
    count: int,
    *,
    states: int,
    actions: int,
    providers: int,
    seed: int,
    start: int = 0,
    resolution: int = 10_000,
    **parameters: Any,
) -> UtilityTables:
    """Tables `start` to `start + count - 1` of a family of random tables.

    The random words of a table come from threefry2x32 with the two halves of `seed` as its key, into which
    the CRC-32 of the family's name, the family's version and the two halves of the table's id are folded, in
    this order.

    Args:
        family: a name from `families()`.
        count: B, the number of tables, at least 1. Millions of utilities are drawn by a compiled program: another
            `count` or other sizes compile anew; another `seed`, `start`, `resolution` or parameter of a built-in
            family does not. Fewer, on a CPU, are drawn by NumPy: the same bits.
        states: X, at least 1.
        actions: A, at least 1.
        providers: K, 1 to 16.
        seed: 0 to 2**63 - 1.
        start: the first table id, at least 0; `start + count` is at most 2**63.
        resolution: steps per unit of utility; at least 63 for "hull" and "near_hull".
        **parameters: the family's own, by name; what is left out has its default. In utility units, from 0:
            `noise` and `misalignment`, the largest size of the noise, up to 0.5; `bonus`; `spread`, the
            largest size of a term. `correlation`, 0 to 1, of any two providers' noises in a cell (met up to
            2**-30).

    Returns:
        A batch of B tables with the family's prior and all actions available; `user` `[B, X, A]`, `providers`
        `[B, K, X, A]`, `prior` and `available` are JAX arrays and stay on the device.

    Raises:
        ValueError: naming the argument, what was expected and what came.

    Example:
        >>> import equilibrax as eq
        >>> sizes = dict(states=3, actions=3, providers=5)
        >>> tables = eq.sample_tables("noisy", 1000, **sizes, seed=0, noise=0.2)
        >>> tables.providers.shape
        (1000, 5, 3, 3)
        >>> again = eq.sample_tables("noisy", 1, **sizes, seed=0, noise=0.2, start=700)
        >>> bool((again.user == tables[700].user).all())
        True
    """
    chosen = find_family(family)
    count = check_whole("count", count, 1, None)
    states, actions = check_whole("states", states, 1, None), check_whole("actions", actions, 1, None)
    shape = (states, actions, check_whole("providers", providers, 1, MAX_PROVIDERS))
    seed, start = check_whole("seed", seed, 0, _INT64_MAX), check_whole("start", start, 0, None)
    if start + count > 2**63:
        came = f"{shown(start)} + {shown(count)}"
        raise ValueError(f"start, count: expected start + count of at most 2**63, got {came}")
    resolution = check_whole("resolution", resolution, 1, INT32_MAX)
    check_parameters(parameters, chosen)
    words = table_id_words(np.arange(count, dtype=np.uint64) + np.uint64(start))
    stream = np.array([crc32(family.encode()), chosen.version], np.uint32)
    with jax.threefry_partitionable(True):  # a key's bits depend on this setting, which anyone may change
        if isinstance(chosen, _BuiltIn):
            tables = _sample_built_in(chosen, shape, _halves(seed), stream, words, resolution, parameters)
        else:
            tables = _sample_own(chosen, shape, _halves(seed), stream, words, resolution, parameters)
    return replace(tables, family=family, seed=seed)


def register_family(
    name: str,
    function: Callable[..., Any],
    *,
    version: int = 1,
    defaults: Mapping[str, Any] | None = None,
) -> None:
    """Add a family of your own to those that `sample_tables` knows, in this process.

    `function(key, states, actions, providers, **parameters)` makes one table from one key, with `jax.random`;
    it is jitted, and vmapped over tables. It returns `(user, providers)`, `[X, A]` and `[K, X, A]`:
    floating-point utilities, which are rounded once to multiples of `1 / resolution`, on the host and in
    float64; or integers, which are taken as they are, in steps of `1 / resolution`. A function with an
    argument `resolution` is given it.

    The key is a function of name, version, seed and table id as for the built-in families. Whether its table
    is the same bits everywhere is up to the function: integers made from `jax.random.bits` are; normal,
    exponential and dirichlet draws change their last bits between JAX versions, and floating-point arithmetic
    may between devices.

    Args:
        name: a name that no built-in family has; a name of your own only with a higher version.
        function: as above.
        version: 1 to 2**32 - 1. Raise it when the function changes: other tables are then drawn, never
            silently different ones under the same version.
        defaults: the names and default values of the function's parameters; hashable values, constants under
            jit.

    Raises:
        ValueError: naming the argument, what was expected and what came.

    Example:
        >>> import equilibrax as eq
        >>> import jax
        >>> def opposed(key, states, actions, providers, *, stake):
        ...     '''every provider wants the opposite of the user'''
        ...     user = jax.random.uniform(key, (states, actions))
        ...     return user, jax.numpy.stack([-stake * user] * providers)
        >>> eq.problems.register_family("opposed", opposed, defaults={"stake": 0.5})
        >>> tables = eq.sample_tables("opposed", 10, states=3, actions=2, providers=2, seed=0, stake=1.0)
        >>> bool((tables.providers == -tables.user[:, None]).all())
        True
    """
    if not isinstance(name, str) or not name or not name.isprintable():
        raise ValueError(f"name: expected a printable, non-empty string, got {name!r}")
    if name in _BUILT_IN:
        raise ValueError(f"name: {name!r} is a built-in family and cannot be replaced")
    if not callable(function):
        raise ValueError(f"function: expected one of (key, states, actions, providers), got {function!r}")
    version = check_whole("version", version, 1, 2**32 - 1)
    if name in _OWN and version <= _OWN[name].version:
        raise ValueError(
            f"version: expected more than {_OWN[name].version}, the version of the registered {name!r}, got {version}"
        )
    defaults = dict(defaults or {})
    reserved = set(inspect.signature(sample_tables).parameters) | {"key"}
    for parameter, value in defaults.items():
        if parameter in reserved or not parameter.isidentifier():
            raise ValueError(f"defaults: expected names of the family's own parameters, got {parameter!r}")
        _check_hashable(parameter, value)
    lines = (inspect.getdoc(function) or "").splitlines() or ["registered by the user"]
    takes_resolution = "resolution" in inspect.signature(function).parameters
    _OWN[name] = _Own(name, function, lines[0].rstrip("."), defaults, version, takes_resolution)


# --- built-in families --------------------------------------------------------------------------------------


def _sample_built_in(
    family: _BuiltIn, shape: tuple[int, int, int], seed, stream, words, resolution: int, parameters
) -> UtilityTables:
    least = family.least_resolution
    if resolution < least:
        raise ValueError(f"resolution: expected at least {least} for the family {family.name!r}, got {resolution}")
    values = {**family.defaults, **parameters}
    integers = {
        name: parameter.integer(_real(name, values[name], parameter.high), resolution)
        for name, parameter in family.parameters.items()
    }
    _check_size(family, resolution + integers.get(family.widened_by, 0), shape[0], resolution)
    numerators = tuple(np.uint32(value) for value in (resolution, *integers.values()))
    kernel, sizes = (family.kernel, family.prior), (len(words), *shape)
    with_these = _drawn[kernel, sizes] + math.prod(sizes)
    on_host = jax.default_backend() == "cpu" and with_these <= _WORTH_COMPILING
    _drawn[kernel, sizes] = with_these if on_host else _drawn[kernel, sizes]
    draw = _draw_on_host if on_host else _draw
    user, providers, prior, available = draw(kernel, *shape, seed, stream, words, numerators)
    return UtilityTables(user, providers, prior, available, words, resolution=resolution)


def _draw_on_host(kernel, states: int, actions: int, providers: int, seed, stream, words, numerators):
    """The same bits as `_draw`, by NumPy on all cores: two to three times slower, but there is nothing to compile."""
    utilities, weights = kernel
    lanes = len(words)
    user = np.empty((lanes, states, actions), np.int32)
    offered = np.empty((lanes, providers, states, actions), np.int32)
    prior = np.ones((lanes, states), np.int32)
    few = max(16, _WORDS_IN_CACHE // ((1 + providers) * states * actions))

    def draw_range(start: int, stop: int) -> None:
        for first in range(start, stop, few):
            some = slice(first, min(first + few, stop))
            key = host_table_keys(seed, stream, words[some])
            for target, drawn in zip((user, offered), utilities(key, states, actions, providers, *numerators)):
                target[some] = np.moveaxis(drawn, -1, 0)
            if weights is not None:
                prior[some] = np.moveaxis(weights(key, states), -1, 0)

    run_over_tables(draw_range, lanes, cores())
    return tuple(map(jnp.asarray, (user, offered, prior, np.ones(user.shape, bool))))


@partial(jit, static_argnames=("kernel", "states", "actions", "providers"))
def _draw(kernel, states: int, actions: int, providers: int, seed, stream, words, numerators):
    """`user`, `providers`, `prior` and `available` of a batch; all but the kernels and the sizes is traced."""

    utilities, weights = kernel
    seed, stream, words, numerators = jax.tree.map(jnp.asarray, (seed, stream, words, numerators))

    def one(table_id):
        key = kernels.table_key(seed, stream, table_id)
        prior = jnp.ones(states, jnp.int32) if weights is None else weights(key, states)
        return *utilities(key, states, actions, providers, *numerators), prior

    user, offered, prior = jax.vmap(one)(words)
    return user, offered, prior, jnp.ones(user.shape, bool)


def _check_size(family: _BuiltIn, largest: int, states: int, resolution: int) -> None:
    """Utilities up to `largest` must fit 32 bits, and their sum over states the limit of a value."""
    names = f"resolution, {family.widened_by}" if family.widened_by else "resolution"
    if largest > INT32_MAX:
        raise ValueError(
            f"{names}: utility x resolution must fit in 32 bits (at most {INT32_MAX}), got up to {largest} "
            f"with resolution={resolution}; use a smaller resolution"
        )
    times = kernels.PRIOR_WEIGHTS if family.prior else 1
    if states * largest * times > MAX_VALUE:
        raise ValueError(
            f"states, {names}: the sum over states of utility x resolution x prior must be at most 2**41, got up to "
            f"{shown(states)} x {largest}{f' x {times}' if times > 1 else ''}; use a smaller resolution"
        )


# --- families of one's own ----------------------------------------------------------------------------------


def _sample_own(
    family: _Own, shape: tuple[int, int, int], seed, stream, words, resolution: int, parameters
) -> UtilityTables:
    for name, value in parameters.items():
        _check_hashable(name, value)
    given = {**family.defaults, **parameters}
    if family.takes_resolution:
        given["resolution"] = resolution
    # With its repr, because jit takes 1, 1.0 and True for the same constant.
    constants = tuple((name, repr(value), value) for name, value in given.items())
    drawn = _draw_own(family, *shape, constants, seed, stream, words)
    user, offered = (
        _fixed_point(family.name, kind, array, words, resolution) for kind, array in zip(("user", "providers"), drawn)
    )
    tables = replace(from_integers(user, offered, resolution=resolution), table_id_words=None)
    return replace(jax.tree.map(jnp.asarray, tables), table_id_words=words)


@partial(jit, static_argnames=("family", "states", "actions", "providers", "constants"))
def _draw_own(family: _Own, states: int, actions: int, providers: int, constants, seed, stream, words):
    given = {name: value for name, _, value in constants}

    def one(table_id):
        key = kernels.table_key(seed, stream, table_id)
        result = family.function(key, states, actions, providers, **given)
        return _checked(family.name, result, (states, actions), providers)

    return jax.vmap(one)(words)


def _checked(name: str, result: Any, cells: tuple[int, int], providers: int) -> tuple[jax.Array, jax.Array]:
    """What a family's function returned, if that is two arrays of numbers of the right shapes."""
    if not isinstance(result, tuple | list) or len(result) != 2:
        came = f"{len(result)} values" if isinstance(result, tuple | list) else type(result).__name__
        raise ValueError(f"family {name!r}: expected its function to return (user, providers), got {came}")
    arrays = []
    for kind, value, expected in zip(("user", "providers"), result, (cells, (providers, *cells))):
        array = jnp.asarray(value)
        real = jnp.issubdtype(array.dtype, jnp.floating) or jnp.issubdtype(array.dtype, jnp.integer)
        if array.shape != expected or not real:
            raise ValueError(
                f"family {name!r}: expected its function to return {kind} of shape {list(expected)}, of "
                f"floating-point numbers or integers, got shape {list(array.shape)} of {array.dtype}"
            )
        arrays.append(array)
    return arrays[0], arrays[1]


def _fixed_point(name: str, kind: str, drawn: jax.Array, words: np.ndarray, resolution: int) -> np.ndarray:
    """Integers as they are, real utilities times `resolution` and rounded."""
    array = np.asarray(drawn)
    if not jnp.issubdtype(array.dtype, jnp.integer):
        utilities = array.astype(np.float64)
        _refuse(~np.isfinite(utilities), utilities, name, kind, words, "finite utilities")
        array = np.rint(utilities * resolution)
    wide = np.abs(array.astype(np.float64)) > INT32_MAX
    _refuse(wide, array, name, kind, words, f"utility x resolution of at most {INT32_MAX}")
    return array.astype(np.int64)


def _refuse(bad: np.ndarray, values: np.ndarray, name: str, kind: str, words: np.ndarray, expected: str):
    """Raise for the first `bad` value, if there is one."""
    if bad.any():
        where = tuple(int(i) for i in np.argwhere(bad)[0])
        high, low = (int(word) for word in words[where[0]])
        raise ValueError(
            f"family {name!r}: expected {expected}, got {values[where]} in {kind}{list(where[1:])} "
            f"of the table with id {(high << 32) | low}"
        )


# --- the door -----------------------------------------------------------------------------------------------


def find_family(family: str) -> _BuiltIn | _Own:
    known = {**_BUILT_IN, **_OWN}
    if not isinstance(family, str) or family not in known:
        raise ValueError(f"family: expected one of {', '.join(known)}, got {family!r}")
    return known[family]


def check_parameters(parameters: Mapping[str, Any], family: _BuiltIn | _Own) -> None:
    for name in parameters:
        if name not in family.defaults:
            known = f"one of {', '.join(family.defaults)}" if family.defaults else "none"
            raise ValueError(f"parameters: expected {known} for the family {family.name!r}, got {name!r}")


def _describe(family: _BuiltIn | _Own) -> str:
    if not family.defaults:
        return family.description
    parameters = ", ".join(f"{name}={value!r}" for name, value in family.defaults.items())
    return f"{family.description} ({parameters})"


def _halves(value: int) -> np.ndarray:
    """`[2]` uint32, high and low half of a 64-bit integer."""
    return np.array([value >> 32, value & 0xFFFFFFFF], np.uint32)


def _real(name: str, value: Any, high: float) -> float:
    """A finite number in `0..high`, as a float."""
    fits = isinstance(value, int | float | np.integer | np.floating) and not isinstance(value, bool)
    if not fits or not math.isfinite(value) or not 0 <= value <= high:
        limits = "of at least 0" if high == math.inf else f"from 0 to {high:g}"
        raise ValueError(f"{name}: expected a finite number {limits}, got {value!r}")
    return float(value)


def _check_hashable(name: str, value: Any) -> None:
    try:
        hash(value)
    except TypeError:
        raise ValueError(f"{name}: expected a hashable value, a tuple say, got {value!r}") from None
