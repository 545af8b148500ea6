"""`equilibrax plot`."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Annotated

import tyro
from rich.console import Console

from equilibrax.figures import plot_all
from equilibrax.records import read_committees


@dataclass(frozen=True)
class Plot:
    """Draw Figures 5, 6 and 7 of the paper for any output of `solve`, `sweep` or `reproduce`.

    Figure 5: misalignment against the user's minimum utility at equilibrium, with the bound of Theorem 6. Figure 6: the
    same for the equilibrium that best-response dynamics reaches. Figure 7: minimum utility as providers enter one by
    one. Up to six tables have a panel each; more are drawn as densities, relative to each table's optimum.

    Example: equilibrax plot my-sweep
    """

    source: Annotated[tyro.conf.Positional[Path], tyro.conf.arg(metavar="DIR")]
    """The folder of a sweep, one with `committees*.parquet`, or one such file."""
    out: Annotated[Path | None, tyro.conf.arg(metavar="DIR")] = None
    """Folder for the figures; default is beside the data."""

    def run(self, console: Console) -> int:
        rows = read_committees(self.source)
        folder = self.out or (self.source if self.source.is_dir() else self.source.parent)
        folder.mkdir(parents=True, exist_ok=True)
        for path in plot_all(rows, folder):
            console.print(str(path), markup=False)
        return 0
