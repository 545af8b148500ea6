"""What happened to each (table, committee), and what to do about it."""

from __future__ import annotations

from enum import IntFlag

import numpy as np


class Status(IntFlag):
    """Flags of a result. `OK` (no flag) means that every number is exact or certified."""

    OK = 0
    FRONTIER_OVERFLOW = 1
    """The list of candidate schemes outgrew `max_capacity`; nothing about the table is known. Raise `max_capacity`, or
    use a smaller `resolution` so that more schemes have equal values and merge."""
    COUNT_SATURATED = 2
    """There are more than 2**63 - 1 equilibrium schemes; `equilibria` is 2**63 - 1. Everything else is exact."""
    DYNAMICS_LIMIT = 4
    """Best-response dynamics was stopped after `step_limit` deviations; raise `step_limit`. In markets of information:
    sellers were still changing their choice when they were stopped."""
    MISALIGNMENT_UNCERTIFIED = 8
    """Neither the batched solver nor HiGHS proved the misalignment to `certified.TOLERANCE`; see `fit.gap`. The value
    is attained by the weights, so it is an upper bound. Usually a sign of utilities of very different sizes."""
    CYCLE = 16
    """Best-response dynamics came back to postings it had left, and would go on for ever. Possible in markets in which
    providers post to several users at once. Known to be impossible in the other exact games; with quantal response, a
    sign that differences are of the size of `tolerance`: change it. In markets of information: sellers who answer the
    Bayesian buyer's reading of their last choice go round in a circle; `rounds=1` stops at her first reading."""
    RULE_UNCERTIFIED = 32
    """Neither the batched solver nor HiGHS proved that a provider's randomized rule is optimal to
    `certified.TOLERANCE`; see `oblivious_rules(throw=False).gap`. In the joint game with lotteries: `regret` and
    `regret_bound` do not meet."""
    NO_EQUILIBRIUM = 64
    """A game has no equilibrium in deterministic rules: all profiles were compared, and `equilibria` is 0. In the games
    of markets and in normal forms there is nothing to do. In the obedient game it can only come with quantal response
    and ties that go to the lowest index, where values lie within the tolerance of each other: change it."""
    PROFILES_NOT_COMPARED = 128
    """Oblivious providers have more than 4,096 profiles of optimal partitions, or there are more than 12 states: the
    utilities are those of one profile, in which each provider plays what is worst for a user who hears it alone. Of all
    profiles, the worst may be worse and the best better."""
    EFFICIENCY_UNCERTIFIED = 256
    """Neither the batched solver nor HiGHS proved the efficiency gap to its tolerance; the gap is attained by the
    dominating lottery, and the largest that it can be is more by `slack`."""
    RULES_NOT_COMPARED = 512
    """Whether a rule of the same kind dominates an outcome was not found out: there are more than 10 states, too many
    partial schemes would have to be kept, or it was not asked for. `efficient` is exact all the same."""
    BRANCH_LIMIT = 1024
    """The branch of quantal-response equilibria was not followed up to every lambda: it takes more steps, or bends more
    sharply, than is provided for; the strategies there are NaN. Ask for smaller lambdas."""


def status_names(status: np.ndarray) -> np.ndarray:
    """Names of statuses, `OK` or flags joined by `|`; same shape as `status`."""
    codes, inverse = np.unique(np.asarray(status), return_inverse=True)
    names = np.array([_name(int(code)) for code in codes], dtype=object)
    return np.asarray(names[inverse], dtype=object).reshape(np.shape(status))


def _name(code: int) -> str:
    return "|".join(flag.name or "" for flag in Status if flag & code) or "OK"


class SolveError(RuntimeError):
    """Raised by solvers with `throw=True` when some table could not be solved; the message says which and why."""
