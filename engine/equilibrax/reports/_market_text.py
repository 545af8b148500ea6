"""The numbers of a market of many users that matter, in words."""

from __future__ import annotations

from typing import Any

import numpy as np

from equilibrax._core.text import markdown
from equilibrax.raters import FoldSpread, StrongAlignment, anonymous_slack, cross_validated_transfer, transfer_factors
from equilibrax.raters.fit import MarketFit

_MOST_LISTED = 12


def market_text(market: MarketFit) -> str:
    """A market as Markdown."""
    size = len(market.strong.model_names)
    floor = f" (floor {market.score_floor:g})" if market.score == "log" else ""
    head = f"## The market: {counted(len(market.weak.user_names), 'user')}, {counted(size, 'provider')}, "
    parts = [f"{head}{market.score} score{floor}\n", _users(market), _facts(market), _coverage(market), _scores(market)]
    return "\n".join(part for part in parts if part)


def transfer_line(market: MarketFit) -> str:
    """The worst user's transfer factor with all providers, for a terminal that may know no signs."""
    strong = market.strong
    factors, spread = transfer_factors(strong), cross_validated_transfer(strong).values.max(axis=1)
    over = _range(FoldSpread(spread[:, None]), 0)
    name = strong.user_names[int(factors.argmax())]
    text = f"worst transfer factor with all providers: {_factor(factors.max())} ({name}), over folds {over}"
    return text.replace("∞", "infinite")


def _users(market: MarketFit) -> str:
    weak, strong = market.weak, market.strong
    factors, spread = transfer_factors(strong), cross_validated_transfer(strong)
    slack = np.full(len(factors), np.nan) if np.isnan(strong.worst_case).any() else anonymous_slack(strong)
    rows = [
        "| user | RMSE | of her standard deviation | ε_U | 1/λ* | over folds | 2ε/λ |",
        "|---|---|---|---|---|---|---|",
    ]
    for i in np.argsort(-weak.rmse):
        share = f"{100 * weak.rmse[i] / weak.constant_rmse[i]:.0f} %" if weak.constant_rmse[i] > 0 else "–"
        numbers = f"{weak.rmse[i]:.4f} | {share} | {weak.worst_case[i]:.4f} | {_factor(factors[i])}"
        numbers += f" | {_range(spread, i)} | {_factor(slack[i])}"
        rows.append(f"| {markdown(weak.user_names[i])} | {numbers} |")
    note = (
        "RMSE: weak alignment by NNLS with an intercept, on held-out questions; the standard deviation is that of a "
        "user's shares. ε_U: its error in the worst case, which she may lose in a personalized market. 1/λ*: her "
        "transfer factor in strong alignment with all providers, and the smallest and the largest of fits without one "
        "fold; ∞ is no weight from any provider. 2ε/λ: what Theorem 4.3 lets her lose in an anonymous market, in the "
        "worst case; ∞ is no promise below the range of her shares."
    )
    return "\n".join(rows) + f"\n\n{note}\n"


