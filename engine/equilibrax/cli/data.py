"""`equilibrax data`."""

from __future__ import annotations

import http.client
import shutil
import urllib.parse
import urllib.request
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Annotated

import numpy as np
import tyro
from rich.console import Console

from equilibrax._core.files import whole_file
from equilibrax.cli._folders import check_new
from equilibrax.io.movielens import MOVIELENS_RESOLUTION, movielens_table, read_movielens
from equilibrax.io.tables import write_table

MOVIELENS = "https://files.grouplens.org/datasets/movielens/ml-latest-small.zip"
LICENCE = "https://files.grouplens.org/datasets/movielens/ml-latest-small-README.html"


@dataclass(frozen=True)
class MovieLensTable:
    """Write the utility table of MovieLens, from raw ratings.

    States are six genres, actions the three most rated movies of each. The user's utility is a movie's average rating,
    a provider's its average among the fans of a genre (at least 20 ratings of it, 4.0 on average), divided by 5. This
    is Table 3 of the paper, with all digits.

    Averages are not decimals. They are rounded once, half to even, to 9 decimals: by at most 5e-10.

    Example: equilibrax data movielens-table ml-latest-small --out movielens.csv
    """

    source: Annotated[tyro.conf.Positional[Path], tyro.conf.arg(metavar="FOLDER")]
    """Folder or zip file with ratings.csv and movies.csv."""
    out: Annotated[Path, tyro.conf.arg(metavar="TABLE.csv")] = Path("movielens.csv")
    """File to write, .csv or .npz; an .npz knows its resolution."""
    resolution: int = MOVIELENS_RESOLUTION
    """Fixed-point steps per unit of utility: a power of ten, for a CSV."""

    def run(self, console: Console) -> int:
        check_new("--out", [self.out])
        table = movielens_table(self.source, resolution=self.resolution)
        assert table.labels is not None
        write_table(replace(table, labels=replace(table.labels, tables=(self.out.stem,))), self.out)
        cells = (1 + table.num_providers) * int(np.asarray(table.available).sum())
        console.print(f"{cells} utilities of {table.actions} movies written to {self.out}", markup=False)
        own = "" if self.out.suffix.lower() == ".npz" else f" --resolution {self.resolution}"
        console.print(f"solve it: equilibrax solve {self.out}{own}", markup=False)
        return 0


@dataclass(frozen=True)
class FetchMovieLens:
    """Fetch the data set ml-latest-small of MovieLens, if you accept its licence.

    It is about 1 MB. Its licence allows research and asks for acknowledgement; commercial use needs permission. It is
    not part of equilibrax, which fetches nothing unless you ask with --accept-licence.

    Example: equilibrax data movielens --accept-licence
    """

    accept_licence: Annotated[bool, tyro.conf.FlagCreatePairsOff] = False
    """You have read the licence and accept it."""
    out: Annotated[Path, tyro.conf.arg(metavar="DIR")] = Path(".")
    """Folder for the zip file, created if need be."""
    url: Annotated[str, tyro.conf.arg(metavar="URL")] = MOVIELENS
    """Where the zip file is, for those who have it from elsewhere."""

    def run(self, console: Console) -> int:
        if not self.accept_licence:
            raise ValueError(
                f"--accept-licence: expected this flag, after reading {LICENCE}; nothing is fetched without"
            )
        path = self.out / (Path(urllib.parse.urlsplit(self.url).path).name or "movielens.zip")
        if path.exists():
            ratings = read_movielens(path).num_ratings
            console.print(f"{path} is there already, with {ratings:,} ratings; nothing is fetched", markup=False)
            return 0
        console.print(f"licence: {LICENCE}", markup=False)
        console.print(f"fetching {self.url}", markup=False)
        ratings = _fetch(self.url, path)
        console.print(f"{ratings:,} ratings are in {path}", markup=False)
        console.print(f"solve the selection game: equilibrax solve {path}", markup=False)
        return 0


def _fetch(url: str, path: Path) -> int:
    """Fetch a data set, and return how many ratings it has; a file appears only if it is whole."""
    path.parent.mkdir(parents=True, exist_ok=True)
    with whole_file(path) as file:
        try:
            with urllib.request.urlopen(url, timeout=60) as answer:
                shutil.copyfileobj(answer, file)
            file.flush()
        except (OSError, ValueError, http.client.HTTPException) as error:
            reason = getattr(error, "reason", None) or error
            raise ValueError(f"{url}: expected a zip file to fetch, got: {reason}") from error
        try:
            return read_movielens(file.name).num_ratings
        except ValueError as error:
            message = str(error).replace(file.name, url)
            raise ValueError(f"{message}; nothing is kept") from error


@dataclass(frozen=True)
class Data:
    """Fetch MovieLens, or write its utility table, from raw ratings.

    movielens-table FOLDER writes the utility table of the paper's Appendix D for `equilibrax solve`; movielens fetches
    the data set if you accept its licence.

    Example: equilibrax data movielens --accept-licence

    Example: equilibrax data movielens-table ml-latest-small.zip --out movielens.csv
    """

    what: tyro.conf.OmitSubcommandPrefixes[
        Annotated[MovieLensTable, tyro.conf.subcommand("movielens-table")]
        | Annotated[FetchMovieLens, tyro.conf.subcommand("movielens")]
    ]

    def run(self, console: Console) -> int:
        return self.what.run(console)
