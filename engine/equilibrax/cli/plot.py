"""`equilibrax plot`."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import Annotated, Any

import pyarrow as pa
import pyarrow.parquet as pq
import tyro
from rich.console import Console

from equilibrax.cli._folders import check_folder, check_new
from equilibrax.cli.games import FigureFlags
from equilibrax.cli.progress import doing
from equilibrax.figures.efficiency import EFFICIENCY_FIGURE
from equilibrax.figures.information import plot_depths
from equilibrax.figures.markets import MARKET_FIGURES, MARKET_NAMES, plot_markets
from equilibrax.figures.paper import PAPER_FIGURES, plot_all
from equilibrax.rows import iter_committees, read_committees, read_depths, read_users


@dataclass(frozen=True)
class Plot:
    """Draw Figures 5, 6 and 7 of the paper for any output of `solve`, `sweep` or `reproduce`.

    Figure 5: misalignment against the user's minimum utility at equilibrium, with the bound of Theorem 6. Figure 6: the
    same for the equilibrium that best-response dynamics reaches. Figure 7: minimum utility as providers enter one by
    one. Up to six tables have a panel each; more are drawn as densities, relative to each table's optimum. Rows with
    the columns of efficiency have efficiency.png too: the efficiency gap of the worst equilibrium against misalignment.

    Of markets (`users*.parquet`, from a sweep with --users): bound.png, every user's worst utility against her bound,
    and providers.png, utility against the number of providers, in both games side by side. Of markets of information
    (`depths*.parquet`, from a sweep with --items): depth.png, the buyer's utility against the depth of the market.

    Example: equilibrax plot my-sweep
    """

    source: Annotated[tyro.conf.Positional[Path], tyro.conf.arg(metavar="DIR")]
    """The folder of a sweep, one with `committees*.parquet`, `users*.parquet` or `depths*.parquet`, or such a file."""
    out: Annotated[Path | None, tyro.conf.arg(metavar="DIR")] = None
    """Folder for the figures; default is beside the data."""
    look: Annotated[FigureFlags, tyro.conf.arg(name="")] = field(default_factory=FigureFlags)
    """How figures look."""

    def run(self, console: Console) -> int:
        figures, prepared = _KINDS[_kind_of(self.source)]
        folder = self.out or (self.source if self.source.is_dir() else self.source.parent)
        check_folder("--out", folder)
        with self.look.printed():
            check_new("--out", self.look.files(folder, figures), folders=True)
        doing(f"reading {self.source}")
        draw = prepared(self.source)
        doing(f"drawing {', '.join(figures)}")
        folder.mkdir(parents=True, exist_ok=True)
        with self.look.printed():
            drawn = draw(folder)
        for path in drawn:
            console.print(str(path), markup=False)
        return 0 if drawn else 1


def _rows(source: Path) -> Any:
    """Rows of a sweep part by part, since its shards have no table in common; others together."""
    also = ("efficiency_gap",)
    if not (source / "committees").is_dir():
        return read_committees(source, also)
    iter_committees(source)  # which says at once that there is nothing
    return partial(iter_committees, source, also)


_KINDS: dict[str, tuple[tuple[str, ...], Callable[[Path], Callable[[Path], list[Path]]]]] = {
    "committees": ((*PAPER_FIGURES, EFFICIENCY_FIGURE), lambda source: partial(plot_all, _rows(source))),
    "users": (MARKET_FIGURES, lambda source: partial(plot_markets, read_users(source, MARKET_NAMES))),
    "depths": (("depth.png",), lambda source: partial(plot_depths, read_depths(source))),
}
"""What rows are of: their figures, and how they are read and drawn."""

_TELLING = {"users": ("committee", "user", "market"), "depths": ("problem", "depth", "harmed")}


def _kind_of(source: Path) -> str:
    """What the rows are of; "committees" if nothing else, whose reader says what is wrong."""
    if source.is_dir():
        found = [kind for kind in _KINDS if (source / kind).is_dir() or any(source.glob(f"{kind}*.parquet"))]
        return found[0] if len(found) == 1 else "committees"
    try:
        names = pq.read_schema(source).names
    except (OSError, pa.ArrowInvalid):
        names = []
    return next((kind for kind, told in _TELLING.items() if all(name in names for name in told)), "committees")
