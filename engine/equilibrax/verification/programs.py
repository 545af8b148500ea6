"""Linear programs for HiGHS: misalignment scores and equilibria in lotteries.

The misalignment score (2509.15090, Remark 5) is found with what its solution and its multipliers prove:

    minimize e   such that   w . u_j + c <= u_0 + e on U,   w . u_j + c >= u_0 - e on L,   w >= 0, e >= 0

where U are the outcomes of equilibria, L those of the user's optimal schemes and w are weights on the members.
"""

from __future__ import annotations

import highspy
import numpy as np


class Programs:
    """One HiGHS, used for one linear program after another.

    The engine has a helper of its own for that (`equilibrax._core.linear_programs`). It is not used here on purpose: a
    check that shares the code that it checks would share its mistakes. What both must share is the number of threads:
    HiGHS refuses to run a solver that wants another number than those before it in the process.
    """

    def __init__(self) -> None:
        self._solver = _Quiet()
        for option, value in (
            ("output_flag", False),
            ("presolve", "off"),
            ("threads", 1),
            ("primal_feasibility_tolerance", 1e-10),
            ("dual_feasibility_tolerance", 1e-10),
        ):
            _check(f"setOptionValue({option!r}, {value!r})", self._solver.setOptionValue(option, value))

    def score(self, user: np.ndarray, members: np.ndarray, upper: np.ndarray, lower: np.ndarray) -> tuple[float, float]:
        """What the score is at least and at most, in units of utility.

        Args:
            user: `[N]` utilities of the outcomes.
            members: `[M, N]` those of the committee's members.
            upper, lower: `[N]` bool, U and L.
        """
        unit = float(np.ptp(user[upper | lower]))
        if unit == 0:
            return 0.0, 0.0  # the user's utility is the same on all outcomes, so weights of zero fit it
        above, below = np.flatnonzero(upper), np.flatnonzero(lower)
        number = len(members)
        rows = np.concatenate([above, below])
        matrix = np.empty((len(rows), number + 2))
        matrix[:, :number] = members[:, rows].T / unit
        matrix[:, number] = 1.0
        matrix[:, number + 1] = np.where(np.arange(len(rows)) < len(above), -1.0, 1.0)
        sides = (user[rows] - user[lower].min()) / unit
        low = np.concatenate([np.full(len(above), -np.inf), sides[len(above) :]])
        high = np.concatenate([sides[: len(above)], np.full(len(below), np.inf)])
        cost, lowest = np.append(np.zeros(number + 1), 1.0), np.concatenate([np.zeros(number), [-np.inf, 0.0]])
        problem = _model(cost, matrix, low, high, lowest, np.full(number + 2, np.inf))
        weights, duals = self._solve(problem)
        weights, duals = np.maximum(weights[:number], 0.0), np.abs(duals)
        most = attained(user, members, weights, upper, lower)
        return min(_proved(user, members, above, below, duals), most), most

    def gains(self, utilities: np.ndarray, available: np.ndarray, own: np.ndarray) -> tuple[float, float]:
        """What a lottery can give every agent beyond what it has, and what all together if nobody may lose.

        Args:
            utilities: `[N, X, A]` of agents, times the probabilities of the states.
            available: `[X, A]` bool.
            own: `[N]` what they have.

        Returns:
            What the lotteries that HiGHS finds give: the truth is not less.
        """
        agents, (state, action) = len(utilities), np.nonzero(available)
        given = utilities[:, state, action]
        least = self._lottery(given, state, own, together=False)
        most = self._lottery(given, state, own, together=True)
        everybody = given @ most - own
        return float((given @ least - own).min()), float(everybody.sum()) if everybody.min() > -1e-9 * agents else 0.0

    def _lottery(self, given: np.ndarray, state: np.ndarray, own: np.ndarray, together: bool) -> np.ndarray:
        agents, outcomes = given.shape
        states, more = int(state.max()) + 1, np.eye(agents) if together else np.ones((agents, 1))
        sums = np.concatenate([np.eye(states)[:, state], np.zeros((states, more.shape[1]))], axis=1)
        matrix = np.concatenate([np.concatenate([given, -more], axis=1), sums])
        problem = highspy.HighsLp()
        problem.num_col_, problem.num_row_ = matrix.shape[1], len(matrix)
        problem.col_cost_ = np.concatenate([np.zeros(outcomes), -np.ones(more.shape[1])])
        problem.col_lower_ = np.concatenate([np.zeros(outcomes), np.full(more.shape[1], 0.0 if together else -np.inf)])
        problem.col_upper_ = np.full(matrix.shape[1], np.inf)
        problem.row_lower_ = np.concatenate([own, np.ones(states)])
        problem.row_upper_ = np.concatenate([np.full(agents, np.inf), np.ones(states)])
        problem.a_matrix_.format_ = highspy.MatrixFormat.kRowwise
        problem.a_matrix_.start_ = np.arange(len(matrix) + 1) * matrix.shape[1]
        problem.a_matrix_.index_ = np.tile(np.arange(matrix.shape[1]), len(matrix))
        problem.a_matrix_.value_ = matrix.ravel()
        found = np.maximum(self._solve(problem)[0][:outcomes], 0.0)
        return found / np.bincount(state, found)[state]

    def slack(self, values: np.ndarray, there: np.ndarray, value: float) -> float:
        """How much every member has of a lottery with this value of the user, above the most that it could have.

        Members are content with f below the user's optimum iff `v_j(f) >= max {v_j(g): v_0(g) >= v_0(f)}`: with a
        little of her optimum mixed in, such a g is strictly better for her. So the answer is 0 where there is an
        equilibrium, and less elsewhere, in units of each member's range.

        Args:
            values: `[1 + M, X, A]` what actions in states add to the values of the user and of the members.
            there: `[X, A]` which actions exist.
            value: of the user, below her optimum.
        """
        state, _ = np.nonzero(there)
        number, members = len(state), len(values) - 1
        least = np.where(there, values, np.inf).min(axis=2).sum(axis=1)
        range_ = np.where(there, values, -np.inf).max(axis=2).sum(axis=1) - least
        unit = np.where(range_ > 0, range_, 1.0)
        shares = (values - np.where(there, values, np.inf).min(axis=2, keepdims=True))[:, there] / unit[:, None]
        aim = (value - least[0]) / unit[0]
        once = (np.arange(there.shape[0])[:, None] == state).astype(float)
        ones = np.ones(len(once))
        most = []
        for own in shares[1:]:
            rows = np.vstack([shares[:1], once])
            limits = np.append(aim, ones), np.append(np.inf, ones)
            found, _ = self._solve(_model(-own, rows, *limits, np.zeros(number), np.full(number, np.inf)))
            most.append(float(own @ found))
        rows = np.zeros((members + 1 + len(once), number + 1))
        rows[:members, :number], rows[:members, number] = shares[1:], -1.0
        rows[members, :number], rows[members + 1 :, :number] = shares[0], once
        low, high = np.concatenate([most, [aim], ones]), np.concatenate([np.full(members, np.inf), [aim], ones])
        cost = np.append(np.zeros(number), -1.0)
        lowest, highest = np.append(np.zeros(number), -np.inf), np.full(number + 1, np.inf)
        found, _ = self._solve(_model(cost, rows, low, high, lowest, highest))
        return float(found[-1])

    def persuade(self, user: np.ndarray, own: np.ndarray, margin: float) -> float:
        """The most that one sender has by recommending plans, an action for everything else that is heard.

        Args:
            user: `[Q, X, A]` what actions add to the user's value, by what else she hears and the state.
            own: the same of the sender's value.
            margin: by how much she must prefer what is recommended to every lower action, of the most that she can.
        """
        places, states, actions = user.shape
        plans = np.stack(np.meshgrid(*[np.arange(actions)] * places, indexing="ij"), axis=-1).reshape(-1, places)
        here, size = np.arange(places), len(plans)
        worth = own[here, :, plans].sum(axis=1)  # [S, X]
        gain = user[here, :, plans][..., None] - user[None]  # [S, Q, X, A]
        most = np.abs(gain).max(axis=2)  # [S, Q, A]
        lower = np.arange(actions) < plans[..., None]
        s, q, a = np.nonzero((most > 0) | (lower & (margin > 0)))
        unit = np.where(most > 0, most, 1.0)[s, q, a]
        rows = np.zeros((states + len(s), size * states))
        rows[np.tile(np.arange(states), size), np.arange(size * states)] = 1.0
        entries = gain[s, q, :, a] / unit[:, None] - margin * lower[s, q, a][:, None]
        rows[states + np.arange(len(s))[:, None], s[:, None] * states + np.arange(states)] = entries
        low = np.concatenate([np.ones(states), np.zeros(len(s))])
        high = np.concatenate([np.ones(states), np.full(len(s), np.inf)])
        scale = float(np.abs(worth).max()) or 1.0
        free = np.zeros(size * states), np.full(size * states, np.inf)
        found, _ = self._solve(_model(-worth.reshape(-1) / scale, rows, low, high, *free))
        return float(worth.reshape(-1) @ found)

    def split(self, worth: np.ndarray, posteriors: np.ndarray, prior: np.ndarray) -> float:
        """The most that one sender has on average by splitting the prior into some of N posteriors.

        Args:
            worth: `[N]` what it has at each; posteriors: `[N, X]`, telling everything among them; prior: `[X]`.
        """
        scale = float(np.abs(worth).max()) or 1.0
        free = np.zeros(len(worth)), np.full(len(worth), np.inf)
        found, _ = self._solve(_model(-worth / scale, posteriors.T.copy(), prior, prior, *free))
        return float(worth @ found)

    def _solve(self, problem: highspy.HighsLp) -> tuple[np.ndarray, np.ndarray]:
        """Values of the variables and multipliers of the rows; `RuntimeError` if HiGHS has none."""
        _check("passModel", self._solver.passModel(problem))
        status = self._solver.run()
        if status == highspy.HighsStatus.kError:  # code of the user's may have run HiGHS with other threads: take those
            _check("setOptionValue('threads', 0)", self._solver.setOptionValue("threads", 0))
            status = self._solver.run()
        _check("run", status)
        solved, solution = self._solver.getModelStatus(), self._solver.getSolution()
        values, duals = np.asarray(solution.col_value), np.asarray(solution.row_dual)
        # Unknown is what HiGHS calls a solution that misses its tolerances; what it proves is worked out from it.
        if (
            solved not in (highspy.HighsModelStatus.kOptimal, highspy.HighsModelStatus.kUnknown)
            or not (solution.value_valid and solution.dual_valid)
            or (len(values), len(duals)) != (problem.num_col_, problem.num_row_)
        ):
            raise RuntimeError(f"HiGHS: getModelStatus returned {solved.name}, with {len(values)} values")
        return values, duals


