"""Rows of results of the selection game against what is true of their tables.

Letters: B tables, K providers, X states, A actions, C committees; N = B C rows, in the order of tables, then of
committees.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
import pyarrow as pa

from equilibrax.verification import arrays, rules
from equilibrax.verification.configuration import Configuration
from equilibrax.verification.games import Answers, Games
from equilibrax.verification.lists import acceptable
from equilibrax.verification.lottery_results import check_intervals
from equilibrax.verification.programs import Programs
from equilibrax.verification.report import Verification
from equilibrax.verification.safely import short

_MOST = 2**63 - 1
_ALIGNED = 1e-6  # scores up to this count as none
_TIGHT = 1e-8  # of a score, on the range of the user's utilities: ten times what certificates allow


@dataclass(frozen=True)
class Block:
    """Some tables of a file, and their rows.

    Attributes:
        report: where failures go.
        configuration: of the dataset.
        file: name of the file of results.
        games: B tables.
        answers: what is true of them.
        results: their N rows.
        rows: `[N]` the numbers of the rows in the file.
        programs: `[N]` bool, which scores to solve again.
        solver: HiGHS.
    """

    report: Verification
    configuration: Configuration
    file: str
    games: Games
    answers: Answers
    results: pa.Table
    rows: np.ndarray
    programs: np.ndarray
    solver: Programs

    @property
    def shape(self) -> tuple[int, int]:
        """B and C."""
        return len(self.games), len(self.games.committees)

    @property
    def real(self) -> type:
        """How utilities are stored."""
        return np.float32 if self.configuration["float32"] else np.float64

    @property
    def slack(self) -> float:
        """Relative error of what is stored."""
        return float(np.finfo(self.real).eps)

    def utilities(self, values: np.ndarray) -> np.ndarray:
        """`[N]` expected utilities of values `[B, C]`, as they are stored."""
        return (values.astype(np.int64) / self.games.scale[:, None]).reshape(-1).astype(self.real)

    def compare(self, check: str, column: str | None, expected, got, bad: np.ndarray, among: np.ndarray) -> None:
        """Note the failures among some rows; see `Verification.compare`."""
        self.report.compare(check, self.file, column, self.rows, expected, got, bad, among)

    def number(self, name: str, there: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """`[N]` a column, and `[N]` which rows have it and should; `there` is which should."""
        values, missing = arrays.numbers(self.results, name)
        self.nulls(name, missing, there)
        endless = np.isinf(values)  # within any number of digits of itself
        self.compare("nulls", name, "a finite number", values, endless, there)
        return values, there & ~missing & ~endless

    def scheme(self, name: str, there: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """`[N, X]` a column of schemes, and which rows have it and should."""
        return self.list(name, self.games.states, there, "schemes")

    def list(self, name: str, width: int, there: np.ndarray, check: str) -> tuple[np.ndarray, np.ndarray]:
        """`[N, width]` a column of lists, and which rows have it and should."""
        values, missing, bad = arrays.lists(self.results, name, width)
        self.nulls(name, missing, there)
        self.compare(check, name, f"{width} numbers", values, bad, there & ~missing)
        return values, there & ~missing & ~bad

    def nulls(self, name: str, missing: np.ndarray, there: np.ndarray) -> None:
        """Whether values of a column are missing where they should be, and nowhere else."""
        expected = np.where(there, "a value", "none")
        got = np.where(missing, "none", "a value")
        self.report.compare("nulls", self.file, name, self.rows, expected, got, missing == there)


Check = Callable[[Block, np.ndarray, np.ndarray], None]
"""What looks at some columns of a block, given `[N]` which rows are solved and `[N]` the flags of their statuses."""

CHECKED: dict[str, Check] = {}
"""By the name of a column of results, what checks it. Columns that are not here are not checked, and the report says
so."""


def checks(*columns: str) -> Callable[[Check], Check]:
    """Make a function the check of some columns; it is called once for all of those that a dataset has."""

    def register(check: Check) -> Check:
        CHECKED.update(dict.fromkeys(columns, check))
        return check

    return register


def check_results(block: Block) -> None:
    """Check every column of the block's rows that says something about equilibria."""
    configuration = block.configuration
    flags, _ = arrays.statuses(block.results, configuration)
    everywhere = np.ones(len(flags), bool)
    names = block.results["status"].to_numpy()
    solved = flags & rules.OVERFLOW == 0
    if block.games.actions ** min(block.games.states, 64) <= configuration["max_capacity"]:
        said = "no FRONTIER_OVERFLOW: all schemes fit"
        block.compare("status", "status", said, names, ~solved, everywhere)
    together = solved.reshape(block.shape)
    mixed = np.repeat(together.any(axis=1) != together.all(axis=1), block.shape[1])
    block.compare("status", "status", "FRONTIER_OVERFLOW in all rows of a table or none", names, mixed, everywhere)
    block.report.leave_out("unsolved", "rows that are not solved, and say so (FRONTIER_OVERFLOW)", int((~solved).sum()))
    names = [column.name for column in configuration.columns("committees")]
    for check in dict.fromkeys(CHECKED[name] for name in names if name in CHECKED):
        check(block, solved, flags)


