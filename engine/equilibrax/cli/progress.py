"""What a command is doing: a bar with tables per second and the time left, or a line once it takes over two seconds;
and what a sweep has done.

Lines are for terminals; files and pipes get none of them.
"""

from __future__ import annotations

import sys
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from typing import TYPE_CHECKING, Any, TextIO

from rich.console import Console
from rich.progress import BarColumn, Progress, ProgressColumn, Task, TextColumn, TimeRemainingColumn
from rich.text import Text

from equilibrax._core.text import plain

if TYPE_CHECKING:
    from equilibrax.datasets import SweepReport

PATIENCE = 2.0
"""Seconds after which it is said what is being done."""

_EVERY, _SIGNS = 0.2, "|/-\\"
_COMPILING, _COMPILED = (
    "/jax/compilation_cache/compile_requests_use_cache",
    "/jax/core/compile/backend_compile_duration",
)
_drawing = threading.Lock()  # whoever holds it, or is `quiet`, has the terminal
_line: list[TextIO] = []  # the terminal on which a line stands
_state = {"doing": "", "compiling": "", "quiet": ""}


def doing(text: str) -> None:
    """Say what is done from now on, such as `solving 3 of 12 games`."""
    _state["doing"] = text


def say_games(which: str, solved: int, games: int) -> None:
    """Say which of several games over the same problem is solved from now on."""
    doing(f"solving {solved + 1} of {games} games over {which}" if games > 1 else f"solving {which}")


@contextmanager
def quiet() -> Iterator[None]:
    """While the block runs, something else is drawn on the terminal: a bar of progress."""
    with _drawing:
        before, _state["quiet"] = _state["quiet"], "quiet"
        _erase()
    try:
        yield
    finally:
        _state["quiet"] = before


@contextmanager
def said_while_waiting(text: str, stream: TextIO | None = None, patience: float = PATIENCE) -> Iterator[None]:
    """While the block runs, a line on a terminal says what is being done, after some seconds; it vanishes."""
    stream = sys.stderr if stream is None else stream
    doing(text)
    if stream is None or not stream.isatty():
        yield
        return
    _listen()
    done = threading.Event()
    thread = threading.Thread(target=_show, args=(stream, done, patience), name="equilibrax-waiting", daemon=True)
    thread.start()
    try:
        yield
    finally:
        done.set()
        thread.join()


def _show(stream: TextIO, done: threading.Event, patience: float) -> None:
    if done.wait(patience):
        return
    turn = 0
    while True:
        with _drawing:
            if not _state["quiet"]:
                what = _state["doing"] + (", compiling" if _state["compiling"] else "")
                with suppress(OSError, ValueError):
                    stream.write(f"\r{_SIGNS[turn % len(_SIGNS)]} {plain(what)[:76]}\x1b[K")
                    stream.flush()
                turn, _line[:] = turn + 1, [stream]
        if done.wait(_EVERY):
            break
    with _drawing:
        _erase()


def _erase() -> None:
    while _line:
        stream = _line.pop()
        with suppress(OSError, ValueError):
            stream.write("\r\x1b[K")
            stream.flush()


def _listen() -> None:
    """Know when XLA compiles."""
    if _state.get("listening"):
        return
    _state["listening"] = "yes"
    import jax

    def started(event: str, **_: str | int) -> None:
        if event == _COMPILING:
            _state["compiling"] = "yes"

    def ended(event: str, duration_secs: float, **_: str | int) -> None:
        if event == _COMPILED:
            _state["compiling"] = ""

    jax.monitoring.register_event_listener(started)
    jax.monitoring.register_event_duration_secs_listener(ended)


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
    shown: Any = {"disable": not console.is_interactive}  # Rich would leave an empty line in files and pipes
    with quiet(), Progress(*columns, TimeRemainingColumn(), console=console, transient=True, **shown) as progress:
        task, started = progress.add_task(what, total=total), False

        def update(done: int, total: int) -> None:
            nonlocal started
            if started:
                progress.update(task, completed=done, total=total)
            else:
                progress.reset(task, completed=done, total=total)
            started = True

        yield update


def report_lines(report: SweepReport, unit: str = "tables") -> list[str]:
    """What a sweep did, for people."""
    if not report.shards_done:
        return [f"All {report.shards} shards were done before; nothing to do.", *_whole(report)]
    how = "after the first shard, which compiles" if report.first_tables else "compilation included"
    lines = [
        f"{report.tables:,} {unit}, {report.rows:,} rows in {report.seconds:.1f} s "
        f"({report.tables_per_second:,.0f} {unit}/s {how})."
    ]
    if report.shards_before:
        lines.append(f"{report.shards_before} of {report.shards} shards were done before and are unchanged.")
    if report.retries:
        lines.append(f"{report.retries:,} times a table was solved again with more room.")
    if report.resolved:
        lines.append(f"{report.resolved:,} misalignment scores were solved again by HiGHS.")
    unsolved = {name: count for name, count in report.statuses.items() if name != "OK"}
    if unsolved:
        lines.append("Rows whose status is not OK: " + ", ".join(f"{n:,} {name}" for name, n in unsolved.items()))
    if report.short:
        lines.append(
            f"{report.short:,} tables were not found: bins are not even, the shards' records say which; give more "
            "--candidates or a narrower --range"
        )
    return lines + _whole(report)


def _whole(report: SweepReport) -> list[str]:
    return [] if report.closed else ["Shards of other processes are not done; `equilibrax merge` says which."]
