"""Any conversation rules over finite message spaces: what they say, and what the user does about it.

A provider's rule maps what he sees and the history of his conversation to chances of his next message; the user's maps
her feature and all histories to chances of her next messages, one to each provider; her decision rule maps her feature
and the transcript to chances of actions (2509.15090, Definition 3). `sample_transcript` is Algorithm 1;
`induced_distribution` is Definition 5, summed over all transcripts.

Histories are numbers. One conversation: start at 0; after the user's message m the history is `h M + m`, after the
provider's answer n it is `h N + n`. All conversations: the numbers as digits, provider 0 first. A user with nothing to
say has M = 1.

Letters: Z, X, Y values of x_A, x_B and y; K providers; R rounds; M, N messages of the user and of a provider;
`H = (M N)^(r - 1)` histories of one conversation before round r; `T = (M N)^(R K)` transcripts; A actions; D draws.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from equilibrax_kernels.conversation.transcripts import draw_rows, draw_transcripts, transcript_weights
from jaxtyping import Float, Int

from equilibrax._core.checks import approximate, as_numbers, check_number, check_whole, positive_int
from equilibrax._core.compile_cache import jit
from equilibrax.problems.persuasion import integer_weights
from equilibrax.problems.tables import MAX_PROVIDERS

MAX_TABLE = 2**26
"""Largest number of entries of a table over (x_A, x_B, transcript)."""

CHANCE_TOLERANCE = 1e-9
"""Chances must add up to one within this much; they are then divided by their sum."""

TIE_TOLERANCE = 1e-12
"""Under random rules, actions whose posterior means differ by no more than this are equal (units of utility)."""


@dataclass(frozen=True)
class ConversationRules:
    """Rules of the user and of K providers for R rounds; make one with `conversation_rules`, which validates.

    Attributes:
        user: R arrays `[Z, H^K, M^K]`, chances of the messages to all providers, provider 0's the leading digit.
        providers: R arrays `[K, X, H M, N]`, chances of the answers.
        decision: `[Z, T, A]` chances of actions, or None.
        deterministic: whether all chances, the decision's included, are zero or one.
    """

    user: tuple[np.ndarray, ...]
    providers: tuple[np.ndarray, ...]
    decision: np.ndarray | None
    deterministic: bool

    @property
    def sizes(self) -> dict[str, int]:
        """The letters Z, X, K, R, M, N and T."""
        k, x, m, n = self.providers[0].shape
        transcripts = (m * n) ** (len(self.user) * k)
        return {"Z": len(self.user[0]), "X": x, "K": k, "R": len(self.user), "M": m, "N": n, "T": transcripts}


@dataclass(frozen=True)
class Transcripts:
    """D draws of an instance, a conversation and, with a decision rule, an action.

    Attributes:
        user_feature, provider_feature, outcome: `[D]` x_A, x_B and y.
        user_messages: `[D, R, K]` what the user says to every provider in every round.
        provider_messages: `[D, R, K]` what they answer.
        transcript: `[D]` the transcript as a number.
        action: `[D]`, or None without a decision rule.
    """

    user_feature: Int[np.ndarray, " D"]
    provider_feature: Int[np.ndarray, " D"]
    outcome: Int[np.ndarray, " D"]
    user_messages: Int[np.ndarray, "D R K"]
    provider_messages: Int[np.ndarray, "D R K"]
    transcript: Int[np.ndarray, " D"]
    action: Int[np.ndarray, " D"] | None


@dataclass(frozen=True)
class InducedDistribution:
    """The joint distribution of action and outcome (2509.15090, Definition 5).

    Attributes:
        probability: `[A, Y]` float64.
        weight: `[A, Y]` int64 with `probability = weight / total` exactly, or None if some rule is random.
        total: sum of the prior's integer weights.
    """

    probability: Float[np.ndarray, "A Y"]
    weight: Int[np.ndarray, "A Y"] | None
    total: int

    def expectation(self, utility: Any) -> float:
        """Expected value of a utility `[Y, A]` (as in `PersuasionGame.from_prior`)."""
        table = as_numbers("utility", utility)
        if table.shape != self.probability.T.shape:
            raise ValueError(f"utility: expected shape {list(self.probability.T.shape)}, got {list(table.shape)}")
        if self.weight is not None:
            return float((self.weight.T * table).sum() / self.total)
        return float((self.probability.T * table).sum())


def conversation_rules(user: Sequence[Any], providers: Sequence[Any], decision: Any = None) -> ConversationRules:
    """Conversation rules from arrays of chances, checked against each other.

    Args:
        user: R arrays; that of round r is `[Z, H^K, M^K]` with `H = (M N)^(r - 1)`. R is at least 1.
        providers: R arrays; that of round r is `[K, X, H M, N]`.
        decision: `[Z, (M N)^(R K), A]`, or None; `decide` makes one.

    Raises:
        ValueError: naming the array, on a wrong shape, a chance that is negative or not finite, or chances that do not
            add up to one.

    Example:
        >>> import equilibrax as eq
        >>> tells_all = [[[1, 0]], [[0, 1]]]  # [X, H M, N] of one provider: state 0 -> message 0, state 1 -> message 1
        >>> rules = eq.theory.conversation_rules(user=[[[[1]]]], providers=[[tells_all]])
        >>> rules.sizes["T"], rules.deterministic
        (2, True)
    """
    if not isinstance(user, Sequence | np.ndarray) or not isinstance(providers, Sequence | np.ndarray):
        raise ValueError("user, providers: expected one array per round each")
    if len(user) != len(providers) or len(user) == 0:
        raise ValueError(
            f"user, providers: expected one array per round each, at least one, got {len(user)} and {len(providers)}"
        )
    first = as_numbers("providers[0]", providers[0])
    if first.ndim != 4 or not 1 <= len(first) <= MAX_PROVIDERS:
        raise ValueError(
            f"providers[0]: expected shape [K, X, M, N], K at most {MAX_PROVIDERS}, got {list(first.shape)}"
        )
    k, x, m, n = first.shape
    z = len(as_numbers("user[0]", user[0]))
    asks, answers = [], []
    for r in range(len(user)):
        h = (m * n) ** r
        asks.append(_chances(f"user[{r}]", user[r], (z, h**k, m**k)))
        answers.append(_chances(f"providers[{r}]", providers[r], (k, x, h * m, n)))
    if decision is not None:
        decision = _chances("decision", decision, (z, (m * n) ** (len(user) * k), None))
    every = [*asks, *answers, *([] if decision is None else [decision])]
    deterministic = all(bool(np.isin(array, (0, 1)).all()) for array in every)
    return ConversationRules(tuple(asks), tuple(answers), decision, deterministic)


def decide(
    prior: Any, rules: ConversationRules, user: Any, rationality: float | None = None, *, resolution: int = 10_000
) -> ConversationRules:
    """The same rules with the decision rule of a user who knows them.

    Args:
        prior: `[Z, X, Y]` weights as in `PersuasionGame.from_prior`.
        rules: conversation rules; a decision rule they have is replaced.
        user: `[Y, A]` the user's utility.
        rationality: None for the best response, the lowest action among equals (Definition 4; exact for
            deterministic rules), or lambda >= 0 for quantal response (Definition 11), infinity being uniform over the
            best actions. Transcripts that cannot happen get action 0, or uniform chances.
        resolution: utilities are rounded to multiples of `1 / resolution`.

    Raises:
        ValueError: naming the argument, on a wrong shape or an option out of range.

    Example:
        >>> import equilibrax as eq
        >>> rules = eq.theory.conversation_rules(user=[[[[1]]]], providers=[[[[[1, 0]], [[0, 1]]]]])
        >>> eq.theory.decide([[[2, 1], [1, 2]]], rules, user=[[1, 0], [0, 1]]).decision.tolist()
        [[[1, 0], [0, 1]]]
    """
    counts = _prior(prior, rules)
    utility = as_numbers("user", user).astype(np.float64)
    if utility.ndim != 2 or len(utility) != counts.shape[2] or not np.isfinite(utility).all():
        raise ValueError(f"user: expected finite utilities of shape [{counts.shape[2]}, A], got {list(utility.shape)}")
    resolution = positive_int("resolution", resolution)
    contributions = counts @ np.rint(utility * resolution).astype(np.int64)  # [Z, X, A]
    bare = replace(rules, decision=None, deterministic=_all_whole(rules))
    chance = _transcripts(bare)
    sums = np.einsum("zxt,zxa->zta", chance, contributions)
    weight = np.einsum("zxt,zx->zt", chance, counts.sum(axis=2))[..., None]
    behind = sums - sums.max(axis=2, keepdims=True)
    regret = behind / (np.where(weight > 0, weight, 1) * resolution)
    best = behind == 0 if bare.deterministic else regret >= -TIE_TOLERANCE
    if rationality is None:
        decision = (np.arange(sums.shape[2]) == best.argmax(axis=2)[..., None]).astype(np.int64)
    else:
        level = check_number("rationality", rationality, 0, infinite=True)
        odds = best.astype(np.float64) if np.isinf(level) else np.exp(level * regret)
        decision = odds / odds.sum(axis=2, keepdims=True)
    return replace(bare, decision=decision, deterministic=bare.deterministic and rationality is None)


def induced_distribution(prior: Any, rules: ConversationRules) -> InducedDistribution:
    """The joint distribution of action and outcome, summed over all transcripts (2509.15090, Definition 5).

    Args:
        prior: `[Z, X, Y]` weights as in `PersuasionGame.from_prior`.
        rules: conversation rules with a decision rule. If none of them is random, sums are exact integers.

    Raises:
        ValueError: on a prior that is negative, not finite or of the wrong shape, rules without a decision, or too many
            transcripts to sum over.

    Example:
        >>> import equilibrax as eq
        >>> prior = [[[0.3, 0], [0, 0.7]]]  # x_B = y: guilty, innocent
        >>> rules = eq.theory.conversation_rules(user=[[[[1]]]], providers=[[[[[1, 0]], [[3 / 7, 4 / 7]]]]])
        >>> rules = eq.theory.decide(prior, rules, user=[[1, 0], [0, 1]])  # convict or acquit
        >>> eq.theory.induced_distribution(prior, rules).probability.sum(axis=1).round(9).tolist()
        [0.6, 0.4]
    """
    counts = _prior(prior, rules)
    if rules.decision is None:
        raise ValueError("rules: expected a decision rule, got none; see decide")
    chance = _transcripts(rules)
    actions = np.einsum("zxt,zta->zxa", chance, _exact(rules.decision, rules.deterministic))
    weight = np.einsum("zxa,zxy->ay", actions, counts)
    total = int(counts.sum())
    return InducedDistribution(weight / total, weight if rules.deterministic else None, total)


def sample_transcript(key: Any, prior: Any, rules: ConversationRules, draws: int = 1) -> Transcripts:
    """Instances and conversations at random (2509.15090, Section 2.2.3 and Algorithm 1), all draws at once.

    Args:
        key: a JAX key, `jax.random.key(seed)`.
        prior: `[Z, X, Y]` weights as in `PersuasionGame.from_prior`.
        rules: conversation rules; with a decision rule, actions are drawn too.
        draws: D, at least 1.

    Raises:
        ValueError: on a prior that is negative, not finite or of the wrong shape, or `draws` below 1.

    Example:
        >>> import equilibrax as eq, jax
        >>> rules = eq.theory.conversation_rules(user=[[[[1]]]], providers=[[[[[1, 0]], [[0, 1]]]]])
        >>> drawn = eq.theory.sample_transcript(jax.random.key(0), [[[2, 1], [1, 2]]], rules, draws=5)
        >>> drawn.provider_messages.shape, bool((drawn.provider_messages[:, 0, 0] == drawn.provider_feature).all())
        ((5, 1, 1), True)
    """
    check_whole("draws", draws, 1)
    counts = _prior(prior, rules)
    kind = getattr(key, "dtype", np.dtype(object))
    if kind == np.uint32 and key.ndim == 1:
        key = jax.random.wrap_key_data(key)
    elif not jnp.issubdtype(kind, jax.dtypes.prng_key) or key.shape != ():
        raise ValueError(f"key: expected a JAX key, jax.random.key(seed), got {key!r}")
    with jax.enable_x64(True):
        drawn = _sample(key, counts.ravel(), rules.user, rules.providers, rules.decision, draws, counts.shape)
    instance, said, heard, transcript, action = jax.tree.map(np.asarray, drawn)
    z, x, y = np.unravel_index(instance, counts.shape)
    return Transcripts(z, x, y, said, heard, transcript, action)


def _sample_draws(key, counts, user, providers, decision, draws, shape):
    instance_key, talk_key, action_key = jax.random.split(key, 3)
    upto = jnp.cumsum(counts)  # integer weights, so instances are drawn with their exact probabilities
    instance = jnp.searchsorted(upto, jax.random.randint(instance_key, (draws,), 0, upto[-1]), side="right")
    z, x, _ = jnp.unravel_index(instance, shape)
    said, heard, transcript = draw_transcripts(talk_key, z, x, user, providers)
    action = None if decision is None else draw_rows(action_key, decision[z, transcript])
    return instance, said, heard, transcript, action


_sample = jit(_sample_draws, static_argnums=(5, 6))
_transcript_weights = jit(transcript_weights, static_argnums=2)


def _transcripts(rules: ConversationRules) -> np.ndarray:
    """`[Z, X, T]` chances of transcripts, int64 if no rule is random."""
    sizes = rules.sizes
    if sizes["Z"] * sizes["X"] * sizes["T"] > MAX_TABLE:
        raise ValueError(
            f"rules: expected at most {MAX_TABLE:,} triples of x_A, x_B and transcript, got "
            f"{sizes['Z']} x {sizes['X']} x {approximate(sizes['T'])}"
        )
    user, providers = (
        tuple(_exact(array, rules.deterministic) for array in part) for part in (rules.user, rules.providers)
    )
    with jax.enable_x64(True):
        return np.asarray(_transcript_weights(user, providers, (sizes["Z"], sizes["X"])))


def _exact(chances: np.ndarray, deterministic: bool) -> np.ndarray:
    return chances.astype(np.int64 if deterministic else np.float64)


def _all_whole(rules: ConversationRules) -> bool:
    return all(bool(np.isin(array, (0, 1)).all()) for array in (*rules.user, *rules.providers))


def _prior(prior: Any, rules: ConversationRules) -> np.ndarray:
    """`[Z, X, Y]` integer weights."""
    array = as_numbers("prior", prior)
    z, x = rules.sizes["Z"], rules.sizes["X"]
    if array.ndim != 3 or array.shape[:2] != (z, x):
        raise ValueError(f"prior: expected shape [{z}, {x}, Y] to go with the rules, got {list(array.shape)}")
    return integer_weights("prior", array[None], "[Z, X, Y]")[0]


def _chances(name: str, value: Any, shape: tuple[int | None, ...]) -> np.ndarray:
    array = as_numbers(name, value)
    if array.ndim != len(shape) or any(want not in (None, came) for want, came in zip(shape, array.shape)):
        wanted = ", ".join("A" if size is None else str(size) for size in shape)
        raise ValueError(f"{name}: expected shape [{wanted}], got {list(array.shape)}")
    array = array.astype(np.float64)
    if not (np.isfinite(array) & (array >= 0)).all():
        where = np.argwhere(~(np.isfinite(array) & (array >= 0)))[0].tolist()
        raise ValueError(f"{name}: expected chances of at least 0, got {array[tuple(where)]} at index {where}")
    total = array.sum(axis=-1, keepdims=True)
    if np.abs(total - 1).max() > CHANCE_TOLERANCE:
        where = np.argwhere(np.abs(total[..., 0] - 1) > CHANCE_TOLERANCE)[0].tolist()
        raise ValueError(
            f"{name}: expected chances that add up to one, got {total[tuple(where)][0]:g} at index {where}"
        )
    return array / total
