"""`equilibrax nash`."""

from __future__ import annotations

import sys
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated

import tyro
from rich.console import Console

from equilibrax._core.text import Screen
from equilibrax.cli.flags.texts import parse_rationality
from equilibrax.cli.output import check_output, numbered_on, write_out
from equilibrax.cli.progress import doing
from equilibrax.games import Backend, Nash, NashResult, solve
from equilibrax.io import read_nfg
from equilibrax.rows import profile_rows


@dataclass(frozen=True)
class NashCommand:
    """Find the pure equilibria of games in Gambit's files, and whether they are efficient.

    A file is a game in normal form, .nfg of version 1, with payoffs or with outcomes. Numbers are read exactly.

    For every pure Nash equilibrium: who does what, what everybody has, and whether it is efficient, that is, whether no
    lottery over profiles is at least as good for everybody and better for somebody. If it is, the Negishi weights are
    positive, and it maximizes the sum of payoffs that they weigh; if it is not, the gap is what a lottery gives
    everybody more, and the weights prove that none gives more.

    Example: equilibrax nash game.nfg
    Example: equilibrax nash *.nfg --out equilibria.csv
    Example: equilibrax nash game.nfg --commitment --logit 1,10
    """

    files: Annotated[tyro.conf.Positional[tuple[Path, ...]], tyro.conf.arg(metavar="FILE.nfg...")]
    """Games in normal form."""
    out: Annotated[str, tyro.conf.arg(metavar="FILE")] = "-"
    """File to write, a row per equilibrium: .parquet, .csv, .json, .xlsx, .md or .tex; or - to print a page."""
    commitment: Annotated[bool, tyro.conf.FlagCreatePairsOff] = False
    """Also what is played where the players commit one after the other, in every order of at most five."""
    logit: Annotated[str, tyro.conf.arg(metavar="NUMBER,...")] = ""
    """Also the logit equilibria at these lambdas, on the branch that begins with everybody mixing evenly."""
    backend: Backend = "auto"
    """Loops on the cores of this machine (cpu), kernels that XLA compiles (xla), or what fits the machine."""

    def run(self, console: Console) -> int:
        if not self.files:
            raise ValueError("FILE.nfg: expected at least one file, got none")
        check_output(self.out, None)
        rates = parse_rationality(self.logit, "--logit")
        games = [read_nfg(path) for path in self.files]
        game = Nash(commitment=self.commitment, logit=rates)
        results = []
        for i, one in enumerate(games):
            doing(f"solving {i + 1} of {len(games)} games")
            results.append(solve(one, game, backend=self.backend, throw=False))
        doing("writing")
        if self.out != "-":
            write_out(numbered_on([profile_rows(result) for result in results]), self.out, None, console)
        width = None if sys.stdout.isatty() else 200
        for result in results if self.out == "-" else []:
            result.show(width=width)
            screen = Screen(width=width, soft_wrap=True)
            for line in _lines(result):
                screen.print(line)
        unsolved = sum(result.failures for result in results)
        if unsolved:
            console.print(f"equilibrax: {unsolved} games are not solved; their status says why", markup=False)
        return 1 if unsolved else 0


def _lines(result: NashResult) -> list[str]:
    """What is said below the equilibria of one game."""
    games, lines = result.games, []

    def profile(actions: object) -> str:
        return ", ".join(games.profile_names(actions))

    def payoffs(values: object) -> str:
        return ", ".join(f"{value:g}" for value in values)  # pyright: ignore[reportGeneralTypeIssues]

    if result.dynamics_profile is not None and result.dynamics_steps is not None and result.dynamics_cycle is not None:
        start, moves, cycle = profile([0] * games.num_players), result.dynamics_steps[0], result.dynamics_cycle[0]
        end = (
            f"goes round in {cycle:,} moves from"
            if cycle
            else f"ends after {moves:,} {'move' if moves == 1 else 'moves'} at"
        )
        lines.append(f"Best-response dynamics from ({start}) {end} ({profile(result.dynamics_profile[0])}).")
    if result.committed is not None and result.commitment_payoffs is not None:
        for o, order in enumerate(result.orders):
            names = ", then ".join(games.player_names()[i] for i in order)
            told = [
                f"({profile(result.committed[0, o, ties])}), worth {payoffs(result.commitment_payoffs[0, o, ties])}"
                for ties in (0, 1)
            ]
            against = f"; ties against those before: {told[1]}" if told[0] != told[1] else ""
            lines.append(f"Commitment of {names}: {told[0]}{against}.")
    if result.logit is not None:
        for r, rate in enumerate(result.logit.lambdas):
            mixed = []
            for i, (name, actions) in enumerate(zip(games.player_names(), games.action_names())):
                chances = zip(actions, result.logit.of(i)[0, r])
                mixed.append(f"{name}: {', '.join(f'{action} {chance:.4f}' for action, chance in chances)}")
            lines.append(f"Logit equilibrium at lambda {rate:g}: {'; '.join(mixed)}.")
    return lines
