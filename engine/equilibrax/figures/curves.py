"""Figures 1 to 4 of 2509.15090: how closely mixtures of raters match a user, and how many raters they take.

Every function takes one curve, or several by name with a panel each, and writes one PNG, whole or not at all. The same
curves give the same bytes. Letters: N targets, M methods, S sizes, P permutations (or subsets).
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from math import ceil
from typing import Any, Literal, get_args

import numpy as np
from matplotlib.artist import Artist
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.lines import Line2D
from matplotlib.patches import Patch
from matplotlib.ticker import FixedLocator, LogLocator, MaxNLocator, NullFormatter, StrMethodFormatter

import equilibrax.figures._drawing as draw
from equilibrax._core.checks import check_choice
from equilibrax.raters.curve import AlignmentCurve
from equilibrax.raters.matrix import RaterMatrix

Band = Literal["permutations", "targets"]
Curves = AlignmentCurve | Mapping[str, AlignmentCurve]

METHOD_NAMES = {
    "best_individual": "best individual",
    "best_individual_hindsight": "best in hindsight",
    "average": "simple average",
    "nnls": "non-negative (NNLS)",
    "simplex": "convex (simplex)",
}
"""What the figures call the methods of `alignment_curve`."""

METHOD_COLOURS = {
    "best_individual": draw.BLUE,
    "best_individual_hindsight": draw.BLUE,
    "average": "#E69F00",
    "nnls": draw.GREEN,
    "simplex": "#C8102E",
}
"""The paper's colours: blue, orange, green, red, in shades that colour-blind readers can tell apart."""

FAILURE = 0.05
"""Probability with which the average may be further away than the curve of Proposition 3 says."""

_SHADE = 0.18
_EVERY = {"color": draw.GREY, "linestyle": ":", "linewidth": 1, "zorder": 1}


def curve_figure(curves: Curves, path: draw.Target = None, *, band: Band | None = None) -> Figure:
    """Error against the number of raters, by method (2509.15090, Figures 1, 3 and 4).

    The vertical axis is the mean squared error on held-out items. Lines are means over permutations (or subsets) and
    targets. Dashed is the best individual in hindsight, chosen on the held-out items themselves.

    Args:
        curves: one curve, or a mapping from panel titles to curves.
        path: a file to write (.png, .svg, .pdf), a Figure or SubFigure to draw into, or None for a new Figure.
        band: the shaded region: "permutations" is one standard deviation over permutations to either side (Figures 1
            and 3), "targets" one standard error over targets (Figure 4). Default: "targets" if a curve has several.

    Raises:
        ValueError: if there is no curve, none has a number, the option is unknown or `path` ends in no format.

    Example:
        >>> import equilibrax as eq
        >>> raters = eq.raters.simulate_raters("independent", items=60, raters=4, seed=1)
        >>> figure = eq.figures.curve_figure(eq.alignment_curve(raters, permutations=3), "error.png")
    """
    panels = by_name(curves)
    if band is not None:
        check_choice("band", band, get_args(Band))
    chosen = band or ("targets" if max(map(_answering, panels.values())) > 1 else "permutations")
    note = f"Means over {_averaged(panels)}, {_folds(panels)}; shaded: ±1 "
    note += "standard error over targets." if chosen == "targets" else f"standard deviation over {_sets(panels)}."
    with draw.page(path, len(panels), note, panel_width=3.1, height=2.5) as (figure, axes):
        used: dict[str, None] = {}
        cut = False
        for (name, curve), panel in zip(panels.items(), axes):
            means, spreads = _means(curve.mse), _bands(curve.mse, chosen)
            for method, mean, spread in zip(curve.methods, means, spreads):
                used[method] = None
                _line(panel, curve.sizes, mean, spread, method)
            size_axis(panel, np.asarray(curve.sizes))
            cut |= _error_axis(panel, means[_drawn(curve)])
            panel.set_title(name)
        draw.axis_labels(axes, "number of raters K", "alignment error (MSE)")
        draw.legend(figure, [method_entry(m) for m in METHOD_NAMES if m in used])
        if cut:
            draw.add_note(figure, "Shades that end at the top go on.")
    return figure


