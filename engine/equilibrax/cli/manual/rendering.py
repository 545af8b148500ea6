"""Manual pages of commands: what tyro knows of their flags, as text that is readable in a terminal of 80 columns."""

from __future__ import annotations

import re
import warnings
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from importlib import import_module
from typing import Any

import tyro

from equilibrax.cli._flags import composed, games_of
from equilibrax.cli.manual import GAME, WIDTH, wrapped

_EXAMPLE = re.compile(r"\s*\bExample:\s+")  # they come last
_DEFAULT = re.compile(r"\s*\(default: ((?:(?!\(default:).)*)\)\s*$", re.DOTALL)
_SAID = re.compile(r"\bdefault(:| is\b| all\b| as\b| \d)|by default", re.IGNORECASE)
_FLAG_WITH_VALUE = re.compile(r"(--[\w-]+) (?=[^-])")
_COMMAND = re.compile(r"`equilibrax [^`]{1,40}`")
_TOGETHER = "\u00a0"  # where no line ends
_SEVERAL = re.compile(r"^\[(.+) \[\1 \.\.\.\]\]$")
_REQUIRED = re.compile(r"\s*\((required|optional)\)\s*$")
_WORDS = {
    "INT": "N",
    "FLOAT": "NUMBER",
    "STR": "TEXT",
    "PATH": "FILE",
    "STR ...": "TEXT ...",
    "INT ...": "N ...",
}


@dataclass(frozen=True)
class _Flag:
    """One flag or argument: how it is typed, and what it says."""

    typed: str
    text: str
    positional: bool
    option: str


def page_of(command: type[Any], args: Sequence[str], prog: str) -> str:
    """The manual page of a command.

    Args:
        command: its class.
        args: what was typed after it; `--game` shows the options of that game alone, without it those of all.
        prog: what the command is called, such as `equilibrax solve`.
    """
    command = command.variant(args) if hasattr(command, "variant") else command
    typed = any(text.partition("=")[0] == "--game" for text in args)
    games = games_of(command, args) if typed else games_of(command, None)
    parsers = {name: _parser(composed(command, kinds), prog) for name, kinds in games.items()}
    parser = next(iter(parsers.values())) if parsers else _parser(command, prog)
    flags = {name: list(_flags(own)) for name, own in parsers.items()} or {"": list(_flags(parser))}
    common = [flag for flag in next(iter(flags.values())) if all(flag in others for others in flags.values())]
    if len(flags) == 1 and parsers:  # what the game adds is what the command alone has not
        plain = {flag.typed for flag in _flags(_parser(command, prog))}
        common = [flag for flag in common if flag.typed in plain or flag.option == "--game"]
    lines = _head(parser, prog)
    lines += _section("arguments:", [flag for flag in common if flag.positional])
    lines += _section("options:", [flag for flag in common if not flag.positional])
    for name, own in flags.items():
        more = [flag for flag in own if flag not in common]
        default = ", the default" * (name == getattr(command, "game", None) and len(flags) > 1)
        lines += _section(f"{GAME}{name}{default}:", more) if more else []
    for name, sub in _subcommands(parser):
        lines += ["", f"{prog} {name}:", *wrapped(sub.description.split("\n\n")[0], 4)]
    if _subcommands(parser):
        lines += ["", *wrapped(f"`{prog} NAME --help` has the options of each.")]
    return "\n".join(lines) + "\n"


def subpage_of(command: type[Any], name: str, prog: str) -> str:
    """The manual page of a subcommand."""
    parser = dict(_subcommands(_parser(command, prog)))[name]
    flags = list(_flags(parser))
    lines = _head(parser, f"{prog} {name}")
    lines += _section("arguments:", [flag for flag in flags if flag.positional])
    return "\n".join(lines + _section("options:", [flag for flag in flags if not flag.positional])) + "\n"


def all_pages(commands: dict[str, tuple[str, str]]) -> dict[str, str]:
    """All pages that are stored, by the names of their files without suffix."""
    pages = {}
    for name, (class_name, _) in commands.items():
        command, prog = getattr(import_module(f"equilibrax.cli.{name}"), class_name), f"equilibrax {name}"
        pages[name] = page_of(command, [], prog)
        for flag in getattr(command, "variant_flags", ()):
            pages[f"{name}{flag}"] = page_of(command, [flag], f"{prog} {flag} N")
        for sub, _ in _subcommands(_parser(command, prog)) if not hasattr(command, "over") else ():
            pages[f"{name}.{sub}"] = subpage_of(command, sub, prog)
    return pages