class _Quiet(highspy.Highs):
    def __init__(self) -> None:
        # Not the constructor of `Highs` but the one above it: the former prints a banner on standard output.
        super(highspy.Highs, self).__init__()


def _model(cost, rows, low, high, lowest, highest) -> highspy.HighsLp:
    """A program with the matrix `rows`, limits of its rows and of the variables."""
    problem = highspy.HighsLp()
    problem.num_col_, problem.num_row_ = rows.shape[1], rows.shape[0]
    problem.col_cost_, problem.col_lower_, problem.col_upper_ = cost, lowest, highest
    problem.row_lower_, problem.row_upper_ = low, high
    problem.a_matrix_.format_ = highspy.MatrixFormat.kRowwise
    problem.a_matrix_.start_ = np.arange(len(rows) + 1) * rows.shape[1]
    problem.a_matrix_.index_ = np.tile(np.arange(rows.shape[1]), len(rows))
    problem.a_matrix_.value_ = rows.ravel()
    return problem


def _check(call: str, status: highspy.HighsStatus) -> None:
    if status == highspy.HighsStatus.kError:
        raise RuntimeError(f"HiGHS: {call} returned {status.name}")


def attained(user: np.ndarray, members: np.ndarray, weights: np.ndarray, upper, lower) -> float:
    """The score that these weights attain, with the best offset: `max(0, max over L - min over U) / 2` of u_0 - w u."""
    left = user - weights @ members
    return max(0.0, float(left[lower].max() - left[upper].min())) / 2


def _proved(user, members, above, below, duals) -> float:
    """What multipliers prove: the difference of the user's averages under two measures of equal mass at most 1/2.

    With measures l on L and m on U such that no member likes l better, every weights' score is at least E_l u_0 -
    E_m u_0. The multipliers of HiGHS are made of equal mass; what little they violate is of the size of its tolerance,
    measured for every member in the range of its own utilities.
    """
    on_upper, on_lower = duals[: len(above)], duals[len(above) :]
    mass = min(on_upper.sum(), on_lower.sum(), 0.5)
    if mass <= 0:
        return 0.0
    on_upper, on_lower = on_upper * (mass / on_upper.sum()), on_lower * (mass / on_lower.sum())
    excess = members[:, below] @ on_lower - members[:, above] @ on_upper
    own = np.ptp(members[:, np.concatenate([above, below])], axis=1)
    if (
        excess > 1e-8 * mass * own + 1e-15 * np.abs(members).max(axis=1)
    ).any():  # the last is rounding of large numbers
        return 0.0
    return max(0.0, float(user[below] @ on_lower - user[above] @ on_upper))