def sparsity_figure(curves: Curves, path: draw.Target = None) -> Figure:
    """Number of raters with weight against the number of raters, for NNLS and simplex (2509.15090, Figure 2).

    A weight counts if it is more than 1e-6. Shaded: one standard deviation over permutations to either side. The dotted
    grey line is every rater.

    Args:
        curves: one curve, or a mapping from panel titles to curves.
        path: a file to write (.png, .svg, .pdf), a Figure or SubFigure to draw into, or None for a new Figure.

    Raises:
        ValueError: if there is no curve, none has either method or a number, or `path` ends in no format.

    Example:
        >>> import equilibrax as eq
        >>> raters = eq.raters.simulate_raters("independent", items=60, raters=4, seed=1)
        >>> figure = eq.figures.sparsity_figure(eq.alignment_curve(raters, permutations=3), "weights.png")
    """
    panels = by_name(curves)
    if not any(set(curve.methods) & {"nnls", "simplex"} for curve in panels.values()):
        raise ValueError("curves: expected one with the method nnls or simplex, got none")
    note = f"Weights above 1e-6; means over {_averaged(panels)} and folds; "
    note += f"shaded: ±1 standard deviation over {_sets(panels)}."
    with draw.page(path, len(panels), note, panel_width=3.1, height=2.5) as (figure, axes):
        for (name, curve), panel in zip(panels.items(), axes):
            shown = [m for m in ("nnls", "simplex") if m in curve.methods]
            means, spreads = _means(curve.nonzero), _bands(curve.nonzero, "permutations")
            top = 0.0
            for method in shown:
                m = curve.methods.index(method)
                _line(panel, curve.sizes, means[m], spreads[m], method)
                top = max(top, float(np.nanmax(np.nan_to_num(means[m] + spreads[m]))))
            panel.plot(
                [0, curve.sizes[-1]], [0, curve.sizes[-1]], color=draw.GREY, linestyle=":", linewidth=1, zorder=1
            )
            size_axis(panel, np.asarray(curve.sizes))
            panel.set_ylim(0, 1.08 * max(top, 1.0))
            panel.yaxis.set_major_locator(MaxNLocator(5, integer=True))
            panel.set_title(name)
        draw.axis_labels(axes, "number of raters K", "raters with weight")
        every = Line2D([], [], label="all K", **_EVERY)
        draw.legend(figure, [method_entry("nnls"), method_entry("simplex"), every])
    return figure


def noise_figure(
    raters: RaterMatrix | Mapping[str, RaterMatrix],
    path: draw.Target = None,
    *,
    permutations: int = 20,
    seed: int = 0,
    failure: float = FAILURE,
    left_out: Sequence[str] = (),
) -> Figure:
    """The simple average's largest miss beside what Proposition 3 of 2509.15090 promises.

    If K raters are independent draws around the user, unbiased, with all numbers in [0, 1], their average is nowhere
    further from her than sqrt((ln(2 I) - ln(failure)) / (2 K)) on I items, with probability 1 - failure
    (`providers_needed` is the same the other way round). Families that are correlated or biased break the premise, and
    their lines flatten. Both axes are logarithmic.

    Args:
        raters: one target each; or a mapping from line names to such matrices.
        path: a file to write (.png, .svg, .pdf), a Figure or SubFigure to draw into, or None for a new Figure.
        permutations: random orders of the raters; the line is their mean, the shade their range.
        seed: of the orders.
        failure: probability, above 0 and below 1.
        left_out: what else was studied and has no line here; the footnote names it.

    Raises:
        ValueError: if there is no matrix, a number is out of range or `path` ends in no format.

    Example:
        >>> import equilibrax as eq
        >>> raters = eq.raters.simulate_raters("independent", items=60, raters=8, seed=1)
        >>> figure = eq.figures.noise_figure(raters, "proposition-3.png")
    """
    given = {"largest miss of the average": raters} if isinstance(raters, RaterMatrix) else dict(raters)
    if not given:
        raise ValueError("raters: expected at least one matrix, got none")
    note = "Largest distance of the simple average from the target over all items: mean and range over "
    note += f"{permutations} random orders. Proposition 3 holds with probability {1 - failure:g}, "
    note += "if raters are independent, unbiased and within [0, 1]."
    if left_out:
        note += f" Not shown, as their raters are not the user with noise: {', '.join(left_out)}."
    colours = (draw.BLUE, "#E69F00", "#CC79A7", draw.GREEN)
    with draw.page(path, 1, note, panel_width=4.2, height=2.8) as (figure, (panel,)):
        entries: list[Artist] = []
        largest, items = 1, 1
        for number, (name, matrix) in enumerate(given.items()):
            missed = largest_miss(matrix, permutations, seed)
            sizes, colour = np.arange(1, matrix.num_raters + 1), colours[number % len(colours)]
            largest, items = max(largest, matrix.num_raters), max(items, matrix.num_items)
            panel.fill_between(sizes, missed.min(axis=0), missed.max(axis=0), color=colour, alpha=_SHADE, linewidth=0)
            (line,) = panel.plot(sizes, missed.mean(axis=0), color=colour, linewidth=1.8, label=name)
            entries.append(line)
        sizes = np.arange(1, largest + 1)
        promise = [promised_distance(items, int(k), failure) for k in sizes]
        (line,) = panel.plot(sizes, promise, **draw.BOUND, label="Proposition 3")
        panel.set(xscale="log", yscale="log", xlim=(0.95, 1.05 * max(largest, 2)))
        marks = [k for base in (1, 10, 100, 1000, 10000) for k in (base, 2 * base, 5 * base) if k <= largest]
        panel.xaxis.set_major_locator(FixedLocator(marks))
        panel.xaxis.set_minor_formatter(NullFormatter())
        panel.xaxis.set_major_formatter(StrMethodFormatter("{x:g}"))
        panel.yaxis.set_major_locator(LogLocator(10, (1.0, 2.0, 5.0)))
        panel.yaxis.set_minor_formatter(NullFormatter())
        panel.yaxis.set_major_formatter(StrMethodFormatter("{x:g}"))
        draw.axis_labels([panel], "number of raters K", "largest miss of the average")
        draw.legend(figure, [*entries, line])
    return figure


