"""What solving the selection game returns: integers inside, utilities outside, one row per (table, committee)."""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np
from jaxtyping import Float, Int

from equilibrax._core.column import Column
from equilibrax._core.columns import declared
from equilibrax.fits.chebyshev import CertifiedFit
from equilibrax.games._outcome import Of, Outcome, no_outcome
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
    def columns(self) -> tuple[Column, ...]:
        """The columns of its rows, see `equilibrax.rows`."""
        return declared("committees")

    @property
    def best_scheme(self) -> Int[np.ndarray, "B C X"]:
        """`[B, C, X]` int16, action per state; the lexicographically first best equilibrium.

        A scheme that is optimal for the user is stable against all who must make her strictly better off. So with two
        or more providers the best equilibria are her optima; if the lowest provider wins ties, those of them that it
        likes best. A monopolist plays its own optima, the best of them for her. Priors are positive, so each state
        decides alone.
        """
        user, providers = (np.asarray(a).astype(np.int64) for a in (self.tables.user, self.tables.providers))
        none = np.iinfo(np.int64).min
        user = np.where(self.tables.available, user, none)
        providers = np.where(np.asarray(self.tables.available)[:, None], providers, none)
        schemes = np.empty(self.worst_scheme.shape, np.int16)
        for c, mask in enumerate(self.committees.tolist()):
            lowest = providers[:, (mask & -mask).bit_length() - 1]
            if mask & (mask - 1) == 0:
                first, then = lowest, user
            else:
                first, then = user, lowest if self.tie_break == "lowest_index" else np.zeros_like(user)
            among = first == first.max(axis=2, keepdims=True)
            schemes[:, c] = np.where(among, then, none).argmax(axis=2)
        return np.where(self.solved[..., None], schemes, np.int16(-1))

    def outcome(self, of: Of) -> Outcome:
        """The scheme that is followed."""
        scheme = {"worst": self.worst_scheme, "dynamics": self.dynamics_scheme}.get(of)
        if of == "best":
            scheme = self.best_scheme
        if scheme is None:
            raise no_outcome(of, "without dynamics")
        return Outcome(scheme.astype(np.int64), followed=True)

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
        return None if self.fit is None else self.optimum_utility[:, None] - 2 * self.fit.misalignment

    def _numbers(self) -> dict[str, np.ndarray | None]:
        return super()._numbers() | {"misalignment": self.misalignment, "bound": self.bound}
