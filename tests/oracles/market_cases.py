"""Markets of the oracle as batches of the engine."""

import equilibrax as eq
import numpy as np


def as_market(games, state_of=None):
    """A batch of the engine's from separable markets of the oracle with the same sight and the same steps."""
    first = games[0]
    return eq.separable_market(
        np.array([g.user for g in games]) / first.resolution,
        np.array([g.components for g in games]) / first.resolution,
        np.array([g.weights for g in games]) / first.weight_resolution,
        np.array([g.prior for g in games]),
        available=np.array([g.available for g in games], bool),
        provider_sees=first.provider_sees,
        user_sees=first.user_sees,
        state_of=state_of,
        resolution=first.resolution,
        weight_resolution=first.weight_resolution,
    )
