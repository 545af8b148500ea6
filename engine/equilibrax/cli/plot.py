"""`equilibrax plot`."""

from __future__ import annotations

from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Annotated

import pyarrow as pa
import pyarrow.parquet as pq
import tyro
from rich.console import Console

from equilibrax.figures.markets import plot_markets
from equilibrax.figures.paper import plot_all
from equilibrax.rows.parquet import iter_committees, read_committees, read_users


@dataclass(frozen=True)
class Plot:
    """Draw Figures 5, 6 and 7 of the paper for any output of `solve`, `sweep` or `reproduce`.

    Figure 5: misalignment against the user's minimum utility at equilibrium, with the bound of Theorem 6. Figure 6: the
    same for the equilibrium that best-response dynamics reaches. Figure 7: minimum utility as providers enter one by
    one. Up to six tables have a panel each; more are drawn as densities, relative to each table's optimum.

    Of markets (`users*.parquet`, from a sweep with --users): bound.png, every user's worst utility against her bound,
    and providers.png, utility against the number of providers, in both games side by side.

    Example: equilibrax plot my-sweep
    """

    source: Annotated[tyro.conf.Positional[Path], tyro.conf.arg(metavar="DIR")]
    """The folder of a sweep, one with `committees*.parquet` or `users*.parquet`, or one such file."""
    out: Annotated[Path | None, tyro.conf.arg(metavar="DIR")] = None
    """Folder for the figures; default is beside the data."""

    def run(self, console: Console) -> int:
        market = _is_market(self.source)
        if market:
            rows = read_users(self.source)
        elif (self.source / "committees").is_dir():  # of a sweep, whose shards do not share tables
            rows = partial(iter_committees, self.source)
        else:
            rows = read_committees(self.source)
        folder = self.out or (self.source if self.source.is_dir() else self.source.parent)
        folder.mkdir(parents=True, exist_ok=True)
        for path in (plot_markets if market else plot_all)(rows, folder):
            console.print(str(path), markup=False)
        return 0


def _is_market(source: Path) -> bool:
    """Whether the rows are of users."""
    if source.is_dir():
        found = {
            kind for kind in ("users", "committees") if (source / kind).is_dir() or any(source.glob(f"{kind}*.parquet"))
        }
        return found == {"users"}
    try:
        return "committee" in (names := pq.read_schema(source).names) and "user" in names and "market" in names
    except (OSError, pa.ArrowInvalid):
        return False  # whoever reads it says what is wrong
