"""Comparisons show how far the worst equilibrium of every game is from what all could have."""

from __future__ import annotations

import equilibrax as eq
import numpy as np


def test_every_line_has_the_gap_of_its_worst_equilibrium():
    tables = eq.sample_tables("uniform", 4, states=3, actions=3, providers=2, seed=5)
    found = eq.compare(tables, rationality=[2.0])
    joint = eq.efficiency(eq.solve(tables, eq.Joint(dynamics=False)))
    quantal = eq.efficiency(eq.solve(tables, eq.Joint(eq.Quantal(2.0), dynamics=False)))
    alone = eq.efficiency(eq.solve(tables, "selection"))
    gaps = {line.name: found.efficiency_gap[:, g] for g, line in enumerate(found.lines)}
    np.testing.assert_allclose(gaps["joint"], joint.gap[:, -1], atol=1e-9)
    np.testing.assert_allclose(gaps["joint, λ = 2"], quantal.gap[:, -1], atol=1e-9)
    np.testing.assert_allclose(gaps["monopolist, followed"], alone.gap[:, :2].max(axis=1), atol=1e-9)
    assert quantal.gap.min() > 0
    assert np.isnan(gaps["oblivious, lotteries"]).all()
    rows = found.rows().to_pydict()
    stored = np.array([np.nan if gap is None else gap for gap in rows["efficiency_gap"]]).reshape(found.worst.shape)
    np.testing.assert_array_equal(stored, found.efficiency_gap)
