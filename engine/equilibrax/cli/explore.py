"""`equilibrax explore`."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path
from typing import Annotated

import tyro
from rich.console import Console

from equilibrax.cli._folders import check_new
from equilibrax.cli.flags.idle import Idle
from equilibrax.cli.games import ReadingFlags, idle_reading
from equilibrax.io.given import named_groups
from equilibrax.reports import Page, explore, explore_sweep


@dataclass(frozen=True)
class Explore:
    """Make a page to play with a market: one HTML file, which solves in the browser and needs no network.

    Change a utility and watch the equilibria move, let providers enter and leave, step through best-response dynamics.
    The page takes tables of at most 6 providers; it solves the selection game up to 6,561 schemes and the joint game up
    to 8 states, and says so where a market is larger.

    Of the folder of a sweep it makes a page of the dataset: Figures 5 and 6 as densities, of which a part can be
    chosen, and the tables behind it, which open in the same page.

    Example: equilibrax explore movielens --out movielens.html
    Example: equilibrax explore market.csv --out market.html
    Example: equilibrax explore my-sweep --out my-sweep.html
    """

    tables: Annotated[tyro.conf.Positional[tuple[Path, ...]], tyro.conf.arg(metavar="TABLE...")]
    """CSV or npz files, folders or zip files of MovieLens, or names of the paper's tables: synthetic-1, synthetic-2,
    movielens; or the folder of one sweep."""
    out: Annotated[Path, tyro.conf.arg(metavar="PAGE.html")] = Path("market.html")
    """File to write."""
    resolution: int | None = None
    """Fixed-point steps per unit of utility, as for `equilibrax solve`."""
    reading: Annotated[ReadingFlags, tyro.conf.arg(name="")] = field(default_factory=ReadingFlags)
    """How files are read."""

    def idle(self) -> Idle:
        if any((path / "sweep.json").exists() for path in self.tables):
            return [(("resolution", "reading"), "for tables")]
        return idle_reading(self.tables)

    def run(self, console: Console) -> int:
        if not self.tables:
            raise ValueError("TABLE: expected at least one CSV or npz file, got none")
        if self.out.suffix != ".html":
            raise ValueError(f"--out: expected a file that ends in .html, got {str(self.out)!r}")
        check_new("--out", [self.out])
        sweeps = [path for path in self.tables if (path / "sweep.json").exists()]
        if sweeps and len(self.tables) > 1:
            raise ValueError(f"TABLE: expected the folder of a sweep alone, got {len(self.tables)} places")
        page = explore_sweep(sweeps[0]) if sweeps else self._page()
        page.save(self.out)
        console.print(f"written to {self.out}; open it in a browser", markup=False)
        return 0

    def _page(self) -> Page:
        groups = [named_groups(path, self.resolution, **self.reading.options()) for path in self.tables]
        return explore(*(batch for one in groups for batch in one))
