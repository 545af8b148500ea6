"""Flags that would change nothing are refused, where they were typed: whoever types one expects it to do something.

Whatever has flags may have a method `idle`: pairs of names of fields that have no effect beside the others' values, and
beside what they would have one. Commands have it, groups of flags, and games for their options.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import fields, is_dataclass
from typing import Any

from equilibrax.cli.flags.names import Flags, as_flags, typed_flags

Idle = Iterable[tuple[Sequence[str], str]]
"""Names of fields, and where they do something: "beside --figure"."""


def refuse_idle(command: Any, args: Sequence[str], flags: Flags) -> None:
    """Refuse flags that were typed and change nothing.

    Args:
        command: with the values of all its flags.
        args: what was typed.
        flags: of every field.

    Raises:
        ValueError: naming the flag, and beside what it does something.
    """
    typed = typed_flags(args)
    for names, where in _idle(command):
        for flag in (flag for name in names for flag in flags.get(name, ())):
            if flag in typed:
                raise ValueError(f"{flag}: expected only {as_flags(where, flags)}; it changes nothing here")


def _idle(one: Any) -> Iterator[tuple[Sequence[str], str]]:
    if hasattr(one, "idle"):
        yield from one.idle()
    for f in fields(one) if is_dataclass(one) else ():
        value = getattr(one, f.name)
        if is_dataclass(value):
            yield from _idle(value)
