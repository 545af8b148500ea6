"""Datasets as arrays to train on: exact whole numbers, masks where sizes differ, targets by name.

Letters: N tables, K providers, X states, A actions, C committees.
"""

from __future__ import annotations

import os
from collections.abc import Sequence
from dataclasses import dataclass, fields, replace
from pathlib import Path
from typing import Any, Literal, cast

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from equilibrax._core.checks import INT32_MAX, check_choice
from equilibrax._core.columns import COLUMNS
from equilibrax._core.suggestions import did_you_mean
from equilibrax.datasets._layout import Layout, read_layout, read_record, recorded
from equilibrax.datasets.relabelling import Relabelling, canonical, moved, random_relabelling
from equilibrax.datasets.stream import ArrayStream

Library = Literal["numpy", "jax", "torch"]

INVARIANT = ("optimum", "worst_utility", "best_utility", "equilibria", "misalignment", "bound")
"""Targets that stay what they are when states, actions and providers get other numbers (and committees with these)."""


@dataclass(frozen=True)
class TableArrays:
    """N tables of a dataset with what is to be learned of them, in arrays of one library.

    Where tables have different sizes, smaller ones are filled with zeros up to the largest, and masks say what is real.

    Attributes:
        user: `[N, X, A]` int32, the user's utilities times `resolution`.
        providers: `[N, K, X, A]` int32, the providers' utilities times `resolution`.
        prior: `[N, X]` int32 weights of the states.
        available: `[N, X, A]` bool, which actions exist; none in states that are not real.
        real_states: `[N, X]` bool.
        real_providers: `[N, K]` bool.
        committees: `[C]` int32 bitmasks, bit j is provider j; the axis of the targets.
        targets: by the name of their column, `[N, C]` float64 or int64; NaN or -1 where there is no number.
        table_id: `[N]` int64, always in NumPy.
        resolution: steps per unit of utility.
        tie_break: of the game, or "".
    """

    user: Any
    providers: Any
    prior: Any
    available: Any
    real_states: Any
    real_providers: Any
    committees: np.ndarray
    targets: dict[str, Any]
    table_id: np.ndarray
    resolution: int
    tie_break: str = ""

    def __len__(self) -> int:
        return len(self.table_id)

    def __getitem__(self, rows: Any) -> TableArrays:
        """The tables at `rows`: a slice, positions, or booleans."""
        return self._each(lambda array: array[rows])

    def _each(self, change: Any) -> TableArrays:
        whole = ("committees", "targets", "resolution", "tie_break")
        arrays = {f.name: change(getattr(self, f.name)) for f in fields(self) if f.name not in whole}
        return replace(self, **arrays, targets={name: change(array) for name, array in self.targets.items()})

    def to(self, library: Library) -> TableArrays:
        """The same in arrays of another library; torch shares the memory of NumPy.

        Args:
            library: "numpy", "jax" or "torch". JAX without 64-bit numbers, its default, makes float64 to float32, and
                whole numbers that do not fit into 32 bits are refused.

        Raises:
            ValueError: on another library, or whole numbers that would be cut.
            ImportError: without the library.

        Example:
            >>> import tempfile
            >>> import equilibrax as eq
            >>> with tempfile.TemporaryDirectory() as folder:
            ...     _ = eq.run_sweep(eq.SweepConfig(tables=8, splits=(1, 0, 0), states=2, actions=2), folder)
            ...     eq.datasets.load_arrays(folder).to("jax").user.dtype
            dtype('int32')
        """
        check_choice("library", library, ("numpy", "jax", "torch"))
        if library == "numpy":
            return self._convert(np.asarray)
        if library == "torch":
            try:
                import torch  # pyright: ignore[reportMissingImports]
            except ImportError as error:
                raise ImportError("library: expected one that is installed, got 'torch': pip install torch") from error
            return self._convert(lambda array: torch.from_numpy(np.require(array, requirements="W")))
        import jax

        def converted(array: Any) -> Any:
            wide = array.dtype.kind == "i" and array.dtype.itemsize > 4 and not jax.config.read("jax_enable_x64")
            if wide and array.size and np.abs(array).max() > INT32_MAX:
                raise ValueError(
                    "library: expected whole numbers of 32 bits for JAX without 64-bit numbers, got larger"
                )
            kind = np.int32 if wide else array.dtype
            return jax.numpy.asarray(array.astype(np.float32) if _is_wide_float(array) else array.astype(kind))

        return self._convert(converted)

    def _convert(self, change: Any) -> TableArrays:
        kept = self.table_id
        return replace(self._each(lambda array: change(np.asarray(array))), table_id=kept)

    def batches(self, size: int, *, seed: int | None = 0, state: dict[str, int] | None = None) -> ArrayStream:
        """An endless iterator over batches of these tables, in another order in every epoch; see `ArrayStream`.

        Args:
            size: tables per batch.
            seed: of the orders; None: as they are.
            state: of another such iterator, after which this one goes on.

        Raises:
            ValueError: if the size is not positive, or the state is of another iterator.
        """
        return ArrayStream([len(self)], lambda _: self, size, seed, state)

    def relabelled(self, how: Relabelling) -> TableArrays:
        """The same tables with other numbers for states, actions and providers; targets move with their committees.

        Args:
            how: permutations for every table.

        Raises:
            ValueError: if a target does not stay what it is; `INVARIANT` are the targets that do.
        """
        for name in self.targets:
            if name not in INVARIANT:
                expected = ", ".join(INVARIANT)
                raise ValueError(f"targets: expected only {expected}, which relabelling does not change, got {name!r}")
        if self.tie_break == "lowest_index" and how.moves_providers and self.targets:
            raise ValueError('tie_break: expected "incumbent" where providers move, got "lowest_index"')
        arrays, committee = moved(self, how)
        return replace(
            self, **arrays, targets={n: np.take_along_axis(t, committee, 1) for n, t in self.targets.items()}
        )

    def augment(self, key: Any, *, states: bool = True, actions: bool = True, providers: bool = True) -> TableArrays:
        """The same tables under random relabellings, another for each: equilibria move along, so targets stay true.

        Args:
            key: a whole number or a JAX random key; each relabelling depends on it and the table's id alone.
            states: whether to relabel states.
            actions: whether to relabel actions.
            providers: whether to relabel providers.

        Raises:
            ValueError: as `relabelled`.
        """
        return self.relabelled(random_relabelling(self, key, states, actions, providers))

    def canonicalize(self) -> TableArrays:
        """Every table under the relabelling that makes it the smallest: those that are the same become equal.

        Raises:
            ValueError: as `relabelled`; or if there are more than 40,320 relabellings of states and actions.
        """
        return self.relabelled(canonical(self))


