"""A market as a page to play with: one HTML file that solves in the browser, without a network.

The page is made of the files in `page/`: a template, its style and its modules, which are put into one file. What comes
from tables is data beside the script, and the script shows it as text alone; the page's own policy allows nothing else.
"""

from __future__ import annotations

import base64
import hashlib
import html
import json
import os
import re
from dataclasses import dataclass, field
from importlib import resources
from typing import Any

import numpy as np

from equilibrax._core.checks import expect
from equilibrax._core.files import write_document
from equilibrax.io import as_problem
from equilibrax.problems.tables import UtilityTables

MAX_PROVIDERS = 6
"""Most providers of a market in a page, which solves all committees after every change."""

MAX_BYTES = 300_000
"""Largest page: it can be sent by mail."""

_MODULES = (
    "numbers",
    "misalignment",
    "selection",
    "joint",
    "market",
    "csv",
    "dom",
    "charts",
    "schemes",
    "committees",
    "dynamics",
    "table",
    "page",
)
"""In the order in which each uses only those before it."""


@dataclass(frozen=True)
class Page:
    """One HTML file with everything in it; a notebook shows it.

    Attributes:
        html: its text.
    """

    html: str = field(repr=False)

    def save(self, path: str | os.PathLike[str]) -> None:
        """Write the file, all of it or nothing."""
        write_document(path, self.html)

    def _repr_html_(self) -> str:
        """The page inside a notebook: in a frame of its own, which can run its script and save files, nothing else."""
        frame = '<iframe sandbox="allow-scripts allow-downloads" title="A market to explore" width="100%" height="900"'
        return f'{frame} srcdoc="{html.escape(self.html, quote=True)}"></iframe>'


def explore(*tables: UtilityTables | Any) -> Page:
    """A page to play with: change utilities, committees and rules, and watch the equilibria move.

    It solves in the browser what `solve` solves here, with the same whole numbers: best-provider selection under both
    tie rules (up to 6,561 schemes) and the joint game (up to 8 states), for all committees (2509.15090, Section 7 and
    Definition 7). Nothing is fetched, and names are shown as text.

    Args:
        tables: batches of tables with at most 6 providers each, or what these are read from, as in `solve`; the reader
            chooses between the tables.

    Returns:
        The page; a notebook shows it, `save` writes it.

    Raises:
        ValueError: if there is no table, one has more than 6 providers, or the page would have more than 300 kB.

    Example:
        >>> import equilibrax as eq
        >>> page = eq.explore(eq.load_paper_table("movielens"))
        >>> page.save("movielens.html")
        >>> len(page.html) < 300_000
        True
    """
    batches = [expect("tables", as_problem(given), UtilityTables) for given in tables]
    count = sum(map(len, batches))
    if not count:
        raise ValueError("tables: expected at least one table, got none")
    for batch in batches:
        if batch.num_providers > MAX_PROVIDERS:
            raise ValueError(
                f"tables: expected at most {MAX_PROVIDERS} providers in a page, got {batch.num_providers}; choose some "
                f"when reading the file, with providers=[...] (--providers)"
            )
    found = [_market(batch, place, count) for batch in batches for place in range(len(batch))]
    return built_page({"markets": found, "game": "incumbent"})


def built_page(given: dict[str, Any], most: int = MAX_BYTES) -> Page:
    """The page with what it shows, of at most so many bytes; with a dataset above the market if there is one."""
    folder = resources.files("equilibrax.reports").joinpath("page")
    style = folder.joinpath("page.css").read_text("utf-8")
    modules = [*_MODULES, "dataset"] if "dataset" in given else _MODULES
    script = "\n".join(_inlined(folder.joinpath(f"{name}.mjs").read_text("utf-8")) for name in modules)
    data = json.dumps(given, separators=(",", ":"))
    for character in "<>&":  # nothing in the data can end or begin an element
        data = data.replace(character, f"\\u{ord(character):04x}")
    policy = (
        f"default-src 'none'; script-src '{_digest(script)}'; style-src '{_digest(style)}'; "
        "base-uri 'none'; form-action 'none'"
    )
    dataset = folder.joinpath("dataset.html").read_text("utf-8") if "dataset" in given else ""
    parts = {"policy": policy, "style": style, "script": script, "data": data, "dataset": dataset}
    template = folder.joinpath("page.html").read_text("utf-8")
    text = re.sub(r"\{\{(\w+)\}\}", lambda place: parts[place[1]], template)
    if len(text.encode()) > most:
        raise ValueError(
            f"tables: expected few enough for a page of {most:,} bytes, got {len(text.encode()):,}; choose some"
        )
    return Page(text)


def _inlined(module: str) -> str:
    """A module without its imports and exports, to stand beside the others."""
    return re.sub(r"^export ", "", re.sub(r"^import .*\n", "", module, flags=re.MULTILINE), flags=re.MULTILINE)


def _digest(text: str) -> str:
    return "sha256-" + base64.b64encode(hashlib.sha256(text.encode()).digest()).decode()


def _market(tables: UtilityTables, place: int, count: int) -> dict[str, Any]:
    """One table as the page takes it: utilities in whole steps, null where an action does not exist."""
    there = np.asarray(tables.available)[place]

    def steps(utilities: np.ndarray) -> list[list[int | None]]:
        return [[value if a else None for value, a in zip(*row)] for row in zip(utilities.tolist(), there.tolist())]

    named = tables.labels is not None and tables.table_id[place] < len(tables.labels.tables)
    name = tables.names()[place]
    return {
        "name": name if named or count == 1 else f"{name} {tables.table_id[place]}",
        "resolution": tables.resolution,
        "states": list(tables.state_names()),
        "actions": list(tables.labels.actions) if tables.labels else [str(a) for a in range(tables.actions)],
        "providers": list(tables.provider_names()),
        "prior": [str(weight) for weight in np.asarray(tables.prior)[place].tolist()],
        "user": steps(np.asarray(tables.user)[place]),
        "utilities": [steps(own) for own in np.asarray(tables.providers)[place]],
    }
