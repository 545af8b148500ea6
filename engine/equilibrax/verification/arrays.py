"""Columns of Arrow tables as NumPy arrays, with what is missing apart."""

from __future__ import annotations

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from equilibrax.verification.configuration import Configuration
from equilibrax.verification.rules import FLAGS


def numbers(rows: pa.Table, name: str) -> tuple[np.ndarray, np.ndarray]:
    """`[N]` values, 0 where they are missing, and `[N]` whether they are."""
    column = rows[name].combine_chunks()
    missing = column.is_null().to_numpy(zero_copy_only=False)
    return _filled(column), missing


def _filled(column: pa.Array) -> np.ndarray:
    """Values, 0 where they are missing."""
    zero = False if pa.types.is_boolean(column.type) else 0
    return pc.fill_null(column, pa.scalar(zero, column.type)).to_numpy(zero_copy_only=False)


def lists(rows: pa.Table, name: str, width: int) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """`[N, width]` lists, `[N]` whether they are missing, and `[N]` whether they have another width or gaps.

    The rows of missing and bad ones are 0.
    """
    column = rows[name].combine_chunks()
    missing = column.is_null().to_numpy(zero_copy_only=False)
    length = pc.fill_null(pc.list_value_length(column), 0).to_numpy(zero_copy_only=False)  # pyright: ignore[reportAttributeAccessIssue]
    flat = column.flatten()
    owner = np.repeat(np.arange(len(length)), length)
    gaps = np.zeros(len(length), bool)
    gaps[owner[flat.is_null().to_numpy(zero_copy_only=False)]] = True
    bad = ~missing & ((length != width) | gaps)
    good = ~missing & ~bad
    values = _filled(flat)
    result = np.zeros((len(length), width), values.dtype)
    result[good] = values[good[owner]].reshape(-1, width)
    return result, missing, bad


def nested(rows: pa.Table, name: str, width: int) -> tuple[np.ndarray, np.ndarray, np.ndarray, np.ndarray]:
    """Lists of lists: `[M, width]` all the inner ones, `[N]` how many each row has, whether missing, whether bad."""
    column = rows[name].combine_chunks()
    missing = column.is_null().to_numpy(zero_copy_only=False)
    length = pc.fill_null(pc.list_value_length(column), 0).to_numpy(zero_copy_only=False)  # pyright: ignore[reportAttributeAccessIssue]
    inner, absent, wrong = lists(pa.table({name: column.flatten()}), name, width)
    bad = np.zeros(len(length), bool)
    bad[np.repeat(np.arange(len(length)), length)[absent | wrong]] = True
    return inner, length.astype(np.int64), missing, bad


def statuses(rows: pa.Table, configuration: Configuration) -> tuple[np.ndarray, np.ndarray]:
    """`[N]` flags of the statuses, and `[N]` whether they are none that such rows can have."""
    flags, unknown = flags_of(rows)
    game = configuration.game
    possible = game.statuses - sum(flag for flag, option in dict(game.of).items() if not configuration[option])
    return flags, unknown | (flags & ~possible != 0)


def flags_of(rows: pa.Table) -> tuple[np.ndarray, np.ndarray]:
    """`[N]` flags of the statuses, 0 where they are none, and `[N]` whether they are none."""
    encoded = rows["status"].combine_chunks().dictionary_encode()
    codes = np.array([*(_flags(name) for name in encoded.dictionary.to_pylist()), -1])
    found = codes[pc.fill_null(encoded.indices, -1).to_numpy(zero_copy_only=False)]
    return np.maximum(found, 0), found < 0


def _flags(name: str | None) -> int:
    """The flags of a status as it is written, -1 if nothing is written so."""
    if name == "OK":
        return 0
    parts = (name or "").split("|")
    flags = [FLAGS.get(part, -1) for part in parts]
    return sum(flags) if flags == sorted(set(flags)) and flags[0] > 0 else -1
