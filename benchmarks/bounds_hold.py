"""Do the bounds of the papers hold on random tables and markets? Every result, every family, many of them.

    python benchmarks/bounds_hold.py --tables 10000 --markets 10000

Prints a line per family and result: how many (table, committee, lambda) satisfy the hypothesis, on how many the bound
fails (none, or the exit status is 1), the smallest slack, and how often the bound is attained. In the rows of a family
with "+ x_A", users have private information: two tables are what utilities are after either of two signals. That is
hardly ever information that substitutes; in the rows with "+ noisy x" the signal tells nothing besides the state, and
then it does.

Markets (2602.13451) have two users and three providers who see the state, or, in the rows with "+ x_P", two providers
who each see a noisy signal of the outcome, in a tenth as many markets. They satisfy weak or strong alignment up to an
error; "+ user" is one user more, who does not care. Lines count (market, committee, user).
"""

from __future__ import annotations

import argparse
import sys
import time
from collections.abc import Iterable, Iterator
from dataclasses import replace

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


def of_schemes(tables: eq.UtilityTables) -> Iterator[tuple[str, eq.theory.Bound]]:
    """The selection game of Section 7."""
    yield from _report(eq.bounds(eq.solve(tables, eq.Selection(dynamics=False))), "")


def of_games(game: eq.PersuasionGame, lambdas: tuple[float, ...]) -> Iterator[tuple[str, eq.theory.Bound]]:
    """The bounds on equilibria of all games, and those on what C* does."""
    quantal = eq.Quantal(list(lambdas))
    obedient = eq.solve(game, eq.Obedient(dynamics=False))
    yield from _report(eq.bounds(obedient), ", obedience")
    yield from _report(eq.bounds(eq.solve(game, eq.Obedient(response=quantal, dynamics=False))), ", obedience, quantal")
    joint = eq.solve(game, eq.Joint(dynamics=False))
    yield from _report(eq.bounds(joint), "")
    yield "Theorem 1, C* pools two states", eq.theory.theorem_1(joint, reference=POOLED)
    joint = eq.solve(game, eq.Joint(quantal, dynamics=False))
    yield from _report(eq.bounds(joint, rounds=ROUNDS, failure=FAILURE), "")
    pools = eq.bounds(joint, reference=POOLED)
    yield from _report(pools, ", C* pools two states", ("Theorem 2", "Proposition 2", "Corollary 2"))
    error = eq.theory.estimation_error(game, POOLED)
    for rationality in lambdas:
        for share in (0.0, 0.5, 1.0):
            yield "Corollary 1", eq.theory.corollary_1(game, POOLED, rationality, share * error)


def of_substitutes(game: eq.PersuasionGame, lambdas: tuple[float, ...]) -> Iterator[tuple[str, eq.theory.Bound]]:
    """What rests on information substitutes."""
    joint = eq.solve(game, eq.Joint(response=eq.Quantal(list(lambdas)), dynamics=False))
    yield from _report(eq.bounds(joint, rounds=ROUNDS, failure=FAILURE), "", ("Theorem 5", "Corollary 3"))


def of_beliefs(tables: eq.UtilityTables, lambdas: tuple[float, ...]) -> Iterator[tuple[str, eq.theory.Bound]]:
    """Lemmas on the user's and a provider's utilities as beliefs, and Proposition 3 on the family."""
    user = np.asarray(tables.user) / tables.resolution
    other = np.asarray(tables.providers)[:, 0] / tables.resolution
    for rationality in lambdas:
        yield "Lemma 1 on beliefs", eq.theory.lemma_1(user, rationality)
        if np.isfinite(rationality):
            yield "Lemma 2", eq.theory.lemma_2(user, other, rationality)
            yield "Lemma 2 (ratio)", eq.theory.lemma_2(user, other, rationality, form="ratio")


def of_family(family: str, count: int) -> Iterator[tuple[str, eq.theory.Bound]]:
    """Proposition 3 needs many providers and few outcomes."""
    for epsilon, failure in ((0.3, 0.5), (0.4, 0.1)):
        tables = eq.sample_tables(family, count, states=2, actions=2, providers=16, seed=3)
        yield "Proposition 3", eq.theory.proposition_3(tables, epsilon, failure)


def _report(report: eq.theory.BoundReport, suffix: str, names: tuple[str, ...] | None = None):
    return [(name + suffix, report[name]) for name in names or report]


def every_bound(
    family: str, count: int, lambdas: tuple[float, ...] = LAMBDAS
) -> Iterator[tuple[str, str, eq.theory.Bound]]:
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


SIGNALS = {  # states are (outcome, first signal, second signal); both users see nothing more
    "state_of": [0, 0, 0, 0, 1, 1, 1, 1],
    "provider_sees": [[0, 0, 1, 1] * 2, [0, 1, 0, 1] * 2],
}


