"""Pure equilibria of games in normal form, beside the peers that find them; and how much memory a million games take.

    python benchmarks/normal_form.py            # peers that are not installed are left out

Every engine has the same games in its own form before its time is taken; ours is taken after a first call.
"""

from __future__ import annotations

import resource
import time
from collections.abc import Callable
from typing import Any

import equilibrax as eq

SIZES = (("random", (3, 3), 1000), ("random", (6, 6), 1000), ("random", (4, 4, 4), 200))


def seconds(work: Callable[[], Any]) -> float:
    started = time.perf_counter()
    work()
    return time.perf_counter() - started


def peers(games: eq.NormalForm) -> dict[str, Callable[[], list[int]]]:
    """How many equilibria each game has, by whoever is there."""
    found: dict[str, Callable[[], list[int]]] = {}
    try:
        import quantecon.game_theory as qe

        theirs = [qe.NormalFormGame([qe.Player(a) for a in one.to_arrays("own_first")]) for one in games]
        found["quantecon"] = lambda: [len(qe.pure_nash_brute(game)) for game in theirs]
    except ImportError:
        pass
    try:
        import pygambit

        tables = [pygambit.Game.from_arrays(*(a.copy() for a in one.to_arrays())) for one in games]
        found["pygambit"] = lambda: [len(pygambit.nash.enumpure_solve(game).equilibria) for game in tables]
    except ImportError:
        pass
    return found


def compared(family: str, actions: tuple[int, ...], count: int) -> None:
    """One size, by everybody."""
    games, game = eq.random_games(family, count, actions, seed=1), eq.Nash(dynamics=False)
    expected = eq.solve(games, game).equilibria.tolist()
    rows: dict[str, Callable[[], list[int]]] = {
        "equilibrax cpu": lambda: eq.solve(games, game, backend="cpu").equilibria.tolist(),
        "equilibrax xla": lambda: eq.solve(games, game, backend="xla").equilibria.tolist(),
    }
    for name, work in (rows | peers(games)).items():
        assert work() == expected, name
        taken = seconds(work)
        print(f"{count} games {actions}: {name:<15} {taken * 1e3:9.2f} ms, {count / taken:10,.0f} games/s", flush=True)


def a_million() -> None:
    """Time, and the most memory that the process ever had, which includes drawing the games."""
    games = eq.random_games("random", 1_000_000, seed=1)
    for dynamics in (False, True):
        for backend in ("cpu", "xla"):
            game = eq.Nash(dynamics=dynamics)
            eq.solve(games[:4096], game, backend=backend)
            taken = seconds(lambda b=backend, g=game: eq.solve(games, g, backend=b))
            most = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 2**10
            said = f"1,000,000 games (3, 3), dynamics {dynamics}: {backend} {taken:.2f} s"
            print(f"{said}, at most {most:.0f} MiB, {games.payoffs.nbytes / 2**20:.0f} of them payoffs", flush=True)


if __name__ == "__main__":
    for size in SIZES:
        compared(*size)
    a_million()