def load_arrays(
    folder: str | os.PathLike[str],
    split: str = "train",
    *,
    targets: Sequence[str] = ("worst_utility",),
    library: Library = "numpy",
) -> TableArrays:
    """A split of a dataset that `run_sweep` has made, whole, as arrays.

    Other loaders narrow what they read without a word: the formats "numpy", "torch" and "jax" of Hugging Face's
    datasets make float64 to float32, and "jax" makes int64 to int32. Here utilities are the exact integers that were
    solved.

    Args:
        folder: of a sweep of tables, complete or not: its finished shards are read.
        split: "train", "validation" or "test".
        targets: columns of its results, numbers all of them.
        library: of the arrays: "numpy", "jax" or "torch".

    Returns:
        The tables in the order of their ids.

    Raises:
        ValueError: if it is no such folder, or has no such split or column.

    Example:
        >>> import tempfile
        >>> import equilibrax as eq
        >>> with tempfile.TemporaryDirectory() as folder:
        ...     _ = eq.run_sweep(eq.SweepConfig(tables=32, splits=(1, 0, 0), providers=2), folder)
        ...     arrays = eq.datasets.load_arrays(folder, targets=("worst_utility", "equilibria"))
        >>> arrays.providers.shape, arrays.providers.dtype, arrays.targets["equilibria"].shape
        ((32, 2, 3, 3), dtype('int32'), (32, 3))
    """
    files = _Files(folder, split, targets)
    return _joined([files.read(i) for i in range(len(files.shards))]).to(library)


