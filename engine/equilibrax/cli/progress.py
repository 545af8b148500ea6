"""A progress bar that shows tables per second and the time left."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager

from rich.console import Console
from rich.progress import BarColumn, Progress, ProgressColumn, Task, TextColumn, TimeRemainingColumn
from rich.text import Text


class _Rate(ProgressColumn):
    def __init__(self, unit: str):
        super().__init__()
        self.unit = unit

    def render(self, task: Task) -> Text:
        speed = task.finished_speed or task.speed
        return Text("" if speed is None else f"{speed:,.0f} {self.unit}/s")


@contextmanager
def table_progress(
    console: Console, what: str, total: int, unit: str = "tables"
) -> Iterator[Callable[[int, int], None]]:
    """A callback `(tables done, tables in all)` that draws the bar while the context is open.

    Tables that were done before the first call count as done, not as speed.
    """
    done = TextColumn(f"{{task.completed:,.0f}}/{{task.total:,.0f}} {unit}")
    columns = (TextColumn(what, markup=False), BarColumn(), done, _Rate(unit))
    with Progress(*columns, TimeRemainingColumn(), console=console, transient=True) as progress:
        task, started = progress.add_task(what, total=total), False

        def update(done: int, total: int) -> None:
            nonlocal started
            if started:
                progress.update(task, completed=done, total=total)
            else:
                progress.reset(task, completed=done, total=total)
            started = True

        yield update
