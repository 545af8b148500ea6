"""Bounds of a market by HiGHS: Theorems 3.1, 4.3 and 4.4 of 2602.13451, where all providers see the state.

Then the shared benchmark is the user's optimum. Theorem 3.1 is about the personalized game: the user loses at most
twice the error by which components of members that weigh her explain her utility. In Theorem 4.3 it is 2 eps / lambda_i
for any one member j whose utility is `sum_k lambda_k u_k + c` up to eps; divided by lambda_i that is a linear program,
too: the error by which `t u_j - sum of mu_k u_k` explains u_i, for t >= 0 and mu >= 0. Theorem 4.4 promises no more.

Letters: N users, K providers, X states, A actions, C committees.
"""

from __future__ import annotations

import numpy as np

from equilibrax.verification.markets.draws import Markets
from equilibrax.verification.programs import Programs

MOST_OUTCOMES = 2**14
"""Action profiles and states of markets whose bounds are worked out again."""


class Losses:
    """What users of one market lose at most, in units of utility.

    Attributes:
        by_components: `[C, N, 2]` Theorem 3.1: what multipliers prove that it says, and what weights attain; infinite
            for users whom no member weighs.
        by_utilities: `[K, N, 2]` Theorem 4.3 with provider j, the same; the range of the user's utility if nothing is
            promised.
        ranges: `[N]` of the users' utilities.
    """

    def __init__(self, markets: Markets, place: int, solver: Programs, *, per_user: bool):
        user = markets.user[place] / markets.resolution
        parts, weights = markets.components[place] / markets.resolution, markets.weights[place]
        n, x, a = user.shape
        k, c = len(parts), 2 ** len(parts) - 1
        self.ranges = np.ptp(user, axis=(1, 2))
        self.by_components = np.full((c, n, 2), np.inf)
        everywhere = np.ones(x * a, bool)
        for i in range(n) if per_user else ():
            for mask in range(1, c + 1):
                members = [j for j in range(k) if mask >> j & 1 and weights[j, i] > 0]
                if members:
                    own = parts[members, i].reshape(len(members), -1)
                    score = solver.score(user[i].ravel(), own, everywhere, everywhere)
                    self.by_components[mask - 1, i] = 2 * np.array(score)
        profile = np.indices((a,) * n).reshape(n, -1)  # [N, A ** N]
        of_users = np.stack([user[i][:, profile[i]].ravel() for i in range(n)])  # [N, X A ** N]
        everywhere = np.ones(of_users.shape[1], bool)
        lambdas = weights / markets.weight_resolution
        self.by_utilities = np.empty((k, n, 2))
        for j in range(k):
            of_j = np.sum([lambdas[j, i] * parts[j, i][:, profile[i]] for i in range(n)], axis=0).ravel()
            for i in range(n):
                others = [-of_users[other] for other in range(n) if other != i]
                score = solver.score(of_users[i], np.array([of_j, *others]), everywhere, everywhere)
                self.by_utilities[j, i] = 2 * np.array(score)


def outcomes_of(markets: Markets) -> int:
    """How many action profiles and states there are."""
    n, x, a = markets.user.shape[1:]
    return x * a ** min(n, 64)
