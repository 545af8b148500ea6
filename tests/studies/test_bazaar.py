"""Providers as sellers: the bazaar beside the selection market."""

from __future__ import annotations

import equilibrax as eq
import numpy as np
import pytest

SIZES = {"states": 3, "actions": 3, "seed": 0}


def test_paid_alone_sellers_who_know_the_state_tell_it():
    """Without stakes the truth is among the items, and from depth 2 she decides as if she saw the state."""
    tables = eq.sample_tables("uniform", 200, providers=2, **SIZES)
    found = eq.studies.bazaar_beside_selection(tables, eq.InformationMarket(depth=3), stake=0)
    assert found.bazaar.reaches_first_best[:, 2:].all()
    assert found.as_good[:, 2:].all()
    assert found.bazaar.harmed[:, 1].mean() > 0.03
    np.testing.assert_allclose(found.bazaar.first_best, found.selection.optimum_utility, rtol=1e-12)


def test_competition_does_in_a_bazaar_what_it_does_in_a_selection_market():
    """One seller with a large stake does much as the monopolist does; three are nearly always as good for her as the
    worst equilibrium of the selection market; a Bayesian buyer is never harmed."""
    market = eq.InformationMarket(depth=2)
    one, three = (
        eq.studies.bazaar_beside_selection(eq.sample_tables("uniform", 200, providers=k, **SIZES), market, stake=10)
        for k in (1, 3)
    )
    assert one.same[:, 2].mean() > 0.7
    assert three.as_good[:, 2].mean() > one.as_good[:, 2].mean()
    assert three.bazaar.utility[:, 2].mean() > one.bazaar.utility[:, 2].mean()
    assert (three.gain[three.as_good] > -1e-9).all()
    assert (three.gain[~three.as_good] < 0).all()


def test_what_cannot_be_compared_is_refused():
    tables = eq.sample_tables("uniform", 2, states=4, actions=2, providers=2, seed=0)
    with pytest.raises(ValueError, match="expected at most 16 partitions to show, got 28 of 2 providers of 4 states"):
        eq.studies.bazaar_beside_selection(tables)
    with pytest.raises(ValueError, match="stake: expected a whole number"):
        eq.studies.bazaar_beside_selection(tables, stake=-1)
