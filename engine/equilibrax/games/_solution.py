"""What every result says, whatever was solved: of which game and problems it is, and which rows are no answers."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
from rich.table import Table

from equilibrax._core.status import SolveError, status_names
from equilibrax._core.text import show_table

if TYPE_CHECKING:
    from equilibrax.games._game import Game


class Solution:
    """Base of all results: frozen dataclasses with `game` and `status`, flags of `Status` for every row."""

    game: Game[Any]
    status: np.ndarray

    _unit = "table"  # what one of the batch is called

    @property
    def problem(self) -> Any:
        """What was solved."""
        raise NotImplementedError

    @property
    def table_id(self) -> np.ndarray:
        """`[B]` int64, ids."""
        return np.asarray(self.problem.table_id)

    @property
    def status_names(self) -> np.ndarray:
        """Statuses as text, `OK` or flags joined by `|`, in the shape of `status`."""
        return status_names(self.status)

    def check_solved(self) -> None:
        """Refuse a result with a status that is no answer.

        Raises:
            SolveError: naming the first one.
        """
        bad = self.status & ~int(self.game.answers)
        if not bad.any():
            return
        where = tuple(np.argwhere(bad)[0].tolist())
        name = str(status_names(bad[where]).item())
        unsolved = int((bad != 0).reshape(len(bad), -1).any(axis=1).sum())
        raise SolveError(
            f"{unsolved} of {len(bad)} {self._unit}s are not solved; the first is {self._unit} "
            f"{int(self.table_id[where[0]])}, {self._row(where)}: {name}. "
            f"Status.{name.split('|')[0]} says what to do; throw=False returns the others."
        )

    @property
    def failures(self) -> int:
        """How many rows have a status that is no answer."""
        return int((self.status & ~int(self.game.answers) != 0).sum())

    def show(self, table: int = 0, *, width: int | None = None) -> None:
        """Print the results of one of the batch, a line per row.

        Args:
            table: position in the batch.
            width: characters per line; default is the terminal's.
        """
        show_table(lambda decimals: self._table(table, decimals), width)

    def _row(self, where: tuple[int, ...]) -> str:
        """What a position in `status` is about, besides the one of the batch."""
        raise NotImplementedError

    def _table(self, table: int, decimals: int) -> Table:
        raise NotImplementedError
