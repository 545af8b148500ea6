"""How often does a market of information mislead, and at what depth does it stop? The tables of docs/economics.md.

    python benchmarks/information_markets.py --problems 10000

Prints Markdown: for every family of random problems and kind of buyer, how often the buyer is harmed at each depth, her
mean utility, and how often she reaches first best; the smallest problems in which a bazaar misleads, or does not tell
all; and what providers of random tables do as sellers of information, beside the selection market.
"""

from __future__ import annotations

import argparse
from itertools import combinations, product

import equilibrax as eq
import numpy as np

BUYERS = {
    "face value": eq.InformationMarket(),
    "Bayesian": eq.InformationMarket(buyer="bayesian"),
    "fixed point": eq.InformationMarket(buyer="bayesian", rounds="fixed_point"),
    "naive": eq.InformationMarket(mechanism="naive", depth=4),
}
PARTITIONS = ([0, 0, 1], [0, 1, 0], [0, 1, 1], [0, 1, 2])


def families(count: int) -> None:
    """A line per family, levels and buyer."""
    depths = " | ".join(f"{d}" for d in range(5))
    print(f"| family | buyer | | {depths} | first best |\n|---|---|---|{'---|' * 6}")
    for family, levels in [(name, 100) for name in eq.problems.PROBLEM_FAMILIES] + [("uniform", 5)]:
        problems = eq.random_problems(family, count, levels=levels)
        shown = family if levels == 100 else f"{family}, utilities 0..{levels}"
        for buyer, game in BUYERS.items():
            if buyer == "naive" and problems.stakes is not None:
                continue
            result = eq.solve(problems, game)
            settled = result.solved.all(axis=1)
            lines = {
                "utility": [f"{u:.1f}" if levels == 100 else f"{u:.3f}" for u in result.utility[settled].mean(axis=0)],
                "harmed": [f"{100 * h:.2f} %" for h in result.harmed[settled].mean(axis=0)],
                "all told": [f"{100 * r:.1f} %" for r in result.reaches_first_best[settled].mean(axis=0)],
            }
            if buyer == "fixed point":
                lines["settled"] = [f"{100 * s:.1f} %" for s in result.solved.mean(axis=0)]
            for name, cells in lines.items():
                best = f"{result.first_best[settled].mean():.1f}" if name == "utility" and levels == 100 else ""
                print(f"| {shown} | {buyer} | {name} | {' | '.join(cells)} | {best} |")


def smallest() -> None:
    """All problems of three equally likely states, two acts and two items, utilities from 0 up to few levels."""
    for levels in (1, 2, 3):
        utility = np.array(list(product(range(levels + 1), repeat=6))).reshape(-1, 3, 2)
        pairs = np.array(list(combinations(PARTITIONS, 2)))
        which, told = (part.reshape(-1) for part in np.meshgrid(range(len(utility)), range(len(pairs)), indexing="ij"))
        problems = eq.DecisionProblem.from_arrays(None, utility[which], pairs[told], resolution=1)
        result = eq.solve(problems, eq.InformationMarket())
        missed, harmed = ~result.reaches_first_best[:, 2], result.harmed[:, 1]
        print(f"\nutilities 0..{levels}: {len(problems):,} problems; first best is missed in {missed.sum()}, "
              f"depth 1 harms in {harmed.sum()}, depth 2 in {result.harmed[:, 2].sum()}")  # fmt: skip
        for what, found in (("missed", missed), ("harmed", harmed)):
            if found.any():
                one = int(found.argmax())
                print(what, problems.utility[one].tolist(), problems.items[one].tolist(), result.value[one].tolist())


def beside_selection(count: int) -> None:
    """A line per family of tables, number of providers, and stake."""
    print("\n| tables | providers | stake | worst, best equilibrium | depth 1 | depth 2 | as good | same | harmed |")
    print("|---|---|---|---|---|---|---|---|---|")
    for family in ("uniform", "near_hull", "systematic"):
        for providers in (1, 2, 3):
            tables = eq.sample_tables(family, count, states=3, actions=3, providers=providers, seed=0)
            for stake in (0, 1, 10):
                found = eq.studies.bazaar_beside_selection(tables, eq.InformationMarket(depth=2), stake=stake)
                utility, harmed = found.bazaar.utility.mean(axis=0), found.bazaar.harmed.mean(axis=0)
                sides = [found.selection.worst_utility.mean(), found.selection.best_utility.mean()]
                shares = [found.as_good[:, 2].mean(), found.same[:, 2].mean(), harmed[2]]
                cells = [f"{sides[0]:.3f}, {sides[1]:.3f}", f"{utility[1]:.3f}", f"{utility[2]:.3f}"]
                print(f"| {family} | {providers} | {stake} | {' | '.join(cells)} | "
                      f"{' | '.join(f'{100 * share:.1f} %' for share in shares)} |")  # fmt: skip


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--problems", type=int, default=10_000)
    parser.add_argument("--tables", type=int, default=2_000)
    given = parser.parse_args()
    families(given.problems)
    smallest()
    beside_selection(given.tables)


if __name__ == "__main__":
    main()
