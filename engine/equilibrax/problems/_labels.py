"""Names for people."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class Labels:
    """Names for people: of states, actions, providers and, for files that hold several tables, tables.

    `tables[i]` is the name of the table whose `table_id` is i.
    """

    states: tuple[str, ...]
    actions: tuple[str, ...]
    providers: tuple[str, ...]
    tables: tuple[str, ...] = ()