def _parser(command: type[Any], prog: str) -> Any:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # there is no other way to what tyro knows
        return tyro.extras.get_parser(command, prog=prog)


def _subcommands(parser: Any) -> list[tuple[str, Any]]:
    return [pair for action in parser._actions if isinstance(action.choices, dict) for pair in action.choices.items()]


def _head(parser: Any, prog: str) -> list[str]:
    text, *examples = _EXAMPLE.split(parser.description or "")
    title, *paragraphs = [part for part in re.split(r"\n\s*\n", text) if part.strip()]
    positional = [_metavar(a) for a in parser._actions if not a.option_strings and not isinstance(a.choices, dict)]
    names = ["{" + ",".join(name for name, _ in _subcommands(parser)) + "}"] if _subcommands(parser) else []
    options = ["[options]"] if any(action.option_strings for action in _own(parser)) or names else []
    lines = [*wrapped(f"usage: {' '.join([prog, *names, *positional, *options])}"), "", *wrapped(title)]
    for paragraph in paragraphs:
        lines += ["", *_told(paragraph)]
    if examples:
        lines += ["", "examples:"]
        for example in examples:
            lines += _command_lines(example)
    return lines


def _command_lines(example: str) -> list[str]:
    """A command to type, over several lines if it is long; flags stay with their values."""
    return [line.replace(_TOGETHER, " ") for line in _broken(_FLAG_WITH_VALUE.sub(rf"\1{_TOGETHER}", example))]


def _broken(example: str) -> list[str]:
    first, *more = wrapped(example, 2, WIDTH - 2)
    if not more:
        return [first]
    rest = wrapped(" ".join(line.strip() for line in more), 6, WIDTH - 2)
    return [line + " \\" for line in [first, *rest[:-1]]] + rest[-1:]


def _told(text: str, indent: int = 0) -> list[str]:
    """Lines of a text, in which commands and what stays together are not torn apart."""
    kept = _COMMAND.sub(lambda found: re.sub(r"\s+", _TOGETHER, found[0]), text)
    return [line.replace(_TOGETHER, " ") for line in wrapped(kept, indent)]


def _section(heading: str, flags: Sequence[_Flag]) -> list[str]:
    lines = ["", heading] if flags else []
    for flag in flags:
        lines += [*wrapped(flag.typed, 2)[:1], *(f"      {line.strip()}" for line in wrapped(flag.typed, 2)[1:])]
        lines += _told(flag.text, 6)
    return lines


def _own(parser: Any) -> list[Any]:
    """What can be typed, but help and subcommands."""
    return [a for a in parser._actions if "--help" not in a.option_strings and not isinstance(a.choices, dict)]


def _flags(parser: Any) -> Iterator[_Flag]:
    for action in _own(parser):
        metavar, positional = _metavar(action), not action.option_strings
        typed = metavar if positional else ", ".join(action.option_strings)
        if not positional and metavar and action.nargs != 0:
            typed += f" {metavar}"
        yield _Flag(typed, _text(action), positional, "" if positional else action.option_strings[0])


def _metavar(action: Any) -> str:
    found = action.metavar
    text = " ".join(found) if isinstance(found, tuple) else str(found or "")
    text = _SEVERAL.sub(r"\1 ...", text)
    text = text.removeprefix("{None}|").replace("{None,", "{").replace("{,", "{" if found != "{,;|tab}" else "{,")
    return _WORDS.get(text, text)


def _text(action: Any) -> str:
    """What a flag says, with its default unless that is nothing, or said already."""
    text = _REQUIRED.sub("", action.help or "")
    found = _DEFAULT.search(text)
    text = _DEFAULT.sub("", text).strip()
    default = found[1].strip() if found else ""
    if action.nargs == 0 and len(action.option_strings) == 2:  # yes or no
        default = action.option_strings[default != "True"]
    elif action.nargs == 0 or default in ("", "None", "''", '""', "()"):
        default = ""
    if not default or _SAID.search(text):
        return text
    shown = default if default[0].isalnum() or default.startswith("--") else repr(default)
    return f"{text} Default:{_TOGETHER if len(shown) < WIDTH // 2 else ' '}{shown}."
