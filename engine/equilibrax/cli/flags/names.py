"""Errors name what was typed: fields of commands and options of games become their flags, and values what stood there.

A command's fields are its flags, its games' options too. One option may have several flags (how users respond:
`--rationality` and `--tolerance`), and a flag may be called otherwise than its field (`bin_range` is `--range`).
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import fields, is_dataclass
from typing import Annotated, Any, get_args, get_origin, get_type_hints

Flags = Mapping[str, Sequence[str]]
"""The flags of every field."""

_NAMED = re.compile(r"(?:^|(?<=: ))([a-z][a-z0-9_]*)(?=: expected)")
_OPTION = re.compile(r"\b([a-z][a-z0-9_]*)=\"([^\"]*)\"")
_OBJECT = re.compile(r"got (?:[A-Z]\w*\(.*\)|True|False)$")


def flags_by_field(command: type[Any]) -> dict[str, list[str]]:
    """The flags of every field of a dataclass and of those within it; of a field that is a dataclass, all below.

    Positional arguments go by what the usage line calls them.

    Example:
        >>> from equilibrax.cli.compare import Compare
        >>> found = flags_by_field(Compare)
        >>> found["tables_given"], found["states"], found["look"]
        (['TABLE'], ['--states'], ['--width', '--style'])
    """
    found: dict[str, list[str]] = {}
    hints = get_type_hints(command, include_extras=True)
    for f in fields(command):
        kind, *about = get_args(hints[f.name]) if get_origin(hints[f.name]) is Annotated else (hints[f.name],)
        markers = " ".join(map(repr, about))
        if "Suppress" in markers or "Fixed" in markers:
            continue
        if is_dataclass(kind):
            below = flags_by_field(kind)  # pyright: ignore[reportArgumentType]
            for name, own in (*below.items(), (f.name, [flag for few in below.values() for flag in few])):
                found[name] = list(dict.fromkeys([*found.get(name, []), *own]))
        elif "Positional" in markers:
            shown = next((one.metavar for one in about if getattr(one, "metavar", None)), f.name)
            found.setdefault(f.name, []).append(shown.strip("[]").removesuffix("..."))
        else:
            called = next((one.name for one in about if getattr(one, "name", None)), f.name)
            found.setdefault(f.name, []).append("--" + called.replace("_", "-"))
    return found | {name: found[of] for name, of in getattr(command, "called", {}).items()}


def typed_flags(args: Sequence[str]) -> set[str]:
    """The flags in a command's arguments, by the name that turns them on.

    Example:
        >>> sorted(typed_flags(["a.csv", "--no-dynamics", "--shard_size=3"]))
        ['--dynamics', '--no-dynamics', '--shard-size']
    """
    typed = {text.partition("=")[0].replace("_", "-") for text in args if text.startswith("--")}
    return typed | {"--" + text.removeprefix("--no-") for text in typed if text.startswith("--no-")}


def with_flags(message: str, args: Sequence[str], flags: Flags) -> str:
    """A message that begins with a field's name, perhaps after a file's, begins with the flag that sets it.

    Of several flags those that were typed are named; options in quotes become flags, and objects what was typed.

    Example:
        >>> with_flags("bin_range: expected 1, got 0", ["--range", "0"], {"bin_range": ["--range"]})
        '--range: expected 1, got 0'
        >>> flags = {"response": ["--rationality", "--tolerance"], "rules": ["--rules"]}
        >>> said = 'response: expected "best" with rules="a", got Quantal(rationality=(1.0,), tolerance=1e-09)'
        >>> with_flags(said, ["--rationality", "1"], flags)
        '--rationality: expected "best" with --rules a, got --rationality 1'
    """
    found = _NAMED.search(message)
    names = (found[1], f"{found[1]}s", found[1].removesuffix("s")) if found else ()
    own = next((flags[name] for name in names if name in flags), ())
    if found is None or not own:
        return message
    typed = typed_flags(args)
    chosen = [flag for flag in own if flag in typed] or [own[0]]
    rest = message[found.end() :]
    if (words := _words(args, chosen)) and _OBJECT.search(rest):
        rest = _OBJECT.sub(lambda _: f"got {words}", rest)
    return message[: found.start()] + chosen[0] + as_flags(rest, flags)


def as_flags(text: str, flags: Flags) -> str:
    """Options as Python has them, as flags: `rules="lotteries"` is `--rules lotteries`."""
    return _OPTION.sub(lambda one: f"{flags[one[1]][0]} {one[2]}" if one[1] in flags else one[0], text)


def _words(args: Sequence[str], flags: Sequence[str]) -> str:
    """These flags with their values, as they were typed."""
    kept, inside = [], False
    for text in args:
        if text.startswith("--"):
            inside = bool(typed_flags([text]) & {*flags})
        if inside:
            kept.append(text)
    return " ".join(kept)
