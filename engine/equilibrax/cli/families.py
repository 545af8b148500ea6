"""`equilibrax families`."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from dataclasses import dataclass, field
from itertools import groupby
from pathlib import Path
from typing import Annotated

import tyro
from rich.console import Console

from equilibrax._core.suggestions import did_you_mean
from equilibrax._core.text import Screen
from equilibrax.cli._folders import check_new
from equilibrax.cli.flags.idle import Idle
from equilibrax.cli.games import LookFlags
from equilibrax.cli.manual import wrapped
from equilibrax.figures import family_figure
from equilibrax.studies import Family, catalog


@dataclass(frozen=True)
class FamiliesCommand:
    """List the families of random problems, or say all about one: what is drawn, from where, with which parameters.

    Kinds are tables, markets, games in normal form, decision problems, raters and answers. A problem is a function of
    its family with version and parameters, of seed, sizes and number, and has the same bits everywhere; the SHA-256 of
    four small ones says so.

    Example: equilibrax families
    Example: equilibrax families games
    Example: equilibrax families near_hull
    Example: equilibrax families games --figure games.png
    Example: equilibrax families near_hull --figure near_hull.png
    """

    name: Annotated[tyro.conf.Positional[str], tyro.conf.arg(metavar="[NAME]")] = ""
    """A family, of all kinds that have one of this name; or a kind; by default all."""
    figure: Annotated[Path | None, tyro.conf.arg(metavar="FILE.{png,svg,pdf}")] = None
    """Figure to draw, of a family or of all of a kind: how two utilities, payoffs or ratings go together."""
    look: Annotated[LookFlags, tyro.conf.arg(name="")] = field(default_factory=LookFlags)
    """How figures look."""

    def idle(self) -> Idle:
        return [] if self.figure else [(("look",), "beside --figure")]

    def run(self, console: Console) -> int:
        self.look.check(self.figure)
        check_new("--figure", [self.figure])
        known = catalog()
        named = [family for family in known if family.name == self.name]
        listed = [family for family in known if self.name in ("", family.kind)]
        if not named and not listed:
            names = [*dict.fromkeys(family.kind for family in known), *dict.fromkeys(family.name for family in known)]
            raise ValueError(
                f"NAME: expected one of {', '.join(names)}, got {self.name!r}{did_you_mean(self.name, names)}"
            )
        if self.figure is not None and not self.name:
            kinds = ", ".join(dict.fromkeys(family.kind for family in known))
            raise ValueError(f"NAME: expected a family, or a kind ({kinds}), beside --figure, got none")
        lines = [line for family in named for line in ("", *_lines(family))][1:] if named else list(_listed(listed))
        screen = Screen(width=None if sys.stdout.isatty() else 200, soft_wrap=True)
        for line in lines:
            screen.print(line, markup=False)
        if self.figure is not None:
            with self.look.printed():
                family_figure(self.name, self.figure)
            console.print(f"figure drawn to {self.figure}", markup=False)
        return 0


def _listed(families: list[Family]) -> Iterator[str]:
    """A line or more for each, by kind."""
    width = max(len(family.name) for family in families)
    for kind, own in groupby(families, key=lambda family: family.kind):
        yield f"{kind}:"
        for family in own:
            yield from _hung(f"  {family.name:<{width}}  ", family.definition + _given(family))


def _hung(first: str, text: str) -> list[str]:
    """A text in lines that begin where it does."""
    lines = wrapped(text, len(first))
    return [first + lines[0].lstrip(), *lines[1:]]


def _given(family: Family) -> str:
    shown = ", ".join(f"{name}={value!r}" for name, value in family.parameters.items())
    return f" ({shown})" if shown else ""


def _lines(family: Family) -> list[str]:
    """All about one."""
    options = ", ".join(f"{name}={value!r}" for name, value in family.options.items())
    return [
        f"{family.kind}: {family.name}",
        *_hung("  what        ", family.definition),
        f"  source      {family.source}",
        f"  version     {family.version}",
        *_hung("  parameters  ", _given(family)[2:-1] or "none"),
        *_hung("  options     ", options or "none"),
        f"  example     {family.example}",  # in one line, to be copied
        f"  SHA-256     {family.digest()}",
        *_hung("  cite as     ", family.citation),
    ]