def promised_distance(cells: int, raters: int, failure: float) -> float:
    """The eps of Proposition 3 (2509.15090) for so many cells and raters: sqrt((ln(2 cells) - ln(failure)) / (2 K))."""
    return math.sqrt((math.log(2 * cells) - math.log(failure)) / (2 * raters))


def largest_miss(raters: RaterMatrix, permutations: int, seed: int) -> np.ndarray:
    """`[P, K]` max over items of |average of the first k raters - target|, for random orders of the raters.

    Raises:
        ValueError: if there is more than one target, or no item with all numbers.
    """
    if raters.num_targets != 1:
        raise ValueError(f"raters: expected one target, got {raters.num_targets}")
    known = np.isfinite(raters.ratings).all(axis=1) & np.isfinite(raters.targets[:, 0])
    if not known.any():
        raise ValueError("raters: expected an item with numbers of everybody, got none")
    away = raters.ratings[known] - raters.targets[known]
    random = np.random.default_rng(seed)
    count = np.arange(1, raters.num_raters + 1)
    orders = [random.permutation(raters.num_raters) for _ in range(permutations)]
    return np.stack([np.abs(np.cumsum(away[:, order], axis=1) / count).max(axis=0) for order in orders])


def by_name(curves: Any) -> dict[str, Any]:
    """Curves by panel title; a single one has none."""
    named = dict(curves) if isinstance(curves, Mapping) else {"": curves}
    if not named:
        raise ValueError("curves: expected at least one, got none")
    for name, curve in named.items():
        if isinstance(curve, AlignmentCurve) and not np.isfinite(curve.mse).any():
            raise ValueError(f"curves: expected numbers to draw, got none{f' for {name!r}' if name else ''}")
    return named


def method_entry(method: str) -> Artist:
    """Legend entry of a method."""
    return Line2D([], [], label=METHOD_NAMES[method], **_style(method))


def band_entry(label: str) -> Artist:
    """Legend entry of a shaded region."""
    return Patch(color=draw.GREY, alpha=0.4, linewidth=0, label=label)


