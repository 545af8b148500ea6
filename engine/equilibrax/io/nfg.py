"""Games in normal form from and to Gambit's files: `.nfg`, version 1, in exact numbers.

    NFG 1 R "Prisoners' dilemma" { "Row" "Column" }
    { { "silent" "talk" } { "silent" "talk" } }
    "A comment, if any"

    3 3 5 0 0 5 1 1

Payoffs of all players, profile after profile, the first player's actions fastest. In place of the names of actions may
be their numbers, `{ 2 2 }`; in place of payoffs, outcomes with names and payoffs, and the number of an outcome for
every profile, 0 for the null outcome, in which everybody has nothing:

    { { "peace" 3, 3 } { "war" 1, 1 } }
    1 2 2 2

Numbers are integers, decimals and fractions (`2/3`, `-0.5`, `1.5e-3`) and are read exactly. The rules are those of
Gambit's parser (16.7): what it refuses is refused, with line and column, such as names that are not in ASCII; names
that are empty or there twice get the numbers that it gives them. Also refused is what it misreads without a word: a
plus sign, which makes it read 0 or forget an exponent, and signs and points without digits.
"""

from __future__ import annotations

import os
from collections.abc import Sequence
from fractions import Fraction
from pathlib import Path
from typing import Literal

import numpy as np

from equilibrax._core.checks import check_choice
from equilibrax._core.files import write_whole
from equilibrax.io._nfg_parser import MAX_PROFILES, Parser
from equilibrax.io.files import TableFileError, naming, read_bytes
from equilibrax.problems.normal_form import NormalForm


def read_nfg(path: str | os.PathLike[str]) -> NormalForm:
    """A game in normal form from a `.nfg` file, in the format of this module's documentation.

    Args:
        path: the file.

    Returns:
        A batch of one game with labels and, from the outcome version, outcomes. Its resolution is the common
        denominator of the payoffs.

    Raises:
        TableFileError: a `ValueError` naming the file, the line and column, what was expected and what came.

    Example:
        >>> import pathlib, tempfile
        >>> import equilibrax as eq
        >>> with tempfile.TemporaryDirectory() as folder:
        ...     path = pathlib.Path(folder, "dilemma.nfg")
        ...     _ = path.write_text('NFG 1 R "Dilemma" { "Row" "Column" } { 2 2 }  3 3 5 0 0 5 1/2 0.5')
        ...     game = eq.read_nfg(path)
        >>> game.player_names(), game.resolution, eq.solve(game, "nash").profiles(0)
        (('Row', 'Column'), 2, [(1, 1)])
    """
    path = Path(path)
    data = read_bytes(path)
    try:
        text = data.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        raise TableFileError(f"{path}: expected UTF-8, got byte {data[error.start]:#x} at {error.start}") from error
    with naming(path):
        return Parser(text, path).game()


