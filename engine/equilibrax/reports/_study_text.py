"""The numbers of a study of alignment that matter, in words."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING
from urllib.parse import quote

import numpy as np

from equilibrax._core.text import markdown
from equilibrax.figures.curves import FAILURE, METHOD_NAMES, largest_miss, promised_distance
from equilibrax.fits.least_squares import TOLERANCE
from equilibrax.raters.matrix import RaterMatrix
from equilibrax.reports._market_text import counted, listed, market_text, transfer_line
from equilibrax.theory import providers_needed

if TYPE_CHECKING:
    from equilibrax.reports.alignment import AlignmentStudy

_MOST_LISTED = 12  # targets
_FITTED = ("nnls", "simplex")
_RATER_FIGURES = {
    "error": "MSE on held-out items against the number of raters K, by method",
    "sparsity": "how many raters get weight, against K",
    "noise": "the average's largest miss beside Proposition 3",
}
_MARKET_FIGURES = {
    "weak": "RMSE of weak alignment against the number of models, by method and by user",
    "transfer": "1/λ* against the number of models, and what more users do, by cross-validation",
    "subsets": "the worst user's 1/λ* for the best, the mean and the worst set of each size",
    "scores": "RMSE and 1/λ* under other scores",
    "weights": "which models explain a user (w), and whom a model covers (λ)",
}
_SHORT = {"nnls": "NNLS", "simplex": "simplex", "best_individual": "best rater", "average": "average"}


def study_text(study: AlignmentStudy, title: str) -> str:
    """A study as Markdown."""
    parts = [f"# {markdown(title)}\n", _data(study)]
    if len(study.unsolved) < study.raters.num_targets:
        parts += [_errors(study), _hardest(study), _fits(study)]
    if study.noise:
        parts.append(_noise(study))
    if study.market is not None:
        parts.append(market_text(study.market))
    elif study.no_market:
        parts.append(f"## The market of many users\n\nNot fitted: {markdown(study.no_market)}.\n")
    parts.append(_files(study))
    return "\n".join(part for part in parts if part)


def headlines(study: AlignmentStudy) -> list[str]:
    """The numbers to begin with, a line each."""
    curve = study.curve
    rmse = dict(zip(curve.methods, curve.mean("rmse")[:, -1]))
    shown = [f"{name} {rmse[m]:.3g}" for m, name in _SHORT.items() if np.isfinite(rmse.get(m, np.nan))]
    lines = []
    if shown:
        lines.append(f"held-out RMSE with all {curve.sizes[-1]}: {', '.join(shown)}")
    if study.market is not None:
        lines.append(transfer_line(study.market))
    return lines


def overview_text(studies: Mapping[str, AlignmentStudy]) -> str:
    """Several studies as Markdown: errors with all raters, and where the rest is."""
    head = f"| | raters | targets | {' | '.join(METHOD_NAMES.values())} | NNLS against best individual |"
    rows = ["# Alignment error (MSE) with all raters\n", head, "|---" * (head.count("|") - 1) + "|"]
    for name, study in studies.items():
        curve = study.curve
        last = dict(zip(curve.methods, curve.mean()[:, -1]))
        size = study.fitted.num_raters, study.fitted.num_targets
        cells = [f"[{markdown(name)}](<{quote(name, safe=' ')}/summary.md>)", *map(str, size)]
        cells += [f"{last[m]:.5g}" if np.isfinite(last.get(m, np.nan)) else "–" for m in METHOD_NAMES]
        fitted = last.get("nnls", np.nan)
        cells.append(_against(fitted, last.get("best_individual"), not np.isfinite(fitted)))
        rows.append(f"| {' | '.join(cells)} |")
    return "\n".join(rows) + "\n"


def _data(study: AlignmentStudy) -> str:
    raters, curve = study.raters, study.curve
    of_answers = study.market is not None or bool(study.no_market)
    grouped = len(np.unique(study.fitted.groups)) < study.fitted.num_items
    lines = [
        f"- {size_text(raters, study.fitted)}, {counted(raters.num_targets, 'target')}"
        + ("; an item is an option of a question (a group), raters are models, targets users." if of_answers else "."),
        f"- {curve.folds}-fold cross-validation, folds {curve.fold_assignment}"
        f"{', a whole group in one fold' if grouped else ''}; "
        + (
            "all subsets of raters of each size"
            if curve.orders is None
            else counted(len(curve.orders), "random order") + " of the raters"
        )
        + f"; seed {curve.seed}{'; NNLS and simplex with a constant' if curve.intercept else ''}.",
    ]
    gone = int(np.isnan(raters.ratings).sum())
    if gone:
        share = 100 * gone / raters.ratings.size
        lines.append(f"- Missing of raters: {counted(gone, 'rating')} ({share:.2g} %){_dropped(curve)}.")
    if unrated := int(np.isnan(raters.targets).sum()):
        lines.append(f"- Missing of targets: {counted(unrated, 'rating')}; those items are left out for that target.")
    if study.weighed:
        lines.append(f"- Respondents count by {markdown(study.weighed)}.")
    if (shares := curve.target_weights / curve.target_weights.sum()).min() < shares.max():
        parts = [f"{name} {100 * share:.3g} %" for name, share in zip(curve.target_names, shares)]
        lines.append(f"- In means over {'users' if of_answers else 'targets'} these count by: {listed(parts)}.")
    lines += [f"- Left out when it was read: {markdown(note)}." for note in study.notes]
    lines += [f"- **Failed**: {markdown(what)}." for what in study.failed]
    for status in dict.fromkeys(s for s in curve.status if s != "solved"):
        names = [n for n, s in zip(curve.target_names, curve.status) if s == status]
        lines.append(f"- Without numbers ({status}): {listed(names)}.")
    return "\n".join(lines) + "\n"


def size_text(raters: RaterMatrix, fitted: RaterMatrix) -> str:
    """Items and raters that were fitted, out of how many."""
    groups = len(np.unique(fitted.groups))
    grouped = "" if groups == fitted.num_items else f" in {groups:,} groups"
    items, columns = _of(fitted.num_items, raters.num_items, "item"), _of(fitted.num_raters, raters.num_raters, "rater")
    return f"{items}{grouped}, {columns}"


def _of(left: int, given: int, what: str) -> str:
    return counted(left, what) if left == given else f"{left:,} of {counted(given, what)}"


def _dropped(curve) -> str:
    if curve.dropped_items:
        return f"; dropped for that: {counted(len(curve.dropped_items), 'item')} ({listed(curve.dropped_items, 5)})"
    if curve.dropped_raters:
        return f"; dropped for that: {counted(len(curve.dropped_raters), 'rater')} ({listed(curve.dropped_raters, 5)})"
    return "; the rater's mean stands in for them"


def _errors(study: AlignmentStudy) -> str:
    curve = study.curve
    mean, nonzero = curve.mean(), curve.mean("nonzero")
    last = {method: mean[m, -1] for m, method in enumerate(curve.methods)}
    size = int(curve.sizes[-1])
    first = f"| MSE at K = {curve.sizes[0]} " if size > curve.sizes[0] else ""
    last_two = f"| MSE at K = {size} | RMSE at K = {size} "
    head = f"| method {first}{last_two}| against best individual | against average | with weight |"
    rows = [head, "|---" * (head.count("|") - 1) + "|"]
    for m, method in enumerate(curve.methods):
        cells = [METHOD_NAMES[method]] + ([f"{mean[m, 0]:.5g}"] if first else [])
        cells += [f"{last[method]:.5g}", f"{curve.mean('rmse')[m, -1]:.4g}"]
        cells += [_against(last[method], last.get(other), method == other) for other in ("best_individual", "average")]
        rows.append(f"| {' | '.join([*cells, f'{nonzero[m, -1]:.3g}'])} |")
    text = "## Error on held-out items\n\n" + "\n".join(rows) + "\n"
    if {"best_individual", "average"} <= set(last) and last["average"] > last["best_individual"]:
        text += f"\nAt K = {size} the simple average is worse than the best individual.\n"
    used = [
        f"{METHOD_NAMES[method]} gives weight to {nonzero[m, -1]:.3g} of {size} raters"
        for m, method in enumerate(curve.methods)
        if method in _FITTED
    ]
    return text + (f"\n{'; '.join(used)} (weights above 1e-6, means over folds).\n" if used else "")


def _against(value: float, other: float | None, same: bool) -> str:
    if other is None or same or other <= 0:
        return "–"
    ratio = value / other
    if abs(ratio - 1) < 5e-4:
        return "the same"
    if ratio >= 2:
        return f"{ratio:.3g} times as much"
    return f"{abs(100 * (1 - ratio)):.1f} % {'less' if ratio <= 1 else 'more'}"


def _hardest(study: AlignmentStudy) -> str:
    """Targets by their error with all raters; shares of their own variance say whether they are hard or just varied."""
    curve = study.curve
    method = next((m for m in ("nnls", "simplex", "best_individual") if m in curve.methods), None)
    if method is None or len(curve.target_names) < 2:
        return ""
    error = np.array([row[: curve.count[-1]].mean() for row in curve.mse[:, curve.methods.index(method), -1]])
    order = [i for i in np.argsort(-error) if np.isfinite(error[i])]
    weights = study.fitted.weights[:, None]
    known = np.isfinite(study.fitted.targets)
    mass = np.where(known, weights, 0.0)
    total = np.maximum(mass.sum(axis=0), 1e-300)
    middle = np.where(known, study.fitted.targets, 0.0)
    mean = (mass * middle).sum(axis=0) / total
    variance = (mass * (middle - mean) ** 2).sum(axis=0) / total
    rows = ["| target | MSE | RMSE | of its variance |", "|---|---|---|---|"]
    for i in order[:_MOST_LISTED]:
        share = f"{100 * error[i] / variance[i]:.0f} %" if variance[i] > 0 else "–"
        rows.append(f"| {markdown(curve.target_names[i])} | {error[i]:.5g} | {np.sqrt(error[i]):.4g} | {share} |")
    left = f"\n{len(order) - _MOST_LISTED} more are easier.\n" if len(order) > _MOST_LISTED else ""
    heading = f"## Who is hardest to align ({METHOD_NAMES[method]}, K = {curve.sizes[-1]})"
    return heading + "\n\n" + "\n".join(rows) + "\n" + left


def _fits(study: AlignmentStudy) -> str:
    residual = study.curve.kkt_residual
    known = residual[np.isfinite(residual)]
    if not known.size:
        return ""
    return (
        "## Fits\n\n"
        f"{known.size * study.curve.folds:,} fits of NNLS and simplex; the largest relative KKT residual is "
        f"{known.max():.1e} (zero is optimal, the limit is {TOLERANCE:g}); "
        f"{counted(study.curve.refined, 'fit')} solved again to get there.\n"
    )


def _files(study: AlignmentStudy) -> str:
    """What the figures show, of those that are drawn."""
    solved = len(study.unsolved) < study.raters.num_targets
    drawn = {name: what for name, what in _RATER_FIGURES.items() if (study.noise if name == "noise" else solved)}
    if study.market is not None:
        drawn |= {
            name: what for name, what in _MARKET_FIGURES.items() if name != "scores" or len(study.market.scores) > 1
        }
    if not drawn:
        return ""
    lines = [f"- `{name}`: {what}" for name, what in drawn.items()]
    return "## Figures beside this file\n\n" + "\n".join(lines) + "\n\nTheir numbers are in the `.parquet` files.\n"


def _noise(study: AlignmentStudy) -> str:
    matrix = study.fitted
    missed = float(largest_miss(matrix, 1, 0)[0, -1])
    promise = promised_distance(matrix.num_items, matrix.num_raters, FAILURE)
    needed = providers_needed(1, matrix.num_items, 0.1, FAILURE)
    return (
        "## The simple average and Proposition 3\n\n"
        "Proposition 3 of 2509.15090: if raters are independent draws around the user, unbiased and within [0, 1], "
        f"their average misses her by at most {promise:.3g} on all {matrix.num_items:,} items, with probability "
        f"{1 - FAILURE:g}, for K = {matrix.num_raters}; to be within 0.1 takes K = {needed:,}. Here the largest miss "
        f"is {missed:.3g}. (Unbiased normal noise with a standard deviation of at most 1/2 obeys the same bound. "
        "Answers clipped to 0..1 are biased near the ends, and correlated or systematic errors do not average out.) It "
        "is about the average only; `noise.png` has it for every K.\n"
    )
