"""`equilibrax plot`."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Annotated

import pyarrow as pa
import pyarrow.parquet as pq
import tyro
from rich.console import Console

from equilibrax.cli._folders import check_folder, check_new
from equilibrax.cli.progress import doing
from equilibrax.figures.markets import MARKET_FIGURES, plot_markets
from equilibrax.figures.paper import PAPER_FIGURES, plot_all
from equilibrax.rows import names_in, read_committees, read_users


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
        folder = self.out or (self.source if self.source.is_dir() else self.source.parent)
        check_folder("--out", folder)
        check_new("--out", [folder / name for name in (MARKET_FIGURES if market else PAPER_FIGURES)])
        doing(f"reading {self.source}")
        rows = read_users(self.source) if market else read_committees(self.source)
        doing(f"drawing {rows.num_rows:,} rows")
        folder.mkdir(parents=True, exist_ok=True)
        paths = plot_markets(rows, folder, users=_user_names(self.source)) if market else plot_all(rows, folder)
        for path in paths:
            console.print(str(path), markup=False)
        return 0


def _user_names(source: Path) -> tuple[str, ...]:
    """The users' names, where all markets of a file have the same."""
    found = {tuple(one.get("users", ())) for one in (names_in(pq.read_schema(source)) if source.is_file() else [])}
    return found.pop() if len(found) == 1 else ()


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