@checks("optimum")
def _optimum(block: Block, solved: np.ndarray, flags: np.ndarray) -> None:
    optimum, here = block.number("optimum", solved)
    truth = block.utilities(np.broadcast_to(block.answers.optimum[:, None], block.shape))
    block.compare("optimum", "optimum", truth, optimum, optimum != truth, here)


@checks("worst_scheme", "best_scheme")
def _extreme_schemes(block: Block, solved: np.ndarray, flags: np.ndarray) -> None:
    for name, utility in (("worst_scheme", "worst_utility"), ("best_scheme", "best_utility")):
        first = getattr(block.answers, name)
        schemes, here = block.scheme(name, solved)
        _schemes(block, name, utility, schemes, here)
        if first is not None:
            first = first.reshape(len(flags), -1)
            block.compare("schemes", name, _first_of(name, first), schemes, (schemes != first).any(axis=1), here)


def _first_of(name: str, schemes: np.ndarray) -> Callable[[int], str]:
    return lambda i: f"the first {name.partition('_')[0]} equilibrium, {schemes[i].tolist()}"


@checks("worst_utility", "best_utility", "equilibria")
def _equilibria(block: Block, solved: np.ndarray, flags: np.ndarray) -> None:
    answers, proven = block.answers, block.answers.proven.reshape(-1)
    none = (answers.count == 0).reshape(-1)
    for check, name, values, beyond in (
        ("worst", "worst_utility", answers.worst, np.greater),
        ("best", "best_utility", answers.best, np.less),
    ):
        stored, here = block.number(name, solved)
        truth = block.utilities(values)
        block.compare(check, name, truth, stored, stored != truth, here & proven)
        attacked = here & ~proven
        block.compare(check, name, truth, stored, beyond(stored, truth) & ~none, attacked)
    _count(block, solved, flags)
    how = block.report.proven
    for method, number in ((answers.method, (solved & proven).sum()), ("attacks alone", (solved & ~proven).sum())):
        if number:
            how[method] = how.get(method, 0) + int(number)


def _count(block: Block, solved: np.ndarray, flags: np.ndarray) -> None:
    answers, proven = block.answers, block.answers.proven.reshape(-1)
    if answers.drawn is not None:  # of lotteries there is one, or no number
        single = answers.count.reshape(-1) == 1
        stored, here = block.number("equilibria", solved & single)
        block.compare("count", "equilibria", "1", stored, stored != 1, here)
        return
    stored, here = block.number("equilibria", solved)
    truth = np.array([min(count, _MOST) for count in answers.count.reshape(-1).tolist()], np.int64)
    block.compare("count", "equilibria", truth, stored, stored != truth, here & proven)
    block.compare("count", "equilibria", truth, stored, stored < truth, here & ~proven)
    large = np.array([count > _MOST for count in answers.count.reshape(-1).tolist()])
    said = flags & rules.SATURATED > 0
    names = block.results["status"].to_numpy()
    block.compare(
        "status",
        "status",
        np.where(large, "COUNT_SATURATED", "no COUNT_SATURATED"),
        names,
        said != large,
        here & proven,
    )
    block.report.leave_out("large", "equilibria that were only looked for", int((solved & ~proven).sum()))


def _accepted(block: Block, schemes: np.ndarray, tables: np.ndarray, committees: np.ndarray) -> np.ndarray:
    """`[M]` whether schemes `[M, X]` of these tables and committees, whose actions exist, are equilibria."""
    answers, games = block.answers, block.games
    if answers.equilibria is not None:
        place = (schemes.astype(np.int64) * games.actions ** np.arange(games.states - 1, -1, -1)).sum(axis=1)
        return answers.equilibria[tables, committees, place]
    if answers.drawn is not None:
        masks = games.committees[committees].tolist()
        return np.array([answers.drawn.accepts(*at) for at in zip(tables.tolist(), masks, schemes)], bool)
    accepted = np.zeros(len(schemes), bool)
    for table in np.unique(tables).tolist():
        mine = np.flatnonzero(tables == table)
        one = games[table : table + 1]
        values, _ = one.values_of(schemes[mine][None])
        accepted[mine] = acceptable(one, values[0])[committees[mine], np.arange(len(mine))]
    return accepted


