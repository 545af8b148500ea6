"""What everything that comes in batches shares: length, slices, names, committees, and what JAX may do with it.

Batches are pytrees, whose leaves are their arrays. JAX without 64-bit numbers (its default) cuts 64-bit integers to
their low halves without a word, so these are leaves that it refuses: `jax.tree.map` with NumPy works, `jax.device_put`
and `jax.jit` say what is wrong. What comes back from any of them is looked at by `len`, with which every solver begins.
"""

from __future__ import annotations

import reprlib
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from dataclasses import fields, replace
from typing import Any, ClassVar, Self, TypeVar

import jax
import numpy as np

from equilibrax._core.checks import ON_THE_HOST, as_array, refuse_traced
from equilibrax._core.committees import mask_of
from equilibrax._core.suggestions import did_you_mean
from equilibrax.problems._describe import Description, counted, describe, html_of

_DESCRIBED = 10_000  # problems, in a notebook


class Batch:
    """A batch of problems of the same shape. The fields that are not static are arrays with a leading axis B, or None.

    A subclass is a frozen dataclass with `resolution`, `family`, `labels` and an array first; one between a user and
    providers has `user`, `providers` (or its own `num_providers`) and `prior` (or its own `scale`), too.
    """

    _one: ClassVar[str]  # what one of the batch is called
    _named: ClassVar[str] = "table"  # whose names and ids it has: `labels.tables`, `table_id`
    _kinds: ClassVar[dict[str, Any]]  # the types of its arrays; integers may be wider
    made_by: ClassVar[str]  # what to call to have one, for messages

    user: Any
    resolution: int
    family: str
    labels: Any

    def __init_subclass__(cls, **options: Any) -> None:
        super().__init_subclass__(**options)
        cls.__repr__ = Batch.__repr__  # a dataclass would print all of its arrays

    def __len__(self) -> int:
        for name, kind in self._kinds.items():
            array = getattr(self, name)
            refuse_traced(f"{self._one}s", array)
            wanted, came = np.dtype(kind), getattr(array, "dtype", None)
            right = came is not None and came.kind == wanted.kind and came.itemsize >= wanted.itemsize
            if array is not None and not right:
                raise ValueError(
                    f"{self._one}s: expected {name} of {wanted}, got {came or type(array).__name__}; JAX cuts "
                    f"integers to 32 bits, so make it anew from the numbers"
                )
        return getattr(self, array_fields(type(self))[0]).shape[0]

    def __getitem__(self, index: int | slice) -> Self:
        """What is at `index`, still batched: `batch[3]` is a batch of one."""
        if isinstance(index, int | np.integer):
            size = len(self)
            if not -size <= index < size:
                raise IndexError(f"{self._one} {index} of a batch of {size}")
            index = slice(int(index) % size, int(index) % size + 1)
        return self._each(lambda array: array[index])

    def __iter__(self) -> Iterator[Self]:
        return (self[i] for i in range(len(self)))

    def select(self, rows: Any) -> Self:
        """The problems at `rows`, as a batch, in this order; a position may come several times.

        Args:
            rows: `[R]` whole numbers, or `[B]` booleans.

        Raises:
            ValueError: if they are neither, or a position is not in the batch.
        """
        rows, size = as_array("rows", rows), len(self)
        whole = rows.dtype.kind in "iu" and rows.ndim == 1 and bool(((rows >= -size) & (rows < size)).all())
        if not whole and not (rows.dtype == bool and rows.shape == (size,)):
            raise ValueError(
                f"rows: expected positions of {size} {self._one}s, or {size} booleans, got {rows.tolist()!r}"
            )
        return self._each(lambda array: np.asarray(array)[rows])

    @property
    def states(self) -> int:
        """Number of states, X."""
        return self.user.shape[-2]

    @property
    def actions(self) -> int:
        """Number of actions, A; of markets, of the user who has most. Some may exist only in some states."""
        return self.user.shape[-1]

    @property
    def num_providers(self) -> int:
        """Number of providers, K."""
        return self.providers.shape[1]  # pyright: ignore[reportAttributeAccessIssue]

    @property
    def scale(self) -> np.ndarray:
        """`[B]` int64: an integer value divided by this is an expected utility (`resolution` times the prior's sum)."""
        prior = np.asarray(self.prior)  # pyright: ignore[reportAttributeAccessIssue]
        return prior.astype(np.int64).sum(axis=1) * self.resolution

    @property
    def rounding_error(self) -> float:
        """Largest possible difference between a given utility and the one used: half a fixed-point step."""
        return 0.5 / self.resolution

    def names(self) -> list[str]:
        """One name each: its own where it has one, else its family, else what it is."""
        own: tuple[str, ...] = getattr(self.labels, f"{self._named}s", ())
        if not own:
            return [self.family or self._named] * len(self)
        ids = np.asarray(getattr(self, f"{self._named}_id")).tolist()
        return [str(own[i]) if i < len(own) else self.family or self._named for i in ids]

    def provider_names(self) -> tuple[str, ...]:
        """The providers' names, `provider 1` and so on where none were given."""
        return self.labels.providers if self.labels else tuple(f"provider {j + 1}" for j in range(self.num_providers))

    def state_names(self) -> tuple[str, ...]:
        """The states' names, their numbers where none were given."""
        return self.labels.states if self.labels else tuple(str(x) for x in range(self.states))

    def unique_names(self) -> list[str]:
        """One name each that no other has, in this batch or in one that it is a part of: with its id, if need be."""
        own: Any = getattr(self.labels, f"{self._named}s", ())
        often: Counter[str] = Counter(own)
        ids = np.asarray(getattr(self, f"{self._named}_id")).tolist()
        alone = [i == 0 or (i < len(own) and often[own[i]] == 1) for i in ids]
        return [name if only else f"{name} {i}" for name, i, only in zip(self.names(), ids, alone)]

    def place(self, one: int | str) -> int:
        """The position of the one with this name (see `unique_names`); a number is a position.

        Raises:
            ValueError: if there is none.
        """
        if isinstance(one, int | np.integer) and not isinstance(one, bool):
            if not -len(self) <= one < len(self):
                raise ValueError(f"{self._named}: expected a position below {len(self)}, or a name, got {one}")
            return int(one) % len(self)
        names = self.unique_names()
        if one not in names:
            known = reprlib.repr(names)
            raise ValueError(f"{self._named}: expected one of {known}, got {one!r}{did_you_mean(str(one), names)}")
        return names.index(one)

    def describe(self) -> Description:
        """What the batch holds: sizes, names, the share of actions that do not exist, ties, ranges, resolution.

        Ties are, for every player, the share of states in which several actions are best.

        Example:
            >>> import equilibrax as eq
            >>> eq.sample_tables("uniform", 9, states=2, actions=3, providers=1, seed=0).describe()["tables"]
            '9 tables, 2 states, 3 actions, 1 provider'
        """
        names = {"names": tuple(self.unique_names())} if len(self) > 1 and self.labels else {}
        names |= {kind: getattr(self.labels, kind) for kind in ("states", "actions", "users", "players", "providers")
                  if isinstance(getattr(self.labels, kind, ((),))[0], str)}  # fmt: skip
        sizes = {f"{self._one}s": len(self), **self._sizes()}
        players, there, steps, weights = self._described()
        return describe(f"{self._one}s", sizes, names, players, there, steps, weights) | {"resolution": self.resolution}

    def __repr__(self) -> str:
        return f"<{type(self).__name__}: {self._counted()}>"

    def _repr_html_(self) -> str:
        """What it holds, and the first in full; of a large batch, what its first 10,000 hold."""
        some = self[:_DESCRIBED] if len(self) > _DESCRIBED else self
        about = some.describe() | ({"of these": f"the first {_DESCRIBED:,} are described"} if some is not self else {})
        about[next(iter(about))] = self._counted()
        if not len(self):
            return about._repr_html_()
        first = self[:1]
        name = first.names()[0] + (f", the first of {len(self):,}" if len(self) > 1 else "")
        return about._repr_html_() + html_of(name, *first._only())

    def _counted(self) -> str:
        return counted({f"{self._one}s": len(self), **self._sizes()})

    def _only(self) -> tuple[list[tuple[str, Sequence[Any]]], dict[str, np.ndarray], np.ndarray, Any]:
        """For notebooks, of a batch of one: what the axes of utilities are of with the names along them; utilities by
        player, which actions exist, and steps per unit."""
        players, there, steps, _ = self._described()
        own = {name: values[0] for name, values in players.items()}
        return self._along(), own, there[0], steps[0] if np.ndim(steps) else steps

    def _along(self) -> list[tuple[str, Sequence[Any]]]:
        actions = self.labels.actions if self.labels else tuple(map(str, range(self.actions)))
        return [("state", self.state_names()), ("action", actions)]

    def _sizes(self) -> dict[str, int]:
        return {"states": self.states, "actions": self.actions, "providers": self.num_providers}

    def _described(self) -> tuple[dict[str, np.ndarray], np.ndarray, Any, np.ndarray | None]:
        """For `describe`: whole numbers by player, which actions exist, steps per unit, `[B, X]` weights of states."""
        user, providers, available, prior = (
            np.asarray(getattr(self, name)) for name in ("user", "providers", "available", "prior")
        )
        players = {"user": user} | {name: providers[:, j] for j, name in enumerate(self.provider_names())}
        return players, available, self.resolution, prior

    def committee_name(self, committee: int) -> str:
        """The providers of a committee (bitmask) by name, joined by commas."""
        return ", ".join(name for j, name in enumerate(self.provider_names()) if committee >> j & 1)

    def committee_mask(self, names: Sequence[str]) -> int:
        """The bitmask of the committee of the providers with these names.

        Args:
            names: of providers, as `provider_names` has them.

        Raises:
            ValueError: if there is no such provider.
        """
        return mask_of(names, self.provider_names())

    def _each(self, change: Callable[[Any], Any]) -> Self:
        """The batch with every array changed."""
        arrays = {name: getattr(self, name) for name in array_fields(type(self))}
        changed = {name: change(array) for name, array in arrays.items() if array is not None}
        return replace(self, **changed)  # pyright: ignore[reportArgumentType]