def _facts(market: MarketFit) -> str:
    weak, strong = market.weak, market.strong
    size = len(strong.model_names)
    curve, error = market.curve.mean(), market.curve.standard_error()
    lines = [
        f"- Hardest to align: {markdown(weak.user_names[int(np.nanargmax(weak.rmse))])}. Weak alignment, mean RMSE "
        f"over users at K = {size}: NNLS + intercept {curve[2, -1]:.4f} ± {error[2, -1]:.4f} "
        f"(standard error over folds), simple average {curve[1, -1]:.4f}, best single provider {curve[0, -1]:.4f}.",
        f"- Strong alignment{_sampled(strong)}: mean RMSE over providers {strong.rmse.mean():.4f}; worst case ε from "
        f"{strong.worst_case.min():.4f} to {strong.worst_case.max():.4f}.",
    ]
    uncovered = [name for name, factor in zip(strong.user_names, transfer_factors(strong)) if np.isinf(factor)]
    if uncovered:
        lines.append(f"- Covered by no provider (1/λ* = ∞, no guarantee for anonymous users): {listed(uncovered)}.")
    subsets = market.subsets
    best = subsets.model_names[int(subsets.best_set[0].argmax())]
    full = np.flatnonzero(subsets.covered == 1)
    every = f"all sets of {subsets.sizes[full[0]]} or more cover everybody" if len(full) else "no size suffices always"
    lines.append(
        f"- Worst user's 1/λ*: best single provider {_factor(subsets.best[0])}"
        f"{f' ({markdown(best)})' if np.isfinite(subsets.best[0]) else ''}, all providers {_factor(subsets.best[-1])}; "
        f"{100 * subsets.covered[0]:.0f} % of single providers cover everybody, {every}."
    )
    if strong.skipped:
        lines.append(
            f"- {counted(strong.skipped, 'question')} that some user did not answer: left out of strong alignment."
        )
    certified = int(weak.certified.sum()) + int(strong.certified.sum())
    residual = max(float(np.nanmax(weak.kkt_residual)), float(np.nanmax(strong.kkt_residual)))
    lines.append(
        f"- {certified} of {len(weak.certified) + len(strong.certified)} worst cases are certified to 1e-9 by linear "
        f"programming duality; the largest KKT residual of the fits with all providers is {residual:.1e}."
    )
    return "\n".join(lines) + "\n"


def _sampled(strong: StrongAlignment) -> str:
    return "" if strong.profiles is None else f" ({counted(strong.profiles, 'sampled profile')} for each question)"


def _coverage(market: MarketFit) -> str:
    """The worst user's transfer factor by the number of providers."""
    curve = market.coverage
    head = "| K | sets | cover everybody | median | over folds | mean | mean of those that cover everybody |"
    rows = ["### The worst user's 1/λ* over sets of K providers\n", head, "|---" * (head.count("|") - 1) + "|"]
    median, mean, covering = (curve.over_sets(of, "worst") for of in ("median", "mean", "covered_mean"))
    spread = curve.spread("median", "worst")
    for s, size in enumerate(curve.sizes.tolist()):
        cells = [f"{curve.count[s]:,}", f"{100 * curve.covered[s]:.0f} %", _factor(median[s]), _range(spread, s)]
        rows.append(f"| {size} | {' | '.join([*cells, _factor(mean[s]), _factor(covering[s])])} |")
    note = "A mean is ∞ as soon as one set leaves a user uncovered. `coverage.parquet` has the same of the mean user."
    return "\n".join(rows) + f"\n\n{note}\n"


def _scores(market: MarketFit) -> str:
    """What other scores give, with all providers."""
    if len(market.scores) < 2:
        return ""
    rows = [
        "### Other scores, with all providers\n",
        "| score | mean RMSE over users | 1/λ*: mean over users | 1/λ*: worst user | over folds |",
        "|---|---|---|---|---|",
    ]
    for name, fit in market.scores.items():
        factors, spread = transfer_factors(fit.strong), fit.coverage.spread("mean", "worst")
        mean = np.average(factors, weights=fit.strong.user_weights)
        numbers = [_factor(mean), _factor(factors.max()), _range(spread, -1)]
        rows.append(f"| {name} | {fit.curve.mean()[2, -1]:.4f} | {' | '.join(numbers)} |")
    note = (
        f"The log score tells probabilities apart down to its floor, {market.score_floor:g}; factors grow as it falls."
    )
    return "\n".join(rows) + (f"\n\n{note}\n" if "log" in market.scores else "\n")


def _factor(value: Any) -> str:
    if np.isnan(value):
        return "–"
    return "∞" if np.isinf(value) else f"{value:,.3g}" if value < 1000 else f"{value:,.0f}"


def _range(spread: FoldSpread, place: int) -> str:
    low, high = _factor(spread.lowest[place]), _factor(spread.highest[place])
    return low if low == high else f"{low} to {high}"


def counted(number: int, what: str) -> str:
    """A number of things."""
    return f"{number:,} {what}{'' if number == 1 else 's'}"


def listed(names, most: int = _MOST_LISTED) -> str:
    """The first names, and how many more there are."""
    shown = ", ".join(map(markdown, names[:most]))
    return shown + (f" and {len(names) - most:,} more" if len(names) > most else "")