def write_nfg(
    game: NormalForm, path: str | os.PathLike[str], *, version: Literal["auto", "payoff", "outcome"] = "auto"
) -> None:
    """Write a game in normal form as a `.nfg` file, exactly, all of it or nothing.

    Args:
        game: a batch of one game.
        path: the file.
        version: "payoff"; "outcome", in which profiles with the same payoffs share one where the game has no outcomes
            of its own; or "auto": the latter if it has.

    Raises:
        TableFileError: a `ValueError` naming the file and the cause: several games, too many profiles, a name that the
            format cannot hold, or a path that cannot be written.

    Example:
        >>> import pathlib, tempfile
        >>> import equilibrax as eq
        >>> with tempfile.TemporaryDirectory() as folder:
        ...     path = pathlib.Path(folder, "tragedy.nfg")
        ...     eq.write_nfg(eq.tragedy_of_power(), path)
        ...     print(path.read_text().splitlines()[-1])
        ...     eq.read_nfg(path).outcome_names()
        1 3 2 3
        ('Build, Kill', 'Build, no Kill', 'no Build')
    """
    path = Path(path)
    check_choice("version", version, ("auto", "payoff", "outcome"))
    if not isinstance(game, NormalForm) or len(game) != 1:
        came = f"{len(game)} games" if isinstance(game, NormalForm) else type(game).__name__
        raise TableFileError(f"{path}: expected one game in normal form, got {came}")
    if game.num_profiles > MAX_PROFILES:
        raise TableFileError(f"{path}: expected at most {MAX_PROFILES:,} profiles, got {game.num_profiles:,}")
    text = _written(game, version == "outcome" or (version == "auto" and game.outcome is not None))
    try:
        again = Parser(text, path).game()
    except TableFileError as error:
        raise TableFileError(f"{error} (so a .nfg cannot hold the names of this game)") from error
    for name in ("player_names", "action_names", "names"):
        if list(getattr(again, name)()) != list(getattr(game, name)()):
            what = f"{path}: expected {name.replace('_', ' ')} that read back as they are"
            raise TableFileError(f"{what}, got some that are empty, there twice or with several backslashes")
    try:
        write_whole(path, text)
    except OSError as error:
        raise TableFileError(f"{path}: expected a writable path; {error.strerror or error}") from error


# --- written ----------------------------------------------------------------------------------------------------------


def _written(game: NormalForm, by_outcome: bool) -> str:
    comments, place = game.labels.comments if game.labels else (), int(game.game_id[0])
    comment = comments[place] if place < len(comments) else ""
    actions = " ".join(_list(names) for names in game.action_names())
    head = [
        f"NFG 1 R {_quoted(game.names()[0])} {_list(game.player_names())}",
        f"{{ {actions} }}",
        _quoted(comment),
        "",
    ]
    number = np.vectorize(lambda steps: _number(Fraction(int(steps), game.resolution)), otypes=[object])
    n = game.num_players
    turned = np.asarray(game.payoffs)[0].transpose(0, *range(n, 0, -1)).reshape(n, -1)  # the first player's fastest
    if not by_outcome:
        values, place = np.unique(turned, return_inverse=True)
        words = number(values)[place.reshape(turned.shape)]
        return "\n".join([*head, *(" ".join(row) for row in words.T.tolist())]) + "\n"
    if game.outcome is None:
        distinct, found = np.unique(turned, axis=1, return_inverse=True)
        found = found.reshape(-1)
        first = np.full(distinct.shape[1], len(found))
        np.minimum.at(first, found, np.arange(len(found)))
        order = np.argsort(first)  # by where they are first seen
        found, names = np.argsort(order)[found], [str(k + 1) for k in range(len(order))]
    else:
        found = np.asarray(game.outcome)[0].transpose(*range(n - 1, -1, -1)).reshape(-1)
        names = list(game.outcome_names())
    worth = np.zeros((n, len(names)), np.int64)  # outcomes that no profile has are worth nothing
    worth[:, found[found >= 0]] = turned[:, found >= 0]
    lines = [f"{{ {_quoted(name)} {', '.join(row)} }}" for name, row in zip(names, number(worth.T).tolist())]
    return "\n".join([*head, "{", *lines, "}", " ".join(str(k + 1) for k in found.tolist())]) + "\n"


def _quoted(text: str) -> str:
    return '"' + text.replace('"', '\\"') + '"'


def _list(names: Sequence[str]) -> str:
    return "{ " + " ".join(map(_quoted, names)) + " }"


def _number(value: Fraction) -> str:
    """As a decimal where it is one, else as a fraction."""
    rest, places = value.denominator, 0
    while rest % 2 == 0 or rest % 5 == 0:
        rest, places = rest // (10 if rest % 10 == 0 else 2 if rest % 2 == 0 else 5), places + 1
    if rest > 1 or places > 15:
        return str(value)
    digits = str(abs(value.numerator) * 10**places // value.denominator).rjust(places + 1, "0")
    sign, point = "-" if value < 0 else "", len(digits) - places
    return sign + digits[:point] + (f".{digits[point:]}" if places else "")
