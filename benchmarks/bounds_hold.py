"""Do the bounds of the paper hold on random tables? Every result, every family, many tables.

    python benchmarks/bounds_hold.py --tables 10000

Prints a line per family and result: how many (table, committee, lambda) satisfy the hypothesis, on how many the bound
fails (none, or the exit status is 1), the smallest slack, and how often the bound is attained. In the rows of a family
with "+ x_A", users have private information: two tables are what utilities are after either of two signals. That is
hardly ever information that substitutes; in the rows with "+ noisy x" the signal tells nothing besides the state, and
then it does.
"""

from __future__ import annotations

import argparse
import sys
import time
from collections.abc import Iterator

import equilibrax as eq
import numpy as np

SIZES = {"states": 3, "actions": 3, "providers": 3}
LAMBDAS = (0.5, 5.0, 50.0, np.inf)
POOLED = (0, 0, 1)  # a reference partition that does not reveal everything
ATTAINED = 1e-7
ROUNDS, FAILURE = 1e34, 1e-9  # of Theorem 5: fewer rounds and it promises nothing at all


def informed(tables: eq.UtilityTables, noisy: bool = False) -> eq.PersuasionGame:
    """Games of users with a signal: each pairs two tables (or a table and itself), with random weights."""
    half = len(tables) // 2
    other = slice(0, half) if noisy else slice(half, 2 * half)
    user, providers = np.asarray(tables.user), np.asarray(tables.providers)
    user = np.stack([user[:half], user[other]], axis=1)
    providers = np.stack([providers[:half], providers[other]], axis=2)
    weights = np.random.default_rng(tables.seed).integers(1, 6, (half, 2, tables.states))
    unit = tables.resolution
    return eq.PersuasionGame.from_weights(weights, user / unit, providers / unit, resolution=unit)


def of_schemes(tables: eq.UtilityTables) -> Iterator[tuple[str, eq.Bound]]:
    """The selection game of Section 7."""
    yield from _report(eq.bounds(eq.solve(tables, dynamics=False)), "")


def of_games(game: eq.PersuasionGame, lambdas: tuple[float, ...]) -> Iterator[tuple[str, eq.Bound]]:
    """The bounds on equilibria of all games, and those on what C* does."""
    quantal = {"response": "quantal", "rationality": list(lambdas), "dynamics": False}
    obedient = eq.solve(game, obedience=True, dynamics=False)
    yield from _report(eq.bounds(obedient), ", obedience")
    yield from _report(eq.bounds(eq.solve(game, obedience=True, **quantal)), ", obedience, quantal")
    joint = eq.solve(game, "joint", dynamics=False)
    yield from _report(eq.bounds(joint), "")
    yield "Theorem 1, C* pools two states", eq.theorem_1(joint, reference=POOLED)
    joint = eq.solve(game, "joint", **quantal)
    yield from _report(eq.bounds(joint, rounds=ROUNDS, failure=FAILURE), "")
    pools = eq.bounds(joint, reference=POOLED)
    yield from _report(pools, ", C* pools two states", ("Theorem 2", "Proposition 2", "Corollary 2"))
    error = eq.estimation_error(game, POOLED)
    for rationality in lambdas:
        for share in (0.0, 0.5, 1.0):
            yield "Corollary 1", eq.corollary_1(game, POOLED, rationality, share * error)


def of_substitutes(game: eq.PersuasionGame, lambdas: tuple[float, ...]) -> Iterator[tuple[str, eq.Bound]]:
    """What rests on information substitutes."""
    joint = eq.solve(game, "joint", response="quantal", rationality=list(lambdas), dynamics=False)
    yield from _report(eq.bounds(joint, rounds=ROUNDS, failure=FAILURE), "", ("Theorem 5", "Corollary 3"))


def of_beliefs(tables: eq.UtilityTables, lambdas: tuple[float, ...]) -> Iterator[tuple[str, eq.Bound]]:
    """Lemmas on the user's and a provider's utilities as beliefs, and Proposition 3 on the family."""
    user = np.asarray(tables.user) / tables.resolution
    other = np.asarray(tables.providers)[:, 0] / tables.resolution
    for rationality in lambdas:
        yield "Lemma 1 on beliefs", eq.lemma_1(user, rationality)
        if np.isfinite(rationality):
            yield "Lemma 2", eq.lemma_2(user, other, rationality)
            yield "Lemma 2 (ratio)", eq.lemma_2(user, other, rationality, form="ratio")


def of_family(family: str, count: int) -> Iterator[tuple[str, eq.Bound]]:
    """Proposition 3 needs many providers and few outcomes."""
    for epsilon, failure in ((0.3, 0.5), (0.4, 0.1)):
        tables = eq.sample_tables(family, count, states=2, actions=2, providers=16, seed=3)
        yield "Proposition 3", eq.proposition_3(tables, epsilon, failure)


def _report(report: eq.BoundReport, suffix: str, names: tuple[str, ...] | None = None):
    return [(name + suffix, report[name]) for name in names or report]


def every_bound(family: str, count: int, lambdas: tuple[float, ...] = LAMBDAS) -> Iterator[tuple[str, str, eq.Bound]]:
    """Family, result and bound."""
    tables = eq.sample_tables(family, count, **SIZES, seed=7)
    for rows, found in (
        (family, of_schemes(tables)),
        (family, of_games(eq.PersuasionGame.from_tables(tables), lambdas)),
        (family, of_beliefs(tables, lambdas)),
        (family, of_family(family, count)),
        (f"{family} + x_A", of_games(informed(tables), lambdas)),
        (f"{family} + noisy x", of_substitutes(informed(tables, noisy=True), lambdas)),
    ):
        for name, bound in found:
            yield rows, name, bound


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--tables", type=int, default=10_000)
    parser.add_argument("--families", nargs="*", default=list(eq.families()))
    options = parser.parse_args()
    failed = 0
    print("| family | result | checked | hypothesis holds | fails | smallest slack | attained |")
    print("|---|---|---|---|---|---|---|")
    for family in options.families:
        started, lines = time.perf_counter(), {}
        for rows, name, bound in every_bound(family, options.tables):
            line = lines.setdefault((rows, name), [0, 0, 0, np.inf, 0])
            holds, slack = bound.holds_hypothesis, bound.slack[bound.holds_hypothesis]
            line[0] += holds.size
            line[1] += int(holds.sum())
            line[2] += int(bound.refuted.sum())
            line[3] = min(line[3], slack.min(initial=np.inf))
            line[4] += int((slack <= ATTAINED).sum())
        for (rows, name), (checked, holds, fails, least, attained) in lines.items():
            least = f"{least:.3g}" if holds else ""
            print(f"| {rows} | {name} | {checked:,} | {holds:,} | {fails} | {least} | {attained:,} |", flush=True)
            failed += fails
        print(f"{family}: {time.perf_counter() - started:.0f} s", file=sys.stderr)
    return int(failed > 0)


if __name__ == "__main__":
    sys.exit(main())
