"""The guarantees that `compare` sets beside what the user gets. Further ones are added to `bounds_of`."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from jaxtyping import Float

from equilibrax.misalignment import misalignment
from equilibrax.partition_result import PartitionResult
from equilibrax.result import SelectionResult
from equilibrax.tables import UtilityTables

Bound = tuple[str, Float[np.ndarray, " B"]]


def bounds_of(
    lines: Sequence[Any], followed: SelectionResult | None, checked: PartitionResult | None, joint: PartitionResult
) -> dict[Any, Bound]:
    """For the lines to which a theorem applies, its name and `[B]` what it guarantees of the worst utility.

    Theorem 6, with the misalignment of each committee, for a user who follows; a monopolist's line has the smallest of
    the providers' bounds. Definition 1's misalignment of the whole table, which asks nothing of the equilibria, gives
    Theorem 1 for a user who hears everybody, and the same argument gives it for one who checks what a single provider
    says: in either game every provider could reveal everything, and the user would then have her optimum.
    """
    if followed is None or not isinstance(followed.tables, UtilityTables) or followed.bound is None:
        return {}
    k = followed.tables.num_providers
    everybody = 2**k - 1
    table_wide = misalignment(followed.tables, [everybody], rows="table", throw=False)
    revealed = np.where(table_wide.certified, joint.optimum[:, -1:] - 2 * table_wide.misalignment, np.nan)[:, 0]
    by_game: dict[tuple[str, str], Bound] = {
        ("monopolist", "follows"): ("Theorem 6", followed.bound[:, :k].min(axis=1)),
        ("selection", "follows"): ("Theorem 6", followed.bound[:, -1]),
        ("joint", "best response"): ("Theorem 1", revealed),
    }
    if checked is not None:
        by_game["selection", "best response"] = ("Theorem 6", revealed)
    return {line: by_game[line.game, line.user] for line in lines if (line.game, line.user) in by_game}