def stream_arrays(
    folder: str | os.PathLike[str],
    split: str = "train",
    *,
    size: int,
    targets: Sequence[str] = ("worst_utility",),
    seed: int | None = 0,
    state: dict[str, int] | None = None,
) -> ArrayStream:
    """An endless iterator over batches of a dataset that is larger than memory; two shards are in memory at a time.

    Every epoch takes the shards in another order, and the tables of a shard in another order.

    Args:
        folder: as for `load_arrays`, and so are split and targets.
        split: "train", "validation" or "test".
        size: tables per batch.
        targets: columns of its results.
        seed: of the orders; None: as they are.
        state: of another such iterator, after which this one goes on.

    Raises:
        ValueError: as `load_arrays`; or if the size is not positive, or the state is of another iterator.

    Example:
        >>> import tempfile
        >>> import equilibrax as eq
        >>> with tempfile.TemporaryDirectory() as folder:
        ...     _ = eq.run_sweep(eq.SweepConfig(tables=32, splits=(1, 0, 0), providers=2, shard_size=8), folder)
        ...     stream = eq.datasets.stream_arrays(folder, size=10)
        ...     first, state = next(stream), stream.state
        ...     again = eq.datasets.stream_arrays(folder, size=10, state=state)
        ...     bool((next(stream).table_id == next(again).table_id).all()), stream.state["batch"]
        (True, 2)
    """
    files = _Files(folder, split, targets)
    return ArrayStream(files.sizes, files.read, size, seed, state)


class _Files:
    """A split's files, shard by shard."""

    def __init__(self, folder: str | os.PathLike[str], split: str, targets: Sequence[str]):
        if not isinstance(folder, str | os.PathLike):
            raise ValueError(f"folder: expected a path, got {folder!r}")
        if not isinstance(targets, str | list | tuple):
            raise ValueError(f"targets: expected names of columns, got {targets!r}")
        found = read_layout(Path(folder))
        if found is None or found.kinds[:2] != ("tables", "committees"):
            raise ValueError(f"folder: expected a sweep of tables, got {os.fspath(folder)!r}")
        if split not in found.splits:
            raise ValueError(f"split: expected one of {', '.join(found.splits)}, got {split!r}")
        self.layout: Layout = found
        names = (targets,) if isinstance(targets, str) else tuple(targets)
        place = found.splits.index(split)
        self.shards = [
            (record, tables, results)
            for shard in recorded(found)  # what is declared may be any number
            if (record := read_record(found, shard)) is not None
            for tables, results in [tuple(found.files(shard, kind)[place] for kind in found.kinds[:2])]
            if record["files"][tables]["rows"]
        ]
        if not self.shards:
            raise ValueError(f"folder: expected a finished shard with tables of the split {split}, got none")
        there = _schema(found.folder / self.shards[0][2])
        numeric = [c for c in COLUMNS["committees"] if c.type in ("float64", "int64", "int32") and not c.exact]
        numbers = {c.name: c for c in numeric if c.name in there}
        for name in names:
            if name not in numbers:
                raise ValueError(f"targets: expected {', '.join(numbers)}, got {name!r}{did_you_mean(name, numbers)}")
        self.targets = {name: "i" if numbers[name].type.startswith("int") else "f" for name in names}
        ends = [_columns(found.folder / self.shards[i][2], list(names)) for i in (0, -1)] if names else []
        for name in names:
            if all(rows[name].null_count == len(rows) for rows in ends):
                raise ValueError(f"targets: expected a column with numbers, got {name!r}, which is empty in this sweep")
        self.sizes = [record["files"][tables]["rows"] for record, tables, _ in self.shards]
        config = found.description["config"]
        parts = config.get("mixture") or [config]
        self.shape = tuple(max(part[name] for part in parts) for name in ("providers", "states", "actions"))
        self.game = config["game"]

    def read(self, shard: int) -> TableArrays:
        """The tables of one shard."""
        record, tables, results = self.shards[shard]
        wanted = ["table_id", "states", "actions", "num_providers", "resolution", "user", "provider_utilities", "prior",
                  "available"]  # fmt: skip
        rows = self._rows(record, tables, wanted)
        n = rows.num_rows
        x, a, k, steps = (int(rows[name][0].as_py()) for name in ("states", "actions", "num_providers", "resolution"))
        most = self.shape
        user = _padded(_whole(rows["user"], steps, tables).reshape(n, x, a), most[1:])
        providers = _padded(_whole(rows["provider_utilities"], steps, tables).reshape(n, k, x, a), most)
        there = _padded(_flat(rows["available"]).reshape(n, x, a), most[1:])
        prior = _padded(_flat(rows["prior"]).reshape(n, x).astype(np.int32), most[1:2])
        real_states, real_providers = np.zeros((n, most[1]), bool), np.zeros((n, most[0]), bool)
        real_states[:, :x], real_providers[:, :k] = True, True
        committees, found = self._targets(record, results, n, k)
        return TableArrays(
            user, providers, prior, there, real_states, real_providers, committees, found,
            rows["table_id"].to_numpy(), steps, self.game.get("tie_break", ""),
        )  # fmt: skip

    def _rows(self, record: dict[str, Any], name: str, columns: list[str]) -> pa.Table:
        rows, expected = _columns(self.layout.folder / name, columns), record["files"][name]["rows"]
        if rows.num_rows != expected:
            raise ValueError(
                f"folder: expected {expected} rows in {name}, as its record says, got {rows.num_rows}; a sweep goes on "
                "in it: load it again"
            )
        return rows

    def _targets(self, record: dict[str, Any], results: str, n: int, k: int) -> tuple[np.ndarray, dict[str, Any]]:
        most = 2 ** self.shape[0] - 1
        if not self.targets:
            return np.arange(1, most + 1, dtype=np.int32), {}
        rows = self._rows(record, results, ["committee", *self.targets])
        each = rows.num_rows // n
        masks = rows["committee"].to_numpy().reshape(n, each)[0]
        if len(set(masks.tolist())) < each:
            raise ValueError(
                "folder: expected one row for every committee, got several: a lambda each; choose one game"
            )
        committees = np.arange(1, most + 1, dtype=np.int32) if each == 2**k - 1 else masks.astype(np.int32)
        found = {}
        for name, kind in self.targets.items():
            column = rows[name]
            if kind == "i":
                values, missing = column.combine_chunks().fill_null(-1).to_numpy(zero_copy_only=False), -1
            else:
                values, missing = column.to_numpy().astype(np.float64), np.nan
            full = np.full((n, len(committees)), missing, np.int64 if kind == "i" else np.float64)
            full[:, :each] = values.reshape(n, each)
            found[name] = full
        return committees, found


