"""What a run measured, for people: a table on the terminal, and the same in Markdown."""

from __future__ import annotations

from typing import Any

from rich.console import Console
from rich.table import Table

COLUMNS = (
    "workload", "engine", "tables/s", "quartiles", "ratio to ours", "compile s", "peak MB", "answer", "of floor",
)  # fmt: skip
_WORDS = ("workload", "engine", "answer")


def exit_status(measured: dict[str, Any]) -> int:
    """1 if an answer is wrong or an engine failed, else 0. Targets do not matter."""
    return int(any(row["answer"] in ("WRONG", "failed") for row in measured["rows"]))


def cells(row: dict[str, Any]) -> list[str]:
    """One row of the table, `COLUMNS`."""
    speed = row["tables_per_second"]
    answer = row["answer"] + "".join(f", {count} {name}" for name, count in row["counters"].items() if count)
    if speed is None:
        return [row["workload"], row["engine"], "", "", "", "", _number(row["peak_mb"]), answer, ""]
    return [
        row["workload"],
        row["engine"],
        _number(speed["median"]),
        f"{_number(speed['lower_quartile'])} to {_number(speed['upper_quartile'])}",
        "" if row["ratio"] is None else _number(row["ratio"]),
        f"{row['compile_seconds']:.1f}",
        _number(row["peak_mb"]),
        answer,
        f"{100 * row['floor_reached']:.2g} %",
    ]


def print_report(measured: dict[str, Any], console: Console) -> None:
    """The tables of a run, on a terminal."""
    table = Table(title=heading(measured))
    for column in COLUMNS:
        table.add_column(column, no_wrap=column != "answer", justify="left" if column in _WORDS else "right")
    before = None
    for row in measured["rows"]:
        if before not in (None, row["workload"]):
            table.add_section()
        before = row["workload"]
        table.add_row(*cells(row))
    console.print(table)
    for line in floor_lines(measured) + notes(measured):
        console.print(line, markup=False)
    console.print()
    promises = Table("target", "measured", "holds", title="Targets")
    for target in measured["targets"]:
        promises.add_row(*target_cells(target))
    console.print(promises)


def markdown_report(measured: dict[str, Any]) -> str:
    """The same in Markdown, for `benchmarks/README.md`."""
    parts = [heading(measured), "", *_markdown_table(COLUMNS, [cells(row) for row in measured["rows"]]), ""]
    parts += [f"- {line}" for line in floor_lines(measured) + notes(measured)]
    targets = [target_cells(target) for target in measured["targets"]]
    return "\n".join([*parts, "", *_markdown_table(("target", "measured", "holds"), targets), ""])


def heading(measured: dict[str, Any]) -> str:
    """Where and with what it ran."""
    machine, device, versions = measured["machine"], measured["device"], measured["versions"]
    against = measured["options"].get("against", "")
    against = f" (against: {against})" if against else ""
    quick = "; quick: times mean nothing" if measured["options"]["quick"] else ""
    quick += "" if measured.get("whole", True) else "; interrupted"
    return (
        f"{machine['processor']}, {machine['cores']} cores, load {machine['load']} at the start; {device['count']} x "
        f"{device['kind']}; Python {machine['python']}, jax {versions['jax']}, numba {versions['numba']}, "
        f"revision {measured['revision']}{against}{quick}"
    )


def target_cells(target: dict[str, Any]) -> list[str]:
    """One row of the targets."""
    signs = {"faster": "speed >=", "overhead": "time <=", "memory": "memory <="}
    what, unit = f"{target['workload']} on {target['device']}", "x"
    if target["kind"] == "rate":
        what, unit = f"{what}: tables per second >= {target['target']:g}", " tables/s"
    elif target["kind"] == "seconds":
        what, unit = f"{what}: seconds <= {target['target']:g}", " s"
    else:
        what += f", against {target['peer']}: {signs[target['kind']]} {target['target']:g}x"
    what += f" ({target['note']})" if target["note"] else ""
    value = target["measured"]
    holds = {None: "not measured", True: "yes", False: "no"}[target["holds"]]
    return [what, "" if value is None else f"{value:.3g}{unit}", holds]


def floor_lines(measured: dict[str, Any]) -> list[str]:
    """The floor of every workload."""
    rates = measured["rates"]
    lines = [
        f"Measured here: {rates['bytes_per_second'] / 1e9:.1f} GB/s copied (read and written), "
        f"{rates['adds_per_second'] / 1e9:.1f} G integer additions/s."
    ]
    for workload in measured["workloads"]:
        floor = workload["floor"]
        lines.append(
            f"Floor of {workload['name']}: {_number(floor['bytes'])} bytes and {_number(floor['operations'])} "
            f"operations per table, {floor['seconds'] * 1e6:.3g} microseconds."
        )
    return lines


def notes(measured: dict[str, Any]) -> list[str]:
    """Why engines were skipped, failed or are wrong."""
    return [f"{row['workload']}, {row['engine']}: {row['note']}" for row in measured["rows"] if row["note"]]


def _markdown_table(columns, rows: list[list[str]]) -> list[str]:
    lines = [f"| {' | '.join(columns)} |", "|" + "---|" * len(columns)]
    return lines + [f"| {' | '.join(row)} |" for row in rows]


def _number(value: float | None) -> str:
    """Three significant digits, whole from a hundred on."""
    if value is None:
        return ""
    return f"{value:,.0f}" if abs(value) >= 100 else f"{value:.3g}"
