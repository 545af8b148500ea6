"""The paper's own procedure in plain Python (2509.15090, Section 7.1): one committee, one pair of schemes at a time."""

from __future__ import annotations

from itertools import product

import numpy as np

from bench.answers import Answer
from bench.data import Data
from bench.engines import Run
from bench.workloads import Workload

FIRST = 1


def prepare(workload: Workload, data: Data) -> Run:
    def run(count: int) -> Answer:
        solved = [solve_table(table.tolist(), workload.kind == "dynamics") for table in data.contributions(count)]
        return {name: np.array([table[name] for table in solved], np.int64) for name in solved[0]}

    return run


def solve_table(contributions: list[list[list[int]]], dynamics: bool) -> dict[str, list[int]]:
    """All committees of one table, `[K + 1][X][A]`."""
    players, states, actions = len(contributions), len(contributions[0]), len(contributions[0][0])
    values = [
        tuple(sum(player[x][a] for x, a in enumerate(scheme)) for player in contributions)
        for scheme in product(range(actions), repeat=states)
    ]
    answer: dict[str, list[int]] = {"worst": [], "count": []}
    if dynamics:
        answer |= {"dynamics": [], "steps": []}
    for committee in range(1, 1 << (players - 1)):
        members = [j for j in range(1, players) if committee >> (j - 1) & 1]
        equilibria = _equilibria(values, members)
        answer["worst"].append(min(equilibria))
        answer["count"].append(len(equilibria))
        if dynamics:
            value, steps = _dynamics(values, members)
            answer["dynamics"].append(value)
            answer["steps"].append(steps)
    return answer


def _equilibria(values: list[tuple[int, ...]], members: list[int]) -> list[int]:
    """The user's values in equilibrium."""
    if len(members) == 1:
        (j,) = members
        most = max(value[j] for value in values)
        return [value[0] for value in values if value[j] == most]
    found = []
    for f in values:
        for g in values:
            if g[0] > f[0] and any(g[j] > f[j] for j in members):
                break
        else:
            found.append(f[0])
    return found


def _dynamics(values: list[tuple[int, ...]], members: list[int]) -> tuple[int, int]:
    """Where best-response dynamics ends, and after how many deviations."""
    monopoly = {j: max(values, key=lambda value, j=j: value[j]) for j in members}  # the first of the best
    selected = max(members, key=lambda j: monopoly[j][0])
    current, turn, steps = monopoly[selected], 1, 0
    while True:
        for j in [m for m in members if m >= turn] + [m for m in members if m < turn]:
            better = [g for g in values if g[0] > current[0] and g[j] > current[j]] if j != selected else []
            if better:
                current = max(better, key=lambda g, j=j: (g[j], g[0]))
                selected, turn, steps = j, j + 1, steps + 1
                break
        else:
            return current[0], steps
