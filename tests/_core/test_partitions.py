"""Partitions as labels, against sets of sets."""

from __future__ import annotations

import itertools

import numpy as np
import pytest
from equilibrax._core.partitions import (
    all_partitions,
    bell_number,
    cells_of,
    common_refinement,
    refines,
    restricted_growth,
)

RNG = np.random.default_rng(3)


def cells(labels):
    return {frozenset(x for x, label in enumerate(labels) if label == cell) for cell in set(labels)}


@pytest.mark.parametrize("states", range(1, 7))
def test_all_partitions_are_listed_once(states):
    listed = all_partitions(states)
    assert len({frozenset(cells(row)) for row in listed.tolist()}) == len(listed) == bell_number(states)
    keys = [[sum(1 << x for x in cell) for cell in sorted(cells(row), key=min)] for row in listed.tolist()]
    assert keys == sorted(keys)
    np.testing.assert_array_equal(restricted_growth(listed), listed)
    sets = cells_of(listed)
    for s, row in enumerate(listed.tolist()):
        expected = {sum(1 << (states - 1 - x) for x in cell) for cell in cells(row)}
        assert set(sets[:, s].tolist()) - {0} == expected


def test_labels_are_counted_by_first_appearance():
    for labels in RNG.integers(0, 5, (50, 6)) * 7 - 3:
        grown = restricted_growth(labels)
        assert cells(grown.tolist()) == cells(labels.tolist())
        assert list(dict.fromkeys(grown.tolist())) == list(range(len(set(labels.tolist()))))
    assert restricted_growth(["wet", "dry", "wet"]).tolist() == [0, 1, 0]
    batch = RNG.integers(0, 4, (3, 4, 6))
    np.testing.assert_array_equal(
        restricted_growth(batch).reshape(-1, 6), [restricted_growth(row) for row in batch.reshape(-1, 6)]
    )


def test_refinements_are_intersections_of_cells():
    for one, other in RNG.integers(0, 3, (50, 2, 5)):
        meet = {a & b for a, b in itertools.product(cells(one.tolist()), cells(other.tolist()))} - {frozenset()}
        joined = common_refinement([one, other])
        assert cells(joined.tolist()) == meet
        assert refines(joined, one)
        assert refines(joined, other)
        assert refines(one, other) == all(any(a <= b for b in cells(other.tolist())) for a in cells(one.tolist()))
