"""Raters from data frames: what `read_raters` reads from files, without a file."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

from equilibrax.io.frames import frame_texts, in_their_words
from equilibrax.io.names import reading
from equilibrax.io.sheets import Sheet
from equilibrax.raters.csv import RaterFormat, raters_of
from equilibrax.raters.matrix import RaterMatrix


def raters_from_dataframe(
    frame: Any,
    *,
    target: str | Sequence[str] = "target",
    item: str | None = None,
    rater: str | None = None,
    value: str | None = None,
    weight: str | None = None,
    group: str | None = None,
    ignore: Sequence[str] = (),
    scale: float | tuple[float, float] | None = None,
    target_scale: float | tuple[float, float] | None = None,
    providers: Sequence[str] | None = None,
) -> RaterMatrix:
    """What raters and targets say of the same items, from a data frame, wide or long.

    Wide has a row for every item, and a column for every rater and target. Long has a row for every rating, and the
    targets are among the raters; it is long if `rater` and `value` are given, or if there are columns `item`, `rater`
    and `value`. Missing values, and in a long frame missing rows, are missing ratings.

    Args:
        frame: of pandas, polars (lazy or not), pyarrow, or another library that exports Arrow; or a dictionary of
            columns. Levels of a pandas index that `item`, `rater` or `value` name are columns too.
        target: column (wide) or rater (long) to be matched, or several of them.
        item: column with the items' names; None is the column `item`, if there is one.
        rater: column of a long frame with the raters' names.
        value: column of a long frame with the ratings.
        weight: column with the importance of each item, positive numbers; None is 1 for all.
        group: column with the group of each item; items of one group are in the same fold. None makes every item a
            group of its own.
        ignore: columns that are no raters.
        scale: the range of the numbers, as for `read_raters`, and so are the next two.
        target_scale: the same for targets; None is the same scale as for raters.
        providers: columns (wide) or raters (long) that are the raters, in this order.

    Returns:
        A `RaterMatrix`, items and raters in the frame's order.

    Raises:
        ValueError: naming the column and the row, what was expected and what came.

    Example:
        >>> import equilibrax as eq
        >>> scores = {"answer": ["a", "b", "c"], "human": [3, 9, 6], "Ann": [4, 10, 5], "Bob": [2, None, 7]}
        >>> raters = eq.raters.raters_from_dataframe(scores, target="human", item="answer", scale=(0, 10))
        >>> raters.rater_names, raters.item_names, raters.ratings.tolist()
        (('Ann', 'Bob'), ('a', 'b', 'c'), [[0.4, 0.2], [1.0, nan], [0.5, 0.7]])
    """
    meant = (("item", item), ("rater", rater), ("value", value))
    renamed = {given: name for name, given in meant if given is not None}
    how = reading(providers, ignore)
    targets = [target] if isinstance(target, str) else list(target)
    told = (*targets, weight, group, *(how.providers or ()), *how.ignore)
    texts = frame_texts(frame, renamed, ("item", "rater", "value", *(name for name in told if name is not None)))
    sheet = Sheet(Path("frame"), texts.columns, texts.rows, texts.lines, 0)
    form: RaterFormat = "long" if rater is not None or value is not None else "auto"
    return in_their_words(renamed, lambda: raters_of(sheet, how, target, form, weight, group, scale, target_scale))
