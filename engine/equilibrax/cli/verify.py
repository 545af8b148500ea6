"""`equilibrax verify`."""

from __future__ import annotations

import json
import re
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated

import tyro
from rich.console import Console

from equilibrax._core.files import write_whole
from equilibrax.cli._folders import check_new
from equilibrax.cli.flags.idle import Idle
from equilibrax.cli.progress import quiet
from equilibrax.verification import verify


@dataclass(frozen=True)
class Verify:
    """Check a dataset by other means than those that made it: checksums, tables, equilibria, misalignment.

    Every table is drawn again from its seed and solved again with plain integers, every misalignment score by HiGHS;
    --sample and --programs take fewer. Prints what was checked and how much, what was not, and the first failures, each
    with file, row, column, what was expected and what was there.

    Exit status: 0 if everything holds, 1 if something does not, 2 if DIR is no dataset, 3 if what was checked holds and
    something was not that --allow does not name.

    Example: equilibrax verify my-sweep
    Example: equilibrax verify my-sweep --manifest-sha256 my-sweep.sha256
    Example: equilibrax verify big --sample 100000 --programs 100000 --report big.json
    """

    directory: Annotated[tyro.conf.Positional[Path], tyro.conf.arg(metavar="DIR")]
    """The folder of a sweep."""
    sample: int | None = None
    """Draw and solve so many tables again, chosen at random; without it, all."""
    programs: int | None = None
    """Solve about so many misalignment scores of these again by HiGHS, chosen at random; without it, all."""
    seed: int | None = None
    """Seed of the choices, to repeat a run; without it, one that nobody knows before, which is printed."""
    allow: Annotated[tuple[str, ...], tyro.conf.arg(metavar="NAME ...")] = ()
    """What may be left unchecked, by the names that are printed."""
    manifest_sha256: Annotated[str | None, tyro.conf.arg(metavar="FILE|HEX")] = None
    """The SHA-256 of manifest.json, or a file that begins with it, from whoever made the dataset."""
    report: Annotated[Path | None, tyro.conf.arg(metavar="FILE.json")] = None
    """File for the report, as JSON."""

    def idle(self) -> Idle:
        chosen = self.sample is not None or self.programs is not None
        return [] if chosen else [(("seed",), "beside --sample or --programs")]

    def run(self, console: Console) -> int:
        check_new("--report", [self.report])
        with quiet(), console.status("") as status:
            found = verify(
                self.directory,
                sample=self.sample,
                programs=self.programs,
                seed=self.seed,
                allow=self.allow,
                manifest_sha256=_digest(self.manifest_sha256),
                progress=lambda done, total: status.update(f"{done:,} of {total:,} shards"),
            )
        console.print(found.summary())
        for line in found.lines():
            console.print(line, markup=False)
        if self.report is not None:
            write_whole(self.report, json.dumps(found.to_json(), indent=1) + "\n")
        return 1 if not found.holds else 0 if found.complete else 3


def _digest(given: str | None) -> str | None:
    """A SHA-256, or what a file begins with, as `sha256sum` writes it."""
    if given is None or re.fullmatch("[0-9a-fA-F]{64}", given):
        return given
    try:
        with open(given, "rb") as file:
            return file.read(64).decode("ascii", "replace")
    except OSError as error:
        raise ValueError(f"manifest_sha256: expected 64 hexadecimal digits or a file, got {given}: {error}") from None