AnyBatch = TypeVar("AnyBatch", bound=Batch)


class HostIntegers(np.lib.mixins.NDArrayOperatorsMixin):
    """A 64-bit array as a leaf: NumPy takes it for the array, JAX refuses it."""

    def __init__(self, array: np.ndarray):
        self._array = array

    def __array__(self, dtype: Any = None, copy: bool | None = None) -> np.ndarray:
        array = self._array if dtype is None else self._array.astype(dtype)
        return array.copy() if copy else array

    def __array_ufunc__(self, ufunc: Any, method: str, *inputs: Any, **options: Any) -> Any:
        return getattr(ufunc, method)(*(x._array if isinstance(x, HostIntegers) else x for x in inputs), **options)

    def __getitem__(self, index: Any) -> Any:
        return self._array[index]

    def __len__(self) -> int:
        return len(self._array)

    def __repr__(self) -> str:
        return repr(self._array)

    def __getattr__(self, name: str) -> Any:
        if name.startswith("__"):
            raise AttributeError(name)
        return getattr(self._array, name)

    @property
    def __jax_array__(self) -> Any:
        raise ValueError(
            f"persuasion games, decision problems, markets and normal forms have 64-bit integers, which JAX would cut "
            f"to 32 bits; keep them on the host ({ON_THE_HOST})"
        )


