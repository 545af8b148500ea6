"""`equilibrax warmup`."""

from __future__ import annotations

import time
from dataclasses import dataclass
from typing import Any, get_args, get_type_hints

from rich.console import Console

from equilibrax._core.loops import need_loops
from equilibrax.games import all_games, solve
from equilibrax.problems.market import Market, separable_market
from equilibrax.problems.normal_form import NormalForm
from equilibrax.problems.tables import UtilityTables, from_integers


@dataclass(frozen=True)
class Warmup:
    """Compile the loops for CPUs ahead, for tables of all sizes.

    They are kept in the user's cache folder, or in EQUILIBRAX_CACHE_DIR, and compiled again after an update. Without
    this, the first call that needs them does it.

    Example: equilibrax warmup
    """

    def run(self, console: Console) -> int:
        need_loops()
        from equilibrax_kernels.cpu.compiling import cache_folder

        if cache_folder() is None:
            raise ValueError("EQUILIBRAX_CACHE_DIR: expected a folder to write to, where compiled loops can be kept")
        started, found = time.perf_counter(), []
        smallest = {
            UtilityTables: from_integers([[1, 0], [0, 1]], [[[1, 0], [1, 0]], [[1, 0], [0, 1]]]),
            Market: separable_market([[[1, 0], [0, 1]]], [[[[1, 0], [0, 1]]]], weights=[[1]]),
            NormalForm: NormalForm.from_integers([[1, 0]]),
        }
        for name, kind in all_games().items():
            problem = next(one for over, one in smallest.items() if over in kind.over)
            for game in _of_all_rules(kind):
                if not game.without_loops(game.accept(problem)):
                    solve(problem, game, backend="cpu", throw=False)
                    found.append(name)
        seconds = time.perf_counter() - started
        console.print(
            f"loops of {', '.join(dict.fromkeys(found))}: {seconds:.1f} s; kept in {cache_folder()}", markup=False
        )
        return 0


def _of_all_rules(kind: Any) -> list[Any]:
    """The game with every choice of what providers may post: these can have loops of their own."""
    rules = get_args(get_type_hints(kind).get("rules"))
    return [kind(rules=one) for one in rules] or [kind()]
