"""Splits of tables by what they are up to relabelling."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from dataclasses import replace

import numpy as np

from equilibrax._core.checks import check_whole
from equilibrax.datasets.arrays import TableArrays
from equilibrax.datasets.splits import check_shares, split_names, split_of
from equilibrax.problems.tables import UtilityTables


def form_hashes(arrays: TableArrays) -> np.ndarray:
    """`[N]` int64, the same for tables that are the same under other numbers for states, actions and providers.

    They are the first 64 bits of SHA-256 of the canonical form, with the prior in lowest terms and without what fills
    smaller tables up, so a table has the same hash in every dataset with the same resolution.

    Args:
        arrays: of `load_arrays`.

    Raises:
        ValueError: if there are more than 40,320 orders of states and actions.

    Example:
        >>> import tempfile
        >>> import equilibrax as eq
        >>> with tempfile.TemporaryDirectory() as folder:
        ...     _ = eq.run_sweep(eq.SweepConfig(tables=32, splits=(1, 0, 0), providers=2, states=2), folder)
        ...     arrays = eq.datasets.load_arrays(folder)
        >>> twins = arrays.augment(key=7)
        >>> bool((eq.datasets.form_hashes(arrays) == eq.datasets.form_hashes(twins)).all())
        True
    """
    whole = replace(arrays.to("numpy"), targets={}, committees=np.zeros(0, np.int32)).canonicalize()
    found = np.empty(len(whole), np.int64)
    for n in range(len(whole)):
        x, k = int(whole.real_states[n].sum()), int(whole.real_providers[n].sum())
        there = whole.available[n, :x]
        used = there.any(axis=0)
        there = there[:, used]
        prior = whole.prior[n, :x] // np.gcd.reduce(whole.prior[n, :x])
        user, providers = whole.user[n, :x][:, used], whole.providers[n, :k, :x][..., used]
        parts = [np.array(providers.shape), prior, there, np.where(there, user, 0), np.where(there, providers, 0)]
        own = hashlib.sha256(b"".join(part.astype("<i8").tobytes() for part in parts)).digest()
        found[n] = np.frombuffer(own[:8], "<i8")[0]
    return found


def forms_of_tables(tables: UtilityTables) -> np.ndarray:
    """`[B]` int64, `form_hashes` of tables."""
    user, providers, prior, there = (
        np.asarray(getattr(tables, name)) for name in ("user", "providers", "prior", "available")
    )
    real = (np.ones(prior.shape, bool), np.ones(providers.shape[:2], bool))
    ids = np.asarray(tables.table_id)
    return form_hashes(
        TableArrays(user, providers, prior, there, *real, np.zeros(0, np.int32), {}, ids, tables.resolution)
    )


def split_by_form(
    arrays: TableArrays, splits: Sequence[float] = (0.9, 0.05, 0.05), *, seed: int = 0
) -> dict[str, TableArrays]:
    """Train, validation and test such that tables that are relabelled twins are in the same one.

    The splits of a sweep go by the tables' ids unless it was told otherwise (`SweepConfig.split_by`), so of two twins
    one may be in train and the other in test. That is rare with fine utilities and frequent where few steps make few
    games, and it is certain after `augment`. Load all splits, join what you want to split again, and use these: with
    seed and shares of a sweep, they are those that it has with `split_by="form"`.

    Args:
        arrays: of `load_arrays`.
        splits: shares of train, validation and test, which sum to 1.
        seed: at least 0.

    Returns:
        The parts that have a positive share, by name; a part may be empty.

    Raises:
        ValueError: as `form_hashes`, or on other shares.

    Example:
        >>> import tempfile
        >>> import equilibrax as eq
        >>> with tempfile.TemporaryDirectory() as folder:
        ...     _ = eq.run_sweep(eq.SweepConfig(tables=32, splits=(1, 0, 0), providers=2, states=2), folder)
        ...     parts = eq.datasets.split_by_form(eq.datasets.load_arrays(folder), (0.5, 0, 0.5))
        >>> list(parts), sum(map(len, parts.values()))
        (['train', 'test'], 32)
    """
    shares = tuple(splits)
    check_shares(shares)
    place = split_of(form_hashes(arrays), check_whole("seed", seed, 0), shares)
    return {name: arrays[np.flatnonzero(place == i)] for i, name in enumerate(split_names(shares))}