def signalled(count: int, **options) -> eq.Market:
    """Markets of two outcomes; providers' signals of them are independent, with random chances."""
    markets = eq.random_markets(count, 2, 2, 8, 3, **SIGNALS, **options)
    chances = np.random.default_rng(options["seed"]).integers(1, 6, (3, count, 2, 2))
    prior = chances[0][:, :, :1, None] * chances[1][:, :, :, None] * chances[2][:, :, None]
    return replace(markets, prior=prior.reshape(count, 8))


def of_personalized(markets: eq.Market) -> Iterator[tuple[str, eq.theory.Bound]]:
    """Theorems 3.1 and 4.3 for T the committee, and 3.1 for a T that is a part of it."""
    result = eq.solve(markets, eq.Personalized(dynamics=False))
    found = eq.theory.market_bounds(result)
    yield "Theorem 3.1", found["Theorem 3.1"]
    yield "Theorem 4.3, personalized", found["Theorem 4.3"]
    yield "Theorem 3.1, T two providers", eq.theory.market_theorem_3_1(result, aligned=0b011)
    if not markets.same_sight():
        yield "Theorem 3.1, C* by partitions", eq.theory.market_theorem_3_1(result, benchmark="partitions")


def of_anonymous(markets: eq.Market) -> Iterator[tuple[str, eq.theory.Bound]]:
    """Theorems 4.3 and 4.4, whose hypothesis is strong alignment."""
    yield from eq.theory.market_bounds(eq.solve(markets, eq.Anonymous(dynamics=False))).items()


def of_newcomers(markets: eq.Market, seed: int) -> Iterator[tuple[str, eq.theory.Bound]]:
    """Theorem 5.1 for the users who were there."""
    rng = np.random.default_rng(seed)
    shape = (len(markets), markets.num_providers, markets.states, markets.actions)
    betas = rng.integers(1, 10, shape[:2]) / 10
    joined = markets.add_user(rng.random((shape[0], *shape[2:])), rng.random(shape), betas)
    yield "Theorem 5.1", eq.theory.market_theorem_5_1(eq.solve(joined, eq.Personalized(dynamics=False)), markets)


def every_market_bound(alignment: str, error: float, count: int) -> Iterator[tuple[str, str, eq.theory.Bound]]:
    """Family, result and bound; in the anonymous game weak alignment promises nothing and is left out."""
    options = {"alignment": alignment, "error": error, "seed": 5}
    seeing = eq.random_markets(count, 2, 3, 3, 3, **options)
    noisy = signalled(max(1, count // 10), **options)
    strong = alignment == "strong"
    for suffix, found in (
        ("", of_personalized(seeing)),
        ("", of_anonymous(seeing) if strong else ()),
        (" + user", of_newcomers(seeing, 1)),
        (" + x_P", of_personalized(noisy)),
        (" + x_P", of_anonymous(noisy) if strong else ()),
    ):
        for name, bound in found:
            yield f"{alignment} {error:g}{suffix}", name, bound


def report(bounds: Iterable[tuple[str, str, eq.theory.Bound]], title: str) -> int:
    """A line for every family and result; how many bounds fail."""
    started, lines = time.perf_counter(), {}
    for rows, name, bound in bounds:
        line = lines.setdefault((rows, name), [0, 0, 0, np.inf, 0])
        holds, slack = bound.holds_hypothesis, bound.slack[bound.holds_hypothesis]
        line[0] += holds.size
        line[1] += int(holds.sum())
        line[2] += int(bound.refuted.sum())
        line[3] = min(line[3], np.nanmin(slack, initial=np.inf))
        line[4] += int((slack <= ATTAINED).sum())
    for (rows, name), (checked, holds, fails, least, attained) in lines.items():
        least = f"{least:.3g}" if holds else ""
        print(f"| {rows} | {name} | {checked:,} | {holds:,} | {fails} | {least} | {attained:,} |", flush=True)
    print(f"{title}: {time.perf_counter() - started:.0f} s", file=sys.stderr)
    return sum(fails for _, _, fails, _, _ in lines.values())


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--tables", type=int, default=10_000, help="0 for markets only")
    parser.add_argument("--markets", type=int, default=10_000, help="0 for tables only")
    parser.add_argument("--families", nargs="*", default=list(eq.problems.families()))
    options = parser.parse_args()
    failed = 0
    print("| family | result | checked | hypothesis holds | fails | smallest slack | attained |")
    print("|---|---|---|---|---|---|---|")
    for family in options.families if options.tables else ():
        failed += report(every_bound(family, options.tables), family)
    for alignment in ("weak", "strong") if options.markets else ():
        for error in (0.0, 0.05):
            failed += report(every_market_bound(alignment, error, options.markets), f"{alignment} {error:g}")
    return int(failed > 0)


if __name__ == "__main__":
    sys.exit(main())
