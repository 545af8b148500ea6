"""What is played in an equilibrium: the rule that the user follows, or what she hears.

Letters: R lambdas, C committees, X states.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

import numpy as np
from jaxtyping import Bool, Int

Of = Literal["worst", "best", "dynamics"]
"""Which outcome: the user's worst or best equilibrium (of several the first), or where best-response dynamics ends."""


@dataclass(frozen=True)
class Outcome:
    """One outcome for every committee.

    Attributes:
        rule: `[..., C, X]` by state, the action that is recommended and taken, or the label of the cell that the user
            hears and responds to; -1 where there is none.
        followed: whether it is an action.
    """

    rule: Int[np.ndarray, "..."]
    followed: bool

    @property
    def exists(self) -> Bool[np.ndarray, "..."]:
        """`[..., C]` whether there is one."""
        return np.logical_and.reduce(self.rule >= 0, axis=-1)


def no_outcome(of: str, why: str) -> ValueError:
    """The refusal of a result that does not name an outcome."""
    return ValueError(f"of: expected an outcome that the result names, got {of!r} {why}")
