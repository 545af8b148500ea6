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


def main() -> None:
    for family, actions, count in SIZES:
        games = eq.random_games(family, count, actions, seed=1)
        rows = {}
        for backend in ("cpu", "xla"):
            game = eq.Nash(dynamics=False)
            expected = eq.solve(games, game, backend=backend).equilibria.tolist()
            rows[f"equilibrax {backend}"] = seconds(lambda b=backend, g=game: eq.solve(games, g, backend=b))
        for name, work in peers(games).items():
            counts: list[int] = []
            rows[name] = seconds(lambda w=work, c=counts: c.extend(w()))
            assert counts == expected, name
        for name, taken in rows.items():
            print(
                f"{count} games {actions}: {name:<15} {taken * 1e3:9.2f} ms, {count / taken:12,.0f} games/s", flush=True
            )
    games = eq.random_games("random", 1_000_000, seed=1)
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    for backend in ("cpu", "xla"):
        for dynamics in (False, True):
            game = eq.Nash(dynamics=dynamics)
            eq.solve(games[:4096], game, backend=backend)
            taken = seconds(lambda b=backend, g=game: eq.solve(games, g, backend=b))
            grown = (resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before) / 2**10
            print(
                f"1,000,000 games (3, 3), dynamics {dynamics}: {backend} {taken:.2f} s, {grown:.0f} MiB more",
                flush=True,
            )


if __name__ == "__main__":
    main()
