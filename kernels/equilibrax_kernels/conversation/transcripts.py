"""General conversation rules over finite message spaces: transcripts drawn, and their distribution in full.

In round r the user sends a message to every provider at once, given her feature and all histories; provider i answers
given his feature and the history of his own conversation (2509.15090, Definition 3 and Algorithm 1). The history of one
conversation is a number, its messages read as digits: after the user's message m it is `h M + m`, after the provider's
answer n it is `h N + n`, from 0. Histories of several conversations make one number in mixed radix, provider 0 first.

Letters: Z, X, Y values of x_A, x_B, y; K providers; M, N messages of the user and of a provider; H histories before a
message, per conversation; T transcripts, `(M N)^(R K)`; D draws. Rules are tuples over rounds.
"""

from __future__ import annotations

import math

import jax
import jax.numpy as jnp
from jaxtyping import Array, Int, Key, Num

Rules = tuple  # one array per round


def transcript_weights(user: Rules, providers: Rules, features: tuple[int, int]) -> Num[Array, "Z X T"]:
    """The probability of every transcript given (x_A, x_B); integers 0 and 1 if the rules are integers.

    Args:
        user: per round `[Z, H^K, M^K]`, chances of the messages to all providers (mixed radix, provider 0 first).
        providers: per round `[K, X, H M, N]`, chances of the answers.
        features: (Z, X).
    """
    z, x = features
    k, _, m, n = providers[0].shape  # before round 1 nothing was said, so H M = M
    chance = jnp.ones((z, x) + (1,) * k, user[0].dtype)
    for asks, answers in zip(user, providers):
        h = answers.shape[2] // m
        asked = asks.reshape((z, 1) + (h,) * k + (m,) * k)
        chance = chance[(...,) + (None,) * k] * asked
        by_conversation = [axis for i in range(k) for axis in (2 + i, 2 + k + i)]
        chance = chance.transpose(0, 1, *by_conversation).reshape((z, x) + (h * m,) * k)
        for i in range(k):
            rule = answers[i].reshape((1, x) + (1,) * i + (h * m,) + (1,) * (k - 1 - i) + (n,))
            chance = jnp.moveaxis(chance[..., None] * rule, -1, 3 + i)
            chance = chance.reshape(*chance.shape[: 2 + i], h * m * n, *chance.shape[4 + i :])
    return chance.reshape(z, x, math.prod(chance.shape[2:]))


def draw_transcripts(
    key: Key[Array, ""],
    user_feature: Int[Array, " D"],
    provider_feature: Int[Array, " D"],
    user: Rules,
    providers: Rules,
) -> tuple[Int[Array, "D R K"], Int[Array, "D R K"], Int[Array, " D"]]:
    """Algorithm 1, once for every draw: messages of the user, answers of the providers, and transcripts as numbers.

    Args:
        key: a key; every draw and message has randomness of its own.
        user_feature, provider_feature: `[D]`.
        user, providers: as for `transcript_weights`.
    """
    k, _, m, n = providers[0].shape  # before round 1 nothing was said, so H M = M
    digits = jnp.array([m ** (k - 1 - i) for i in range(k)])
    histories = jnp.zeros((len(user_feature), k), jnp.int32)
    said, heard = [], []
    for asks, answers, round_key in zip(user, providers, jax.random.split(key, len(user))):
        ask_key, *answer_keys = jax.random.split(round_key, k + 1)
        size = answers.shape[2] // m
        joint = histories @ jnp.array([size ** (k - 1 - i) for i in range(k)], jnp.int32)
        message = draw_rows(ask_key, asks[user_feature, joint])
        messages = (message[:, None] // digits % m).astype(jnp.int32)
        histories = histories * m + messages
        replies = [
            draw_rows(answer_keys[i], answers[i, provider_feature, histories[:, i]]).astype(jnp.int32) for i in range(k)
        ]
        histories = histories * n + jnp.stack(replies, axis=1)
        said.append(messages)
        heard.append(jnp.stack(replies, axis=1))
    size = providers[-1].shape[2] * n
    transcript = histories @ jnp.array([size ** (k - 1 - i) for i in range(k)], jnp.int32)
    return jnp.stack(said, axis=1), jnp.stack(heard, axis=1), transcript


def draw_rows(key: Key[Array, ""], chances: Num[Array, "D M"]) -> Int[Array, " D"]:
    """One index per row, in proportion to the row; what has chance zero is never drawn."""
    total = jnp.cumsum(chances, axis=1)
    threshold = jax.random.uniform(key, (len(chances),), total.dtype if total.dtype.kind == "f" else None)
    drawn = jnp.sum(total <= threshold[:, None] * total[:, -1:], axis=1)
    last = chances.shape[1] - 1 - jnp.argmax(chances[:, ::-1] > 0, axis=1)
    return jnp.minimum(drawn, last)