def size_axis(panel: Axes, sizes: np.ndarray) -> None:
    """An x axis of whole numbers of raters."""
    low, high = int(sizes.min()), int(sizes.max())
    margin = max(0.03 * (high - low), 0.3)
    panel.set_xlim(low - margin, high + margin)
    if high <= 12:
        panel.xaxis.set_major_locator(FixedLocator(range(low, high + 1)))
    else:
        step = next(s for s in (2, 5, 10, 20, 25, 50, 100, 200, 500, 10**9) if ceil(high / s) <= 6)
        panel.xaxis.set_major_locator(FixedLocator([low, *range(step * (low // step + 1), high + 1, step)]))
    panel.xaxis.set_major_formatter(StrMethodFormatter("{x:g}"))


def _line(panel: Axes, sizes: Sequence[int], mean: np.ndarray, spread: np.ndarray, method: str) -> None:
    at, few = np.asarray(sizes), len(sizes) <= 12
    style = _style(method)
    if few and (method != "best_individual_hindsight" or len(sizes) == 1):  # which is dashes, where there is a line
        style |= {"marker": "o", "markersize": 7 - 0.9 * list(METHOD_NAMES).index(method) if len(sizes) == 1 else 3}
    panel.plot(at, mean, **style)
    if method != "best_individual_hindsight":
        shade = {"color": METHOD_COLOURS[method], "alpha": _SHADE, "linewidth": 0}
        panel.fill_between(at, mean - spread, mean + spread, **shade)


def _style(method: str) -> dict[str, Any]:
    hindsight = method == "best_individual_hindsight"
    # Later lines are thinner, so that those that coincide are all seen.
    width = {"average": 2.4, "nnls": 2.2, "simplex": 1.5}.get(method, 1.6)
    # Dashes tell methods apart where colours do not: in grey, and for readers who see red and green alike.
    dashes = {"average": (0, (5, 1.2, 1, 1.2)), "simplex": (0, (2, 1))}.get(method, "-")
    style = {"linestyle": "--", "linewidth": 1.0} if hindsight else {"linestyle": dashes, "linewidth": width}
    return {**style, "color": METHOD_COLOURS[method], "zorder": 2 + 0.1 * list(METHOD_NAMES).index(method)}


def _drawn(curve: AlignmentCurve) -> list[int]:
    return [m for m in range(len(curve.methods)) if np.isfinite(curve.mse[:, m]).any()]


def _error_axis(panel: Axes, means: np.ndarray) -> bool:
    """From zero to above all means. Whether shades are cut: a first one far above must not flatten the rest."""
    high = panel.get_ylim()[1]
    top = 1.6 * float(np.nanmax(means))
    panel.set_ylim(0, max(min(high, top), 1.1 * float(np.nanmax(means))) or 1.0)  # without any error: up to 1
    panel.yaxis.set_major_locator(MaxNLocator(5, steps=[1, 2, 2.5, 5, 10]))
    return high > top


def _answering(curve: AlignmentCurve) -> int:
    return int(np.isfinite(curve.mse).any(axis=(1, 2, 3)).sum())


def _means(values: np.ndarray) -> np.ndarray:
    """`[M, S]` means over targets and permutations of `[N, M, S, P]`, of those that are numbers."""
    return _mean(_mean(values, 3), 0)


def _bands(values: np.ndarray, band: Band) -> np.ndarray:
    """`[M, S]` half widths: over permutations, the mean over targets of their standard deviation."""
    if band == "permutations":
        away = values - _mean(values, 3)[..., None]
        return _mean(np.sqrt(_mean(away**2, 3)), 0)
    means = _mean(values, 3)
    count = np.isfinite(means).sum(axis=0)
    squares = np.nansum((means - _mean(means, 0)) ** 2, axis=0)
    return np.where(count > 1, np.sqrt(squares / np.maximum(count - 1, 1) / np.maximum(count, 1)), 0.0)


def _mean(values: np.ndarray, axis: int) -> np.ndarray:
    known = np.isfinite(values)
    count = known.sum(axis=axis)
    return np.where(count > 0, np.where(known, values, 0.0).sum(axis=axis) / np.maximum(count, 1), np.nan)


def _averaged(panels: Mapping[str, AlignmentCurve]) -> str:
    first = next(iter(panels.values()))
    permuted = f"{first.mse.shape[3]} permutations of the raters"
    what = permuted if _sets(panels) == "permutations" else "all subsets of K raters"
    targets = sorted({_answering(curve) for curve in panels.values()})
    if targets[-1] == 1:
        return what
    return f"{what} and {targets[0] if len(targets) == 1 else f'{targets[0]} to {targets[-1]}'} targets"


def _sets(panels: Mapping[str, AlignmentCurve]) -> str:
    """What sets of raters were taken."""
    return "permutations" if any(curve.orders is not None for curve in panels.values()) else "subsets"


def _folds(panels: Mapping[str, AlignmentCurve]) -> str:
    counts = sorted({curve.folds for curve in panels.values()})
    return f"{' or '.join(map(str, counts))}-fold cross-validation"
