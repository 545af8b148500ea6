"""What solving the selection game returns: integers inside, utilities outside, one row per (table, committee)."""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np
from jaxtyping import Float, Int

from equilibrax.fits.chebyshev import CertifiedFit
from equilibrax.games._result import TableResult
from equilibrax.problems.tables import UtilityTables


@dataclass(frozen=True, kw_only=True)
class SelectionResult(TableResult):
    """Equilibria of the selection game for B tables and C committees; see `Result` for what all results have.

    Values are exact fixed-point integers. Where a table was not solved (`Status.FRONTIER_OVERFLOW`) utilities and
    misalignment are NaN; counts, steps, schemes and values are -1, except `optimum_value`, which is known.

    Attributes:
        worst_scheme: `[B, C, X]` int16, action per state; the lexicographically first worst equilibrium.
        dynamics_scheme: `[B, C, X]` int16, where best-response dynamics ends, or None.
        fit: misalignment scores with certificates, or None.
        tables: the tables that were solved.
    """

    worst_scheme: Int[np.ndarray, "B C X"]
    dynamics_scheme: Int[np.ndarray, "B C X"] | None
    fit: CertifiedFit | None
    tables: UtilityTables = field(repr=False)

    @property
    def misalignment(self) -> Float[np.ndarray, "B C"] | None:
        """`[B, C]` misalignment score eps in utility units (2509.15090, Remark 5), or None if it was skipped."""
        return None if self.fit is None else self.fit.misalignment

    @property
    def resolved(self) -> int:
        """How many misalignment scores were solved again by HiGHS."""
        return 0 if self.fit is None else self.fit.resolved

    @property
    def bound(self) -> Float[np.ndarray, "B C"] | None:
        """`[B, C]` Theorem 6's guarantee `optimum - 2 eps` for the worst utility, or None without misalignment."""
        return None if self.fit is None else self.optimum - 2 * self.fit.misalignment

    def _numbers(self) -> dict[str, np.ndarray | None]:
        return super()._numbers() | {"misalignment": self.misalignment, "bound": self.bound}