def _schema(file: Path) -> list[str]:
    """The names of a file's columns."""
    try:
        return pq.read_schema(file).names
    except (OSError, pa.ArrowException) as error:
        raise ValueError(f"{file}: expected a file of a sweep, got: {error}") from error


def _columns(file: Path, names: list[str]) -> pa.Table:
    """Some columns of a file, with the checksums of their pages verified."""
    try:
        return pq.read_table(file, columns=names, page_checksum_verification=True)
    except (OSError, pa.ArrowException, KeyError) as error:
        raise ValueError(f"{file}: expected a file of a sweep, got: {error}") from error


def _flat(column: Any) -> np.ndarray:
    return (
        pa.chunked_array([chunk.flatten() for chunk in column.chunks]).combine_chunks().to_numpy(zero_copy_only=False)
    )


def _whole(column: Any, steps: int, file: str) -> np.ndarray:
    """Utilities as the integers that they are multiples of `1 / steps` by."""
    values = _flat(column)
    short = values.dtype.itemsize < 8
    whole = np.rint(values.astype(np.float64) * steps)
    if short and whole.size and np.abs(whole).max() >= 2**23:
        raise ValueError(
            f"{file}: expected utilities that 32 bits hold exactly, got larger ones; sweep without float32"
        )
    return whole.astype(np.int32)


def _padded(array: np.ndarray, shape: Sequence[int]) -> np.ndarray:
    if array.shape[1:] == tuple(shape):
        return array
    full = np.zeros((len(array), *shape), array.dtype)
    full[tuple(slice(size) for size in array.shape)] = array
    return full


def _joined(parts: list[TableArrays]) -> TableArrays:
    """One after the other."""
    if len(parts) == 1:
        return parts[0]
    first = parts[0]
    if len({part.resolution for part in parts}) > 1:
        raise ValueError("folder: expected tables of one resolution, got several")
    whole = ("committees", "targets", "resolution", "tie_break")
    arrays = {
        f.name: np.concatenate([getattr(part, f.name) for part in parts]) for f in fields(first) if f.name not in whole
    }
    targets = {name: np.concatenate([part.targets[name] for part in parts]) for name in first.targets}
    return replace(first, **cast(Any, arrays), targets=targets)


def _is_wide_float(array: np.ndarray) -> bool:
    import jax

    return array.dtype == np.float64 and not jax.config.read("jax_enable_x64")