def pytree(kind: type[AnyBatch]) -> type[AnyBatch]:
    """Register a class of batches with JAX: its arrays are the leaves, 64-bit ones as `HostIntegers`."""
    arrays = array_fields(kind)
    static = tuple(f.name for f in fields(kind) if f.name not in arrays)  # pyright: ignore[reportArgumentType]

    def flatten(batch: Any) -> tuple[list[Any], tuple[Any, ...]]:
        return [_leaf(getattr(batch, name)) for name in arrays], tuple(getattr(batch, name) for name in static)

    def flatten_with_keys(batch: Any) -> tuple[list[Any], tuple[Any, ...]]:
        leaves, rest = flatten(batch)
        return [(jax.tree_util.GetAttrKey(name), leaf) for name, leaf in zip(arrays, leaves)], rest

    def unflatten(rest: tuple[Any, ...], leaves: Any) -> Any:
        plain = (np.asarray(leaf) if isinstance(leaf, HostIntegers) else leaf for leaf in leaves)
        return kind(**dict(zip(arrays, plain)), **dict(zip(static, rest)))

    jax.tree_util.register_pytree_with_keys(kind, flatten_with_keys, unflatten, flatten)
    return kind


def _leaf(array: Any) -> Any:
    wide = isinstance(array, np.ndarray) and array.dtype.kind in "iu" and array.dtype.itemsize > 4
    return HostIntegers(array) if wide else array


def array_fields(kind: type[Batch]) -> tuple[str, ...]:
    """The names of the fields that are arrays."""
    return tuple(f.name for f in fields(kind) if not f.metadata.get("static"))  # pyright: ignore[reportArgumentType]


def concatenate(batches: Sequence[AnyBatch]) -> AnyBatch:
    """One batch from several of the same kind, shape, resolution and labels.

    Args:
        batches: at least one batch of tables, persuasion games or markets; all with the same shapes (apart from B),
            `resolution`, `family`, `seed` and `labels`, and markets with the same sights.

    Raises:
        ValueError: if the list is empty or the batches differ.

    Example:
        >>> import equilibrax as eq
        >>> tables = eq.sample_tables("uniform", 4, states=2, actions=2, providers=1, seed=0)
        >>> len(eq.concatenate([tables[:1], tables[1:]]))
        4
    """
    batches = list(batches)
    if not batches:
        raise ValueError("batches: expected at least one batch of tables, got none")
    for i, batch in enumerate(batches):
        if not isinstance(batch, Batch):
            raise ValueError(f"batches: expected tables, games or markets, got {type(batch).__name__} at {i}")
        if type(batch) is not type(batches[0]) or _likeness(batch) != _likeness(batches[0]):
            raise ValueError(
                f"batches: expected all alike, got {_likeness(batches[0])} at 0 and {_likeness(batch)} at {i}"
            )
    arrays = {
        name: np.concatenate([np.asarray(getattr(batch, name)) for batch in batches])
        for name in array_fields(type(batches[0]))
        if getattr(batches[0], name) is not None
    }
    return replace(batches[0], **arrays)  # pyright: ignore[reportArgumentType]


def _likeness(batch: Batch) -> tuple[Any, ...]:
    """What batches that are one must share."""
    arrays = array_fields(type(batch))
    static = tuple(getattr(batch, f.name) for f in fields(batch) if f.name not in arrays)  # pyright: ignore
    shapes = {name: getattr(getattr(batch, name), "shape", (0,))[1:] for name in arrays}
    return type(batch).__name__, shapes, *static
