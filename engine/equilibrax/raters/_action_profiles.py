"""Moments of action profiles: users answer a question independently, each from her own distribution.

Given a question y, with a_i ~ p_i(. | y) independent, x_i = p_i(a_i | y) and u_j = (1/n) sum_i v_j(a_i, y),

    E x_i = sum_a p_i^2                    Var x_i = Var_i p_i          Cov(x_i, x_k) = 0
    E u_j = (1/n) sum_i E_i v_j            Var u_j = (1/n^2) sum_i Var_i v_j
                                           Cov(x_i, u_j) = (1/n) Cov_i(p_i, v_j)

where E_i, Var_i and Cov_i are over a ~ p_i(. | y): sums over A options stand for sums over A^n profiles. The
covariances are sums of products of differences from the mean, so nothing cancels.

Letters: N users, K providers, Q questions, A options, F sets of questions, M profiles.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from jaxtyping import Bool, Float


@dataclass(frozen=True)
class ProfileMoments:
    """First and second moments of users' and providers' utilities, question by question.

    Attributes:
        user_mean: `[Q, N]` E x_i.
        provider_mean: `[K, Q]` E u_j.
        user_covariance: `[Q, N, N]` Cov(x_i, x_k).
        cross_covariance: `[K, Q, N]` Cov(x_i, u_j).
        provider_variance: `[K, Q]` Var u_j.
        used: `[K, Q]` questions that all users and the provider answered; elsewhere all moments are zero.
    """

    user_mean: Float[np.ndarray, "Q N"]
    provider_mean: Float[np.ndarray, "K Q"]
    user_covariance: Float[np.ndarray, "Q N N"]
    cross_covariance: Float[np.ndarray, "K Q N"]
    provider_variance: Float[np.ndarray, "K Q"]
    used: Bool[np.ndarray, "K Q"]

    def centered(self, train: Bool[np.ndarray, "K F Q"]):
        """`(gram, moment, square, user_center, provider_center)` over the questions of `train`, each question alike.

        Second moments about the mean, `[K, F, N, N]`, `[K, F, N]` and `[K, F]`: within questions and between them.
        Zero where there are no questions.
        """
        share = train / np.maximum(train.sum(axis=2, keepdims=True), 1)
        user_center = np.einsum("kfq,qn->kfn", share, self.user_mean)
        provider_center = np.einsum("kfq,kq->kf", share, self.provider_mean)
        users = self.user_mean - user_center[:, :, None]  # [K, F, Q, N]
        weighed = users * share[..., None]
        providers = self.provider_mean[:, None] - provider_center[..., None]  # [K, F, Q]
        gram = np.einsum("kfq,qmn->kfmn", share, self.user_covariance, optimize=True)
        gram += np.matmul(np.swapaxes(weighed, 2, 3), users)
        moment = np.einsum("kfq,kqn->kfn", share, self.cross_covariance)
        moment += np.matmul(providers[:, :, None], weighed)[:, :, 0]
        square = (share * (self.provider_variance[:, None] + providers**2)).sum(axis=2)
        return (gram + np.swapaxes(gram, 2, 3)) / 2, moment, square, user_center, provider_center

    def squared_error(self, weights: Float[np.ndarray, "K F N"], constants: Float[np.ndarray, "K F"]) -> np.ndarray:
        """`[K, F, Q]` expected squared error of given fits on each question."""
        bias = self.provider_mean[:, None] - weights @ self.user_mean.T - constants[..., None]
        own = np.einsum("kfm,qmn,kfn->kfq", weights, self.user_covariance, weights, optimize=True)
        crossed = weights @ np.swapaxes(self.cross_covariance, 1, 2)
        return bias**2 + np.maximum(self.provider_variance[:, None] - 2 * crossed + own, 0.0)


def exact_moments(users, components, seen, modelled) -> ProfileMoments:
    """Moments over all profiles.

    Args:
        users: `[N, Q, A]` p_i, 0 at options that do not exist; components: `[K, Q, A]` v_j; anything where unanswered.
        seen: `[N, Q]`; modelled: `[K, Q]` who answered what.
    """
    shares, values, used = _answered(users, components, seen, modelled)
    n = len(shares)
    user_mean = (shares**2).sum(axis=2)  # [N, Q]
    away = shares - user_mean[..., None]
    value_mean = np.einsum("nqa,kqa->knq", shares, values)
    value_away = values[:, None] - value_mean[..., None]  # [K, N, Q, A]
    weighed = shares * value_away
    covariance = np.zeros((shares.shape[1], n, n))
    covariance[:, np.arange(n), np.arange(n)] = (shares * away**2).sum(axis=2).T
    return ProfileMoments(
        user_mean=user_mean.T,
        provider_mean=value_mean.mean(axis=1),
        user_covariance=covariance,
        cross_covariance=np.swapaxes((weighed * away).sum(axis=3), 1, 2) / n,
        provider_variance=(weighed * value_away).sum(axis=(1, 3)) / n**2,
        used=used,
    )


def sampled_moments(users, components, seen, modelled, profiles: int, seed: int) -> ProfileMoments:
    """The same moments of M profiles drawn for each question, the same profiles for all providers."""
    shares, values, used = _answered(users, components, seen, modelled)
    n, questions, _ = shares.shape
    k = len(values)
    draw = np.random.default_rng(seed)
    user_mean, provider_mean = np.zeros((questions, n)), np.zeros((k, questions))
    user_cov, cross, variance = np.zeros((questions, n, n)), np.zeros((k, questions, n)), np.zeros((k, questions))
    for q in np.flatnonzero(used.any(axis=0)):
        limits = shares[:, q].cumsum(axis=1)
        limits /= limits[:, -1:]
        dice = draw.random((n, profiles))
        # Never past the last option with a positive share: limits that are 1 are not exceeded by dice below 1.
        action = np.stack([np.searchsorted(limits[i], dice[i], side="right") for i in range(n)])
        x = np.take_along_axis(shares[:, q], action, axis=1)  # [N, M]
        u = values[:, q][:, action].mean(axis=1)  # [K, M]
        user_mean[q], provider_mean[:, q] = x.mean(axis=1), u.mean(axis=1)
        x, u = x - user_mean[q][:, None], u - provider_mean[:, q, None]
        user_cov[q], cross[:, q] = x @ x.T / profiles, u @ x.T / profiles
        variance[:, q] = (u**2).mean(axis=1)
    return ProfileMoments(user_mean, provider_mean, user_cov, cross, variance, used)


def _answered(users, components, seen, modelled):
    """Shares and components that are zero at questions that do not count, and which ones count for which provider."""
    common = seen.all(axis=0)
    used = modelled & common
    return np.where(common[:, None], users, 0.0), np.where(used[..., None], components, 0.0), used
