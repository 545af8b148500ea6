"""One chunk of efficiency programs: solved in a batch, proved, and what is not proved decided on integers or by HiGHS.

Letters: L outcomes, N agents, S cells, A actions.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from fractions import Fraction
from functools import lru_cache
from math import lcm
from typing import Any, Literal

import jax
import numpy as np
from equilibrax_kernels.fits.efficiency import EFFICIENT, weigh_lanes

from equilibrax._core.batching import batch_mesh, chunk_size, cores, over_batch, run_in_chunks
from equilibrax._core.linear_programs import LinearPrograms, UnsolvedProgram
from equilibrax._core.loops import loops_available, need_loops
from equilibrax.fits._exact_weights import exact_weights

TOLERANCE = 1e-9
"""How far apart the two proofs of a certified gap may be, beyond rounding, times the smallest range of an agent's
payoffs in its unit: no gap is larger than that."""

_PIVOTS = 400  # most of a batched program
_ROUNDING = 2.0**-50

Solver = Callable[..., dict[str, np.ndarray]]


@dataclass(frozen=True)
class Lanes:
    """Outcomes and what they are measured by.

    Attributes:
        gains: `[L, N, S, A]` int64, what agents have from actions beyond the reference; 0 for unavailable actions and
            for those who take no part.
        available, held: `[L, S, A]` bool, the actions that exist, and those that the outcome takes.
        reference: `[L, S]` one of those.
        lottery: `[L, S, A]` the outcome.
        excess: `[L, N]` float64, what it gives beyond the reference.
        unit, spread: `[L, N]` float64, agents' units, and the ranges of what they can have.
        member: `[L, N]` bool.
    """

    gains: np.ndarray
    available: np.ndarray
    held: np.ndarray
    reference: np.ndarray
    lottery: np.ndarray
    excess: np.ndarray
    unit: np.ndarray
    spread: np.ndarray
    member: np.ndarray

    @staticmethod
    def of(payoffs, available, outcomes: np.ndarray, member, unit, spread) -> Lanes:
        """From payoffs `[L, N, S, A]` and outcomes: actions `[L, S]` or lotteries `[L, S, A]`."""
        if outcomes.ndim == 2:
            lottery = (np.arange(payoffs.shape[3]) == outcomes[..., None]).astype(float)
        else:
            lottery = outcomes
        held = lottery > 0
        reference = held.argmax(axis=2)
        here = np.take_along_axis(payoffs, reference[:, None, :, None], axis=3)
        gains = np.where(member[:, :, None, None] & available[:, None], payoffs.astype(np.int64) - here, 0)
        excess = np.zeros(member.shape)
        if outcomes.ndim == 3:
            excess = (gains * lottery[:, None]).sum(axis=(2, 3))
        return Lanes(gains, available, held, reference, lottery, excess, unit, spread, member)


def solver_for(backend: Literal["auto", "xla", "cpu"], devices: Sequence[Any] | None) -> Solver:
    """How a chunk is solved."""
    if backend == "cpu":
        need_loops()
    mesh = batch_mesh(devices)
    on_cpu = mesh.devices.flat[0].platform == "cpu"
    if backend == "cpu" or (backend == "auto" and on_cpu and loops_available()):
        from equilibrax_kernels.cpu.efficiency import weigh_programs  # compiled when it is needed

        return lambda *arrays: weigh_programs(*arrays, limit=_PIVOTS, threads=cores())._asdict()

    def solve(*arrays: np.ndarray) -> dict[str, np.ndarray]:
        row = sum(array[0].nbytes for array in arrays) * 4
        with jax.enable_x64(True):
            return run_in_chunks(_compiled(mesh), arrays, (), chunk_size(len(arrays[0]), row, mesh), mesh)

    return solve


@lru_cache(maxsize=8)
def _compiled(mesh):
    return over_batch(lambda lanes, _: weigh_lanes(*lanes, limit=_PIVOTS)._asdict(), mesh)


def fitted(lanes: Lanes, solver: Solver) -> dict[str, Any]:
    """Fields of a `ParetoFits`."""
    unit = lanes.unit / lanes.spread
    found = solver(
        lanes.gains / lanes.spread[..., None, None],
        lanes.available,
        lanes.held,
        lanes.excess / lanes.spread,
        unit,
        lanes.member,
    )
    gains = lanes.gains.astype(float)
    efficient = (found["status"] == EFFICIENT) & _maximized(lanes, gains, found)
    shares = _shares(found["gap_weights"] * unit, lanes.member)
    lottery = found["move"] + found["stay"][:, None, None] * lanes.lottery
    low, high, error = _bounds(lanes, gains, lottery, shares)
    dominated = ~efficient & (low > error)
    weights = np.where(dominated[:, None], shares, _shares(found["weights"] * unit, lanes.member))
    known = {
        "efficient": efficient,
        "weakly_efficient": ~dominated,
        "gap": np.where(dominated, low, 0.0),
        "slack": np.where(dominated, high - low, 0.0),
        "weights": weights,
        "lottery": np.where(dominated[:, None, None], lottery, np.nan),
    }
    doubtful = np.flatnonzero(~efficient & ~dominated)
    for lane in doubtful.tolist():
        _decide(lanes, found, known, lane)
    allowed = TOLERANCE * np.where(lanes.member, 1 / unit, np.inf).min(axis=1) + error
    again = np.flatnonzero(known["slack"] > allowed)
    for lane in again.tolist():
        _by_highs(lanes, gains, known, lane)
    return known | {"certified": known["slack"] <= allowed, "exact": len(doubtful), "resolved": len(again)}


def _shares(weights: np.ndarray, member: np.ndarray) -> np.ndarray:
    """Weights as they are reported: not negative, with sum 1."""
    weights = np.where(member, np.maximum(weights, 0.0), 0.0)
    total = weights.sum(axis=-1, keepdims=True)
    return weights / np.where(total > 0, total, 1.0)


def _maximized(lanes: Lanes, gains: np.ndarray, found: dict[str, np.ndarray]) -> np.ndarray:
    """`[L]` whether some weights are positive and all rows slack beyond rounding, save those of exact zeros.

    They are a little further inside than the weights with the largest least one, at which some rows have no slack.
    """
    weights, inner = found["weights"] / lanes.spread, found["inner"] / lanes.spread
    slack, rate = (-np.einsum("ln,lnsa->lsa", one, gains) for one in (weights, inner))
    counted = lanes.available & (gains != 0).any(axis=1)
    with np.errstate(divide="ignore", invalid="ignore"):
        reach = np.where(counted & (rate < 0), np.maximum(slack, 0.0) / -rate, np.inf).min(axis=(1, 2))
        bounds = np.where(lanes.member & (inner < 0), weights / -inner, np.inf).min(axis=1)
        even = np.abs(weights).max(axis=1) / np.abs(inner).max(axis=1)
    step = np.nan_to_num(np.minimum(np.minimum(reach, bounds), even), posinf=0.0) / 2
    inside = weights + step[:, None] * inner
    slack = -np.einsum("ln,lnsa->lsa", inside, gains)
    size = np.einsum("ln,lnsa->lsa", np.abs(inside), np.abs(gains))
    positive = np.where(lanes.member, inside > 0, True).all(axis=1)
    proved = np.where(counted, (slack > size * (_ROUNDING * gains.shape[1])) & ~lanes.held, True)
    return np.logical_and(positive, proved.all(axis=(1, 2)))


def _bounds(lanes: Lanes, gains: np.ndarray, lottery: np.ndarray, shares: np.ndarray):
    """`[L]` each: what a lottery gives everybody, what weights prove, and how far rounding can move the former."""
    given = np.einsum("lsa,lnsa->ln", lottery, gains) - lanes.excess
    low = np.where(lanes.member, given / lanes.unit, np.inf).min(axis=1)
    value = np.einsum("ln,lnsa->lsa", shares / lanes.unit, gains)
    high = np.where(lanes.available, value, -np.inf).max(axis=2).sum(axis=1)
    high = high - np.einsum("ln,ln->l", shares / lanes.unit, lanes.excess)
    most = np.abs(gains).max(axis=3).sum(axis=2) / lanes.unit
    error = _ROUNDING * gains.shape[2] * gains.shape[3] * np.where(lanes.member, most, 0.0).max(axis=1)
    return low, high, error


# --- on integers ------------------------------------------------------------------------------------------------------


def _decide(lanes: Lanes, found: dict[str, np.ndarray], known: dict[str, Any], lane: int) -> None:
    """Whether an outcome is efficient, exactly; if it is weakly so, by which weights."""
    members = np.flatnonzero(lanes.member[lane])
    gains = lanes.gains[lane, members].reshape(len(members), -1)
    counted = np.flatnonzero(lanes.available[lane].reshape(-1) & (gains != 0).any(axis=0))
    both = counted[lanes.held[lane].reshape(-1)[counted]]
    rows, first, number = np.unique(
        np.concatenate([-gains[:, counted].T, gains[:, both].T]), axis=0, return_index=True, return_inverse=True
    )
    number = number.reshape(-1)
    unit = [Fraction(one) for one in lanes.unit[lane, members].tolist()]
    up, down = lcm(*(one.numerator for one in unit)), lcm(*(one.denominator for one in unit))
    lowest, cost = [int(up / one) for one in unit], [int(one * down) for one in unit]
    answer = exact_weights(rows, lowest, cost, _hint(lanes, found, lane, members, counted, both, number))
    multipliers = answer.multipliers
    weights, known["efficient"][lane] = answer.weights, answer.weights is not None
    known["weakly_efficient"][lane] = True
    if weights is None:
        alone = np.eye(len(members), dtype=int).tolist()
        tries = (exact_weights(rows, one, [1] * len(members), []).weights for one in alone)
        weights = next((one for one in tries if one is not None), None)
        known["weakly_efficient"][lane] = weights is not None
    if weights is None:  # by less than rounding: HiGHS does what can be done
        known["slack"][lane] = np.inf
        return
    total = sum(w * u for w, u in zip(weights, unit))
    known["weights"][lane] = 0.0
    known["weights"][lane, members] = [float(w * u / total) for w, u in zip(weights, unit)]
    if multipliers is not None:
        largest = max(multipliers.values())
        shares = {int(first[r]): m / largest for r, m in multipliers.items()}
        known["lottery"][lane] = _shifted(lanes, lane, counted, both, shares)


def _hint(lanes: Lanes, found, lane: int, members, counted, both, number) -> list[int]:
    """The last basis of the batched program in the numbers of the rows."""
    agents, outcomes = lanes.gains.shape[1], lanes.available[lane].size
    hint = []
    for one in found["basis"][lane, members].tolist():
        if one < agents:
            hint.append(int(np.searchsorted(members, one)))
            continue
        back, place = divmod(one - agents, outcomes)
        at = np.searchsorted(both, place) + len(counted) if back else np.searchsorted(counted, place)
        hint.append(len(members) + int(number[at]))
    return hint


def _shifted(lanes: Lanes, lane: int, counted, both, shares: dict[int, float]) -> np.ndarray:
    """The outcome after probability has moved from the reference to actions, or back, as far as it goes."""
    lottery, actions = lanes.lottery[lane], lanes.lottery.shape[2]
    change = np.zeros_like(lottery)
    for row, share in shares.items():
        back = row >= len(counted)
        cell, action = divmod(int(both[row - len(counted)] if back else counted[row]), actions)
        change[cell, action] += -share if back else share
        change[cell, lanes.reference[lane, cell]] -= -share if back else share
    falling = change < 0
    return np.maximum(lottery + change * (lottery[falling] / -change[falling]).min(), 0.0)


# --- by HiGHS ---------------------------------------------------------------------------------------------------------


def _by_highs(lanes: Lanes, gains: np.ndarray, known: dict[str, Any], lane: int) -> None:
    """The gap of one outcome again; what proves more is kept."""
    members, (cells, actions) = np.flatnonzero(lanes.member[lane]), lanes.available.shape[1:]
    spread = lanes.spread[lane, members]
    unit, excess = lanes.unit[lane, members] / spread, lanes.excess[lane, members] / spread
    cell, action = np.nonzero(lanes.available[lane])
    rows = np.concatenate([-gains[lane, members][:, cell, action].T / spread, np.eye(cells)[cell]], axis=1)
    matrix = np.concatenate([rows, np.concatenate([unit, np.zeros(cells)])[None]])
    low, high = np.append(np.zeros(len(cell)), 1.0), np.append(np.full(len(cell), np.inf), 1.0)
    lowest = np.concatenate([np.zeros(len(members)), np.full(cells, -np.inf)])
    try:
        solution = LinearPrograms(presolve=False).solve(
            np.concatenate([-excess, np.ones(cells)]), matrix, low, high, lowest, np.full(len(lowest), np.inf)
        )
    except UnsolvedProgram:
        return  # stays as it was, and is not certified
    shares = np.zeros((1, lanes.member.shape[1]))
    shares[0, members] = np.maximum(solution.values[: len(members)], 0.0) * unit
    shares = _shares(shares, lanes.member[[lane]])
    lottery = np.zeros((1, cells, actions))
    lottery[0, cell, action] = np.maximum(solution.multipliers[:-1], 0.0)
    lottery = lottery / lottery.sum(axis=2, keepdims=True)
    one = Lanes(**{name: values[[lane]] for name, values in vars(lanes).items()})
    (low,), (high,), _ = _bounds(one, gains[[lane]], lottery, shares)
    if high - low < known["slack"][lane]:
        known["gap"][lane], known["slack"][lane] = max(low, 0.0), high - max(low, 0.0)
        known["weights"][lane], known["lottery"][lane] = shares[0], lottery[0]
