"""`README.md` of a dataset: a card with the front matter that `datasets.load_dataset` reads."""

from __future__ import annotations

import json
from typing import Any

from equilibrax._core.column import Column, column_table
from equilibrax.datasets._layout import TEXT, Layout

CITATION = """\
@software{equilibrax,
  title = {equilibrax: exact, batched equilibrium search for users who choose among misaligned AI providers},
  version = {VERSION},
  year = {2026}
}

@article{collina2025emergent,
  title = {Emergent Alignment via Competition},
  author = {Collina, Natalie and others},
  journal = {arXiv preprint arXiv:2509.15090},
  year = {2025}
}
"""

_SIZES = [(10**3, "n<1K"), (10**4, "1K<n<10K"), (10**5, "10K<n<100K"), (10**6, "100K<n<1M"), (10**7, "1M<n<10M")]
_SIZES += [(10**8, "10M<n<100M"), (10**9, "100M<n<1B"), (10**10, "1B<n<10B"), (10**11, "10B<n<100B")]
_SIZES += [(10**12, "100B<n<1T")]

_PROVIDERS = """\
A user wants one thing, several AI providers each want another, and they compete for her
([Emergent Alignment via Competition](https://arxiv.org/abs/2509.15090)). `{inputs}` holds the games, `{results}` what
happens in them for every committee of providers; `{key}` joins them."""
_ABOUT = {
    "problems": """\
A buyer has a decision to make, and sellers who know the state show her items of information, which she inspects before
she pays. `{inputs}` holds the decision problems, `{results}` what markets of information of every depth do in them;
`{key}` joins them."""
}
"""What rows are about, by what is counted."""

_SPLIT_BY = {
    "id": "id, so all rows of a game are in one split",
    "form": "canonical form, so games that differ only in how states, actions and providers are numbered are in one",
}

_TEXT = """
`text` holds the games in words, each with questions whose answers are exact:

```python
import datasets, equilibrax

[asked] = datasets.load_dataset("FOLDER", "text", split="train").take(1)
equilibrax.datasets.grade(asked, "... so I get\\nAnswer: 3/4")
```
"""

DEFAULT_LICENCE = "CC0-1.0"


def dataset_card(layout: Layout, columns: dict[str, list[Column]], totals: dict[str, Any], others: int = 0) -> str:
    """The whole text.

    Args:
        layout: the folder.
        columns: of its files, by the name of the folder.
        totals: as in the manifest.
        others: how many shards were made with other packages or devices than `sweep.json` names.
    """
    config, version = layout.description["config"], layout.description["equilibrax"]
    inputs, results = layout.kinds[:2]
    unused = {"bins", "bin_range", "candidates"} if not config.get("stratify") else set()
    unused |= {"equilibria_cap"} if "equilibria" not in config.get("columns", []) else set()
    made = {name: value for name, value in config.items() if name not in unused and value not in (None, [], {}, "")}
    settings = "\n".join(f"| `{name}` | `{json.dumps(value)}` |" for name, value in made.items())
    tables = "\n\n".join(f"### {kind}\n\n{column_table(found)}" for kind, found in columns.items())
    statuses = ", ".join(f"{count:,} {name}" for name, count in totals["statuses"].items())
    sizes = "; ".join(
        f"{split}: " + ", ".join(f"{totals['splits'][split][kind]:,} rows of {kind}" for kind in layout.kinds)
        for split in layout.splits
    )
    made_with = ", ".join(f"{name} {value}" for name, value in layout.made_with.items() if value is not None)
    layout_of = layout.description["layout"]
    about = _ABOUT.get(layout.unit, _PROVIDERS).format(inputs=inputs, results=results, key=layout_of["key"])
    also = f" {others:,} of {totals['shards']:,} shards were made with others, which their records name." * bool(others)
    return f"""\
---
{_front_matter(layout, columns, totals)}---

# Equilibria of games between AI providers

{totals[layout.unit]:,} random {layout.unit} and {totals["rows"]:,} rows of results, solved exactly by equilibrax
{version}. {about}

{sizes}. Splits are by a hash of seed and {_SPLIT_BY[config.get("split_by", "id")]}. Status of the rows of
results: {statuses}.

## How to read it

```python
import datasets, duckdb, polars

datasets.load_dataset("FOLDER", "{results}", split="train", streaming=True)
polars.scan_parquet("FOLDER/{results}/train-*.parquet")
duckdb.sql("select * from 'FOLDER/{results}/*.parquet'")
```

The formats `numpy`, `torch` and `jax` of `datasets` make float64 to float32 without a word, and `jax` makes int64 to
int32; without a format, and in other readers, every number is as it was written. Lists are flat; the letters of their
lengths below are their shape, in this order.
{_TEXT * (TEXT in layout.kinds)}
## How it was made

By `equilibrax sweep` of equilibrax {version} (git revision {layout.description["git_revision"] or "unknown"}), with

| setting | value |
|---|---|
{settings}

Made with {made_with or "packages that it does not name"}.{also}

The games are synthetic: no person's data is in them. The same settings, versions and kind of device make the same bytes
again.
`manifest.json` lists every file with its SHA-256; `croissant.json` describes the columns for machines.

## Columns

{tables}

## How to cite

```bibtex
{CITATION.replace("VERSION", version)}```
"""


def _front_matter(layout: Layout, columns: dict[str, list[Column]], totals: dict[str, Any]) -> str:
    rows = totals["rows"]
    lines = [f"license: {licence(layout).lower()}", "pretty_name: Equilibria of games between AI providers"]
    lines += ["tags:", "- game-theory", "- equilibrium", "- alignment", "- synthetic", "size_categories:"]
    lines += [f"- {next((name for limit, name in _SIZES if rows < limit), 'n>1T')}", "configs:"]
    for kind in reversed(layout.kinds):
        lines += (
            [f"- config_name: {kind}"] + (["  default: true"] if kind == layout.kinds[1] else []) + ["  data_files:"]
        )
        for split in filled(layout, totals):
            lines += [f"  - split: {split}", f"    path: {kind}/{split}-*.parquet"]
    lines.append("dataset_info:")
    for kind, found in columns.items():
        lines += [f"- config_name: {kind}", "  features:"]
        for column in found:
            lines.append(f"  - name: {column.name}")
            lines += [f"{' ' * (4 + 2 * i)}list:" for i in range(column.depth - 1)]
            key = "list" if column.depth else "dtype"
            lines.append(f"{' ' * (4 + 2 * max(0, column.depth - 1))}{key}: {column.element}")
    return "\n".join(lines) + "\n"


def filled(layout: Layout, totals: dict[str, Any]) -> list[str]:
    """The splits with rows; readers refuse to load one without."""
    return [split for split in layout.splits if any(totals["splits"][split].values())]


def licence(layout: Layout) -> str:
    """The licence's SPDX name."""
    return layout.description["config"].get("licence", DEFAULT_LICENCE)
