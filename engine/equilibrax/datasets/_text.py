"""The rows of `text`: tables of a shard in words, with every kind of question and its answer."""

from __future__ import annotations

from typing import get_args

import numpy as np
import pyarrow as pa

from equilibrax._core.column import schema
from equilibrax._core.columns import declared
from equilibrax.datasets._questions import QuestionKind, asked_about
from equilibrax.games import SelectionResult


def text_rows(result: SelectionResult, count: int, seed: int) -> pa.Table:
    """A row for every question about the first tables of a result; those that are not solved have none.

    Args:
        result: of all committees.
        count: how many tables.
        seed: which committee or state is asked about depends on it and the table's id.
    """
    solved = np.logical_not((result.status & ~int(result.game.answers)).any(axis=1))
    asked = [one for b in range(count) if solved[b] for one in asked_about(result, b, get_args(QuestionKind), seed)]
    rows = [{**vars(one), "prompt": one.prompt} for one in asked]
    return pa.Table.from_pylist(rows, schema(declared("text")))
