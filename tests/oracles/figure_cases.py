"""Every figure that the project draws, from small data whose names are hostile: what `figure_laws` looks at.

A case is a function of where to draw. Rows are made up here, plausibly, where solving would only take time.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from functools import cache, partial
from typing import Any

import equilibrax as eq
import numpy as np
import pyarrow as pa
from bench.figure import draw_figure
from matplotlib.figure import Figure

NAMES = (
    "$^{",
    "<img src=x onerror=alert(1)>",
    "_Ann_",
    "a very long name of a language model, instruct, 70B",
    "O'Neil & Co",
)
"""Names that figures must show as they are."""

Case = Callable[..., Figure]


def name(number: int) -> str:
    """A hostile name; beyond the first few, an ordinary one."""
    return NAMES[number] if number < len(NAMES) else f"provider {number + 1}"


def committee_rows(tables: int, providers: int, titles: tuple[str, ...] = (), seed: int = 0) -> pa.Table:
    """Rows of every committee: the more providers, the smaller what the worst equilibrium loses; the bound holds."""
    ids, committee = np.divmod(np.arange(tables * (2**providers - 1)), 2**providers - 1)
    size = np.bitwise_count(committee + 1).astype(np.int32)
    random = np.random.default_rng(seed)
    gap = np.round(random.exponential(0.3, len(ids)) / size, 2)
    optimum = 0.5 + 0.1 * (ids % 7)
    misalignment = gap / 2 * (1 + random.exponential(0.5, len(ids)))
    return pa.table(
        {
            "table_id": ids,
            "family": [titles[i % len(titles)] if titles else "near_hull" for i in ids],
            "seed": np.zeros(len(ids), np.int64),
            "num_providers": np.full(len(ids), providers, np.int32),
            "committee": (committee + 1).astype(np.int32),
            "committee_size": size,
            "status": ["OK"] * len(ids),
            "optimum": optimum,
            "worst_utility": optimum - gap,
            "dynamics_utility": optimum - gap * (random.random(len(ids)) < 0.5),
            "misalignment": misalignment,
            "efficiency_gap": np.round(gap * (random.random(len(ids)) < 0.4), 2),
        }
    )


def market_rows(markets: int, users: int, providers: int, seed: int = 0, none: float = 0.0) -> pa.Table:
    """Rows of every user in both games, of every committee; a share `none` of bounds is missing."""
    random, parts = np.random.default_rng(seed), []
    for game in ("personalized", "anonymous"):
        shape = (markets, 2**providers - 1, users)
        market, committee, user = (axis.ravel() for axis in np.indices(shape))
        size = np.bitwise_count(committee + 1).astype(np.int32)
        optimum = np.round(random.uniform(0.6, 1, (markets, users)), 2)[market, user]
        worst = optimum - np.round(random.exponential(0.2, len(user)) / size * (1 + (game == "anonymous")), 2)
        bound = worst - np.round(random.exponential(0.15, len(user)), 2) * (random.random(len(user)) < 0.8)
        benchmark = np.maximum(worst, optimum - 0.02)
        columns = {
            "market": market,
            "family": ["random"] * len(user),
            "game": [game] * len(user),
            "user": user.astype(np.int32),
            "committee": (committee + 1).astype(np.int32),
            "committee_size": size,
            "optimum": optimum,
            "worst_utility": worst,
            "best_utility": worst + 0.5 * (optimum - worst),
            "benchmark": benchmark,
            "bound": np.where(random.random(len(user)) < none, np.nan, bound),
        }
        parts.append(pa.table(columns))
    return pa.concat_tables(parts)


def entry_rows(markets: int, users: int, newcomers: int, seed: int = 0) -> pa.Table:
    """What newcomers do to users, in both games: those of public rules lose now and then."""
    random, parts = np.random.default_rng(seed), []
    for game in ("personalized", "anonymous"):
        market, newcomer, user = (axis.ravel() for axis in np.indices((markets, newcomers, users)))
        before = np.round(random.uniform(0.5, 1, (markets, users)), 2)[market, user]
        loses = (random.random(len(user)) < 0.3) & (game == "anonymous")
        columns = {
            "market": market,
            "family": ["random"] * len(user),
            "game": [game] * len(user),
            "user": user.astype(np.int32),
            "newcomer": newcomer,
            "incumbent": [True] * len(user),
            "worst_before": before,
            "worst_after": before - loses * np.round(random.exponential(0.1, len(user)), 2),
        }
        parts.append(pa.table(columns))
    return pa.concat_tables(parts)


@cache
def comparison() -> Any:
    """A table of a file with names of its own, in every game."""
    return eq.compare(eq.load_paper_table("synthetic-2"), rationality=[10])


@cache
def comparisons() -> Any:
    """Random numbers for a dozen tables in these games: of some all are the same, of some only most."""
    one, random = comparison(), np.random.default_rng(0)
    tables = eq.sample_tables("uniform", 12, states=2, actions=2, providers=2, seed=0)
    lost = random.exponential(0.1, (12, len(one.lines))) * (
        random.random((12, len(one.lines))) < np.linspace(0, 1, len(one.lines))
    )
    numbers = {"optimum": np.ones(12), "worst": 1 - lost, "best": np.ones_like(lost), "aligned": np.ones_like(lost)}
    numbers |= {"bound": np.full_like(lost, np.nan), "efficiency_gap": np.zeros_like(lost)}
    whole = {name: np.zeros(lost.shape, np.int64) for name in ("equilibria", "status")}
    return replace(one, table_id=np.arange(12), tables=tables, **numbers, **whole)


@cache
def depths() -> pa.Table:
    """Markets of information."""
    kinds = (("uniform", eq.InformationMarket(depth=2)), ("nested", eq.InformationMarket(depth=2)))
    found = (eq.solve(eq.random_problems(family, 40), game) for family, game in kinds)
    return pa.concat_tables([eq.rows.depth_rows(one) for one in found])


@cache
def curve(raters: int, targets: int = 1) -> Any:
    """Errors by number of raters."""
    found = eq.raters.simulate_raters("independent", items=40, raters=raters, seed=1)
    if targets > 1:
        found = replace(
            found,
            targets=np.repeat(found.targets, targets, axis=1) + 0.01 * np.arange(targets),
            target_names=tuple(map(name, range(targets))),
        )
    return eq.alignment_curve(found, permutations=3)


@cache
def fit(users: int, models: int, uncovered: int = 0) -> Any:
    """A market of answers, under every score."""
    answers = eq.raters.simulate_answers(
        users=users, models=models, questions=30, options=3, seed=1, uncovered=uncovered
    )
    names = {
        "user_names": tuple(name(i) for i in range(users)),
        "model_names": tuple(name(len(NAMES) - 1 - i) if i < len(NAMES) else name(i) for i in range(models)),
    }
    return eq.raters.market_fit(replace(answers, **names))


def _drawn(draw: str, given: Callable[[], Any], **options: Any) -> Case:
    def case(to: Any = None) -> Figure:
        return getattr(eq.figures, draw)(given(), to, **options)

    return case


def _committees(draw: str) -> dict[str, Case]:
    rows = {
        "three tables": partial(committee_rows, 3, 4, NAMES[:3]),
        "one table of one provider": partial(committee_rows, 1, 1, NAMES[3:4]),
        "pooled": partial(committee_rows, 9, 5),
    }
    return {f"{draw}, {what}": _drawn(draw, given) for what, given in rows.items()}


def _raters() -> Any:
    return {
        NAMES[2]: eq.raters.simulate_raters("independent", items=40, raters=12, seed=1),
        NAMES[3]: eq.raters.simulate_raters("correlated", items=40, raters=12, seed=1),
    }


def benchmark(to: Any = None) -> Figure:
    """What the benchmarks measured, of more engines than there are colours."""
    workloads = [
        {"name": f"{kind}-{states}", "family": "uniform", "kind": kind, "schemes": 3**states}
        for kind in ("selection", "dynamics")
        for states in (3, 9, 40)
    ]
    speed = {"lower_quartile": 0.9, "median": 1.0, "upper_quartile": 1.2}
    rows = [
        {
            "engine": "equilibrax" if engine == 0 else name(engine),
            "workload": one["name"],
            "tables_per_second": {
                part: 10**6 * value / (engine + 1) / one["schemes"] ** 0.3 for part, value in speed.items()
            },
        }
        for engine in range(10)
        for one in workloads
    ]
    return draw_figure({"workloads": workloads, "rows": rows}, to)


CASES: dict[str, Case] = {
    "benchmark": benchmark,
    **_committees("misalignment"),
    **_committees("dynamics"),
    **_committees("newcomers"),
    **_committees("efficiency_gap"),
    "misalignment, a density": _drawn("misalignment", partial(committee_rows, 1, 11, NAMES[1:2])),
    "comparison, one table": _drawn("comparison_figure", lambda: comparison()),
    "comparison, pooled": _drawn("comparison_figure", lambda: comparisons()),
    "depths": _drawn("depth_figure", depths),
    "bound, a line each": _drawn("bound_figure", partial(market_rows, 1, 5, 2), users=NAMES),
    "bound, of many lines": _drawn("bound_figure", partial(market_rows, 6, 4, 2), users=NAMES),
    "bound, pooled": _drawn("bound_figure", partial(market_rows, 40, 3, 2, none=0.3)),
    "bound, a density": _drawn("bound_figure", partial(market_rows, 700, 3, 2)),
    "providers, a line each": _drawn("providers_figure", partial(market_rows, 1, 5, 3), users=NAMES),
    "providers, pooled": _drawn("providers_figure", partial(market_rows, 40, 3, 3)),
    "providers, of one": _drawn("providers_figure", partial(market_rows, 1, 1, 1), users=NAMES[3:]),
    "entry, a line each": _drawn("entry_figure", partial(entry_rows, 1, 5, 20), users=NAMES),
    "entry, pooled": _drawn("entry_figure", partial(entry_rows, 40, 2, 4)),
    "error": _drawn("curve_figure", lambda: {NAMES[0]: curve(5), NAMES[3]: curve(5)}),
    "error, of targets": _drawn("curve_figure", lambda: curve(4, 3)),
    "error, of one rater": _drawn("curve_figure", lambda: curve(1)),
    "sparsity": _drawn("sparsity_figure", lambda: {NAMES[0]: curve(5), NAMES[3]: curve(5)}),
    "noise": _drawn("noise_figure", _raters, left_out=[NAMES[1]]),
    "weak": _drawn("weak_figure", lambda: {NAMES[3]: fit(5, 6), NAMES[0]: fit(3, 4, 1)}),
    "transfer": _drawn("transfer_figure", lambda: {NAMES[3]: fit(5, 6), NAMES[0]: fit(3, 4, 1)}),
    "subsets": _drawn("subset_figure", lambda: {NAMES[3]: fit(5, 6), NAMES[0]: fit(3, 4, 1)}),
    "scores": _drawn("score_figure", lambda: fit(5, 6)),
    "scores, of two markets": _drawn("score_figure", lambda: {NAMES[3]: fit(5, 6), NAMES[0]: fit(3, 4, 1)}),
    "weights": _drawn("weights_figure", lambda: fit(5, 6)),
    "weights, of two markets": _drawn("weights_figure", lambda: {NAMES[3]: fit(5, 6), NAMES[0]: fit(3, 4, 1)}),
    "raters, one of each": _drawn("transfer_figure", lambda: fit(1, 1)),
}
"""Figures by what they show."""

SLOW = {
    name for name in CASES if name.split(",")[0] in ("comparison", "weak", "transfer", "subsets", "scores", "raters")
}
SLOW |= {"depths", "misalignment, a density", "bound, of many lines", "weights, of two markets", "error, of targets"}
"""Those that take long to compute or to draw."""
