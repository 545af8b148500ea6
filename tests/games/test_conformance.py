"""Every registered game keeps to the laws of all games."""

from __future__ import annotations

from dataclasses import fields
from typing import Any

import pytest
from equilibrax import UtilityTables
from equilibrax.games import Game, all_games
from game_laws import LAWS, variants


def shown(game: Game[Any]) -> str:
    changed = [f.name for f in fields(game) if getattr(game, f.name) != f.default]  # pyright: ignore[reportArgumentType]
    return "-".join([game.name, *changed])


@pytest.mark.parametrize(
    ("law", "game"),
    [
        pytest.param(
            law, game, id=f"{name}-{shown(game)}", marks=[pytest.mark.slow] * bool(getattr(game, "search", None))
        )
        for name, law in LAWS.items()
        for kind in all_games().values()
        if UtilityTables in kind.over or not law.over_tables
        for game in variants(kind)[: None if law.options else 1]
    ],
)
def test_every_game_keeps_to_the_law(law, game):
    law.holds(game)