def _schemes(block: Block, name: str, utility: str, schemes: np.ndarray, here: np.ndarray) -> None:
    """Whether schemes exist, have the stored utility and are equilibria."""
    values, known = block.games.values_of(schemes.reshape(*block.shape, -1))
    known = known.reshape(-1)
    block.compare("schemes", name, "available actions", schemes, ~known, here)
    here = here & known
    stored, missing = arrays.numbers(block.results, utility)
    reached = block.utilities(values[..., 0])
    block.compare(
        "schemes",
        name,
        lambda i: f"a scheme with the {utility} {stored[i]}",
        schemes,
        reached != stored,
        here & ~missing,
    )
    rows = np.flatnonzero(here)
    accepted = np.ones(len(here), bool)
    accepted[rows] = _accepted(block, schemes[rows], rows // block.shape[1], rows % block.shape[1])
    block.compare("schemes", name, "an equilibrium", schemes, ~accepted, here)


@checks("equilibrium_schemes", "equilibrium_schemes_cap")
def _listed(block: Block, solved: np.ndarray, flags: np.ndarray) -> None:
    name, answers = "equilibrium_schemes", block.answers
    inner, length, missing, bad = arrays.nested(block.results, name, block.games.states)
    block.nulls(name, missing, solved)
    here = solved & ~missing
    cap = block.configuration["equilibria_cap"]
    block.compare("equilibria", name, "schemes", length, bad, here)
    counts = np.array([min(count, cap) for count in answers.count.reshape(-1).tolist()])
    proven = answers.proven.reshape(-1)
    wrong = np.where(proven, length != counts, length < counts)
    block.compare("equilibria", name, lambda i: f"{counts[i]} schemes", length, wrong, here)
    right = here & ~bad & ~wrong
    row = np.repeat(np.arange(len(length)), length)
    inner, row = inner[right[row]], row[right[row]]
    broken = np.zeros(len(length), bool)
    if answers.equilibria is not None and answers.schemes is not None:
        listed = answers.equilibria.reshape(len(length), -1)[right]
        listed &= np.cumsum(listed, axis=1) <= cap
        expected = answers.schemes[np.nonzero(listed)[1]]
        broken[row[(inner != expected).any(axis=1)]] = True
    else:
        size, committees = block.games.actions, block.shape[1]
        known = np.all((inner >= 0) & (inner < size), axis=1)
        places = (row // committees)[:, None], np.arange(inner.shape[1]), np.where(known[:, None], inner, 0)
        known = known & np.all(block.games.available[places], axis=1)
        broken[row[~known]] = True
        rising = np.zeros(len(row), bool)
        difference = inner[1:].astype(np.int64) - inner[:-1]
        first = np.take_along_axis(difference, (difference != 0).argmax(axis=1)[:, None], axis=1)[:, 0]
        rising[1:] = (first > 0) | (row[1:] != row[:-1])
        rising[:1] = True
        broken[row[~rising]] = True
        broken[row[known][~_accepted(block, inner[known], row[known] // committees, row[known] % committees)]] = True
        more = int((here & (counts == cap)).sum())
        what = "whether listed equilibria of large tables are the first, where the cap is met"
        block.report.leave_out("large", what, more)
    block.compare("equilibria", name, "all equilibria, or the first, in lexicographic order", length, broken, right)
    name = "equilibrium_schemes_cap"
    block.report.constant(block.file, name, block.rows, cap, *arrays.numbers(block.results, name))


@checks("intervals")
def _intervals(block: Block, solved: np.ndarray, flags: np.ndarray) -> None:
    check_intervals(block, solved)


@checks("dynamics_utility", "dynamics_steps", "dynamics_scheme")
def _dynamics(block: Block, solved: np.ndarray, flags: np.ndarray) -> None:
    answers, ran = block.answers, block.configuration["dynamics"]
    there = solved & ran
    utility, here = block.number("dynamics_utility", there)
    steps, counted = block.number("dynamics_steps", there)
    stored = "schemes" in block.configuration["columns"]
    schemes, listed = block.scheme("dynamics_scheme", there) if stored else (np.zeros((len(flags), 0)), there & False)
    if not ran:
        return
    said, names = flags & rules.LIMIT > 0, block.results["status"].to_numpy()
    if unusual(block.configuration, "dynamics") or answers.dynamics_stopped is None:
        block.report.leave_out("games", "dynamics in another order or by other deviations", int(there.sum()))
        return
    stopped = answers.dynamics_stopped.reshape(-1)
    truth = np.where(stopped, "DYNAMICS_LIMIT", "no DYNAMICS_LIMIT")
    block.compare("status", "status", truth, names, said != stopped, there)
    assert answers.dynamics is not None
    assert answers.dynamics_steps is not None
    assert answers.dynamics_scheme is not None
    truth = block.utilities(answers.dynamics)
    block.compare("dynamics", "dynamics_utility", truth, utility, utility != truth, here)
    truth = answers.dynamics_steps.reshape(-1)
    block.compare("dynamics", "dynamics_steps", truth, steps, steps != truth, counted)
    if stored:
        truth = answers.dynamics_scheme.reshape(len(flags), -1)
        _schemes(block, "dynamics_scheme", "dynamics_utility", schemes, listed & ~stopped)
        block.compare("dynamics", "dynamics_scheme", truth, schemes, (schemes != truth).any(axis=1), listed)


def unusual(configuration: Configuration, option: str) -> bool:
    """Whether what an option asks for is not worked out again: other dynamics, other weights."""
    said = configuration.description["config"]["game"].get(option, rules.USUAL.get(option))
    given = said if isinstance(said, dict) else {option: said}
    return any(value != rules.USUAL.get(name, value) for name, value in given.items())


@checks("misalignment", "bound", "misalignment_weights", "misalignment_offset")
def _misalignment(block: Block, solved: np.ndarray, flags: np.ndarray) -> None:
    games, answers, there = block.games, block.answers, solved & block.configuration["misalignment"]
    score, here = block.number("misalignment", there)
    bound, bounded = block.number("bound", there)
    if not block.configuration["misalignment"]:
        return
    if unusual(block.configuration, "misalignment"):
        block.report.leave_out("games", "misalignment with weights that sum to one", int(there.sum()))
        return
    score, bound = score.astype(np.float64), bound.astype(np.float64)
    utilities = games.utilities.reshape(len(games), games.providers + 1, -1) / games.resolution
    exists = games.available.reshape(len(games), -1)
    extent = np.where(exists, utilities[:, 0], -np.inf).max(axis=1) - np.where(exists, utilities[:, 0], np.inf).min(
        axis=1
    )
    extent = np.repeat(np.where(extent > 0, extent, 1.0), block.shape[1])
    slack = _TIGHT * extent + block.slack * np.abs(score)

    proven = answers.proven & (answers.count > 0).astype(bool)
    lost = ((answers.optimum[:, None] - answers.worst) / games.scale[:, None] / 2).reshape(-1)
    upper = answers.outcomes.reshape(*block.shape, -1)
    lower = games.optimal_outcomes().reshape(len(games), -1)
    user = utilities[:, 0]
    highest = np.where(lower, user, -np.inf).max(axis=1)[:, None]
    most = np.maximum(0, highest - np.where(upper, user[:, None], np.inf).min(axis=2)).reshape(-1) / 2
    sure = here & proven.reshape(-1)
    block.compare(
        "misalignment",
        "misalignment",
        lambda i: f"at least {lost[i]}: Theorem 6 with the worst equilibrium",
        score,
        ~(score >= lost - slack),
        sure,
    )
    block.compare(
        "misalignment",
        "misalignment",
        lambda i: f"at most {most[i]}, the score of no weights",
        score,
        ~(score <= most + slack),
        sure,
    )
    what = "misalignment of committees whose equilibria are not all known"
    block.report.leave_out("large", what, int((here & ~sure).sum()))

    optimum = np.repeat(answers.optimum / games.scale, block.shape[1])
    promised = optimum - 2 * score
    near = 8 * block.slack * (np.abs(optimum) + 2 * np.abs(score))
    block.compare("bound", "bound", promised, bound, ~(np.abs(bound - promised) <= near), bounded & here)
    if "weights" in block.configuration["columns"]:
        _weights(block, there, score, sure, utilities, upper, lower, slack)
    _programs(block, score, sure, flags, utilities, upper, lower, slack)


@checks("losses_survived")
def _robustness(block: Block, solved: np.ndarray, flags: np.ndarray) -> None:
    """From the stored scores, which are checked by themselves: every subset of every committee."""
    scores = arrays.numbers(block.results, "misalignment")[0].reshape(block.shape).astype(np.float64)
    scores = np.where(solved.reshape(block.shape), scores, np.nan)
    masks = block.games.committees.tolist()
    place = {mask: c for c, mask in enumerate(masks)}
    expected = np.empty(block.shape, np.int64)
    for c, mask in enumerate(masks):
        aligned = np.ones((block.shape[0], mask.bit_count()), bool)
        inner = mask
        while inner:
            aligned[:, mask.bit_count() - inner.bit_count()] &= scores[:, place[inner]] <= _ALIGNED
            inner = (inner - 1) & mask
        expected[:, c] = np.cumprod(aligned, axis=1).sum(axis=1) - 1
    truth = expected.reshape(-1)
    near = np.abs(scores - _ALIGNED).min(axis=1) <= block.slack * _ALIGNED * 8
    sure = ~np.repeat(near, block.shape[1])
    block.report.leave_out("ties", "losses of markets with scores that rounding decides", int((~sure).sum()))
    stored, missing = arrays.numbers(block.results, "losses_survived")
    got = np.where(missing, -1, stored)
    block.compare("robustness", "losses_survived", truth, got, got != truth, sure)


def _weights(block: Block, there, score, sure, utilities, upper, lower, slack) -> None:
    """Weights are of members, not negative, and attain the score with their offset."""
    name, games = "misalignment_weights", block.games
    weights, listed = block.list(name, games.providers, there, "weights")
    offset, here = block.number("misalignment_offset", there)
    weights = weights.astype(np.float64)
    member = np.tile(games.committees[:, None] >> np.arange(games.providers) & 1, (block.shape[0], 1)) == 1
    wrong = ~(weights >= 0).all(axis=1) | (weights[~member] != 0).any() & ((weights != 0) & ~member).any(axis=1)
    block.compare("weights", name, "weights of members, 0 or more", weights, wrong, listed)
    shaped = weights.reshape(*block.shape, -1)
    left = utilities[:, 0][:, None] - np.matmul(shaped, utilities[:, 1:])  # [B, C, X A]
    size = np.abs(weights).sum(axis=1) * np.abs(utilities).max()
    slack = slack + 4 * block.slack * (size + np.abs(offset) + np.abs(utilities).max())
    high = np.where(lower[:, None], left, -np.inf).max(axis=2).reshape(-1)
    low = np.where(upper, left, np.inf).min(axis=2).reshape(-1)
    reached = np.maximum(0, high - low) / 2
    among = listed & sure & ~wrong
    block.compare(
        "weights",
        name,
        lambda i: f"weights that attain {score[i]}, not {reached[i]}",
        weights,
        ~(np.abs(reached - score) <= slack),
        among,
    )
    miss = np.maximum(high - offset, offset - low)
    block.compare(
        "weights",
        "misalignment_offset",
        lambda i: f"an offset from {high[i]} - {score[i]} to {low[i]} + {score[i]}",
        offset,
        ~(miss <= score + slack),
        among & here,
    )


def _programs(block: Block, score, sure, flags, utilities, upper, lower, slack) -> None:
    """Scores against HiGHS: between what its multipliers prove and what its weights attain.

    Rows that say that their score is not certified are solved whatever was chosen. Where HiGHS has an answer that it
    proves, theirs must be as good; else nothing is known.
    """
    uncertified = flags & rules.UNCERTIFIED > 0
    rows = np.flatnonzero(sure & (block.programs | uncertified))
    expected: list[str] = []
    bad, unknown = np.zeros(len(rows), bool), np.zeros(len(rows), bool)
    for i, row in enumerate(rows.tolist()):
        table, committee = divmod(row, block.shape[1])
        mask = int(block.games.committees[committee])
        members = utilities[table, 1:][[j for j in range(block.games.providers) if mask >> j & 1]]
        try:
            least, most = block.solver.score(utilities[table, 0], members, upper[table, committee], lower[table])
        except RuntimeError as error:
            least, most = 0.0, np.inf
            block.report.leave_out("errors", f"scores that HiGHS does not solve ({short(error)})", 1)
        unknown[i] = not most - least <= slack[row]
        bad[i] = not least - slack[row] <= score[row] or not score[row] <= most + slack[row]
        expected.append(f"{least!r} to {most!r}")
    said = np.array(expected, object)
    doubtful = int((unknown & uncertified[rows] & bad).sum())
    block.report.leave_out("unsolved", "scores that nothing certifies (MISALIGNMENT_UNCERTIFIED)", doubtful)
    bad &= ~(unknown & uncertified[rows])
    block.report.compare("programs", block.file, "misalignment", block.rows[rows], said, score[rows], bad)
    block.report.leave_out("sample", "misalignment scores by HiGHS", int(sure.sum()) - len(rows))
