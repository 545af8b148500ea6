"""Manual pages, printed without loading what they are about: `rendering` makes them, `.ci/manual.py` keeps them.

A page is a file in `pages`: `solve.txt`, `data.movielens.txt` of a subcommand, `sweep--users.txt` of what a flag makes
of a command. Only the standard library is needed here, and little of that.
"""

from __future__ import annotations

import os
from collections.abc import Sequence

FOLDER = os.path.join(os.path.dirname(__file__), "pages")
GAME = "options with --game "
WIDTH = 80


def asks_for_help(args: Sequence[str]) -> bool:
    """Whether a command's arguments ask for its manual page."""
    return "-h" in args or "--help" in args


def stored_page(command: str, args: Sequence[str]) -> str | None:
    """The manual page of a command with such arguments; None if it has to be made.

    With `--game`, only the options of that game are on it.
    """
    flags = {text.partition("=")[0] for text in args}
    name = command
    for file in sorted(os.listdir(FOLDER)):
        stem, found = file.removesuffix(".txt"), file.startswith(command) and file.endswith(".txt")
        extra = stem.removeprefix(command)
        if found and (extra in flags if extra.startswith("--") else extra.startswith(".") and extra[1:] in args[:1]):
            name = stem
    try:
        with open(os.path.join(FOLDER, f"{name}.txt"), encoding="utf-8") as page:
            text = page.read()
    except FileNotFoundError:
        return None
    game = next((args[i + 1] for i, text in enumerate(args[:-1]) if text == "--game"), None)
    game = next((text.partition("=")[2] for text in args if text.startswith("--game=")), game)
    return text if game is None else of_game(text, game)


def of_game(page: str, game: str) -> str | None:
    """The page with the options of one game only; None if it does not know that game."""
    start, *sections = page.split(f"\n{GAME}")
    chosen = [section for section in sections if section.split(None, 1)[0].rstrip(":,") == game]
    return "\n".join([start, *(GAME + section.rstrip("\n") + "\n" for section in chosen)]) if chosen else None


def wrapped(text: str, indent: int = 0, width: int = WIDTH) -> list[str]:
    """Lines of at most `width` characters, cut between words only."""
    lines, room = [""], width - indent
    for word in filter(None, text.replace("\n", " ").split(" ")):
        if lines[-1] and len(lines[-1]) + 1 + len(word) > room:
            lines.append(word)
        else:
            lines[-1] += " " * bool(lines[-1]) + word
    return [" " * indent + line for line in lines]
