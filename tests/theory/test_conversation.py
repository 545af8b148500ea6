"""Conversation: against Algorithm 1 and Definition 10 followed to the letter, in fractions, one cell at a time."""

from __future__ import annotations

import itertools
import math
from fractions import Fraction

import equilibrax as eq
import jax
import numpy as np
import pytest
from equilibrax import PersuasionGame

RESOLUTION = 4
ROUNDS = 4


def random_game(rng, b, z, x, a, *, top=4) -> PersuasionGame:
    """Small weights, some of them zero, and few different utilities: many statements are equal."""
    weights = rng.integers(0, 4, (b, z, x)) * rng.integers(0, 2, (b, z, x)) + np.eye(max(z, x), dtype=int)[:z, :x]
    weights[:, :, 0] += 1
    weights[:, 0] += 1
    user, provider = rng.integers(0, top + 1, (2, b, z, x, a)) / RESOLUTION
    return PersuasionGame.from_weights(weights, user, provider[:, None], resolution=RESOLUTION)


def step_by_step(weights, user, observes, rounds, grid, order):
    """What user and providers state and know: lists over rounds of `{cell: vector}`, from histories that are tuples."""
    cells = [(z, x) for z, row in enumerate(weights) for x, w in enumerate(row) if w]
    providers = range(len(observes))
    told = {(i, c): () for i in providers for c in cells}  # what i and the user said to each other

    def mean(cell, same):
        group = [c for c in cells if same(c, cell)]
        total = sum(int(weights[c]) for c in group)
        return tuple(
            Fraction(sum(int(u) for u in column), total * RESOLUTION) for column in zip(*(user[c] for c in group))
        )

    def round_off(vector):
        return tuple(math.floor(v * grid + Fraction(1, 2)) for v in vector) if grid else vector

    def user_knows(c, d):
        return c[0] == d[0] and all(told[i, c] == told[i, d] for i in providers)

    means, answers = [], []
    for _ in range(rounds):
        before = dict(told)
        means.append({c: mean(c, user_knows) for c in cells})
        told |= {(i, c): before[i, c] + (round_off(means[-1][c]),) for i in providers for c in cells}
        heard = dict(told) if order == "in_turn" else before
        stated = {}
        for i in providers:

            def looks_same(c, d, i=i, heard=heard):
                return observes[i][c[1]] == observes[i][d[1]] and heard[i, c] == heard[i, d]

            stated |= {(i, c): mean(c, looks_same) for c in cells}
        answers.append(stated)
        told |= {(i, c): told[i, c] + (round_off(answers[-1][i, c]),) for i in providers for c in cells}
    means.append({c: mean(c, user_knows) for c in cells})
    return means, answers


# --- straightforward conversation -------------------------------------------------------------------------------------

SETTINGS = [
    ((3, 4, 2), None, None, "in_turn"),
    ((4, 3, 3), None, None, "simultaneous"),
    ((2, 4, 2), [[0, 0, 1, 1], [0, 1, 0, 1]], None, "in_turn"),
    ((3, 4, 1), [[5, 5, 2, 2], [0, 1, 0, 1], [0, 0, 0, 0]], None, "simultaneous"),
    ((4, 4, 2), None, 3, "in_turn"),
    ((3, 4, 2), [[0, 1, 1, 0], [0, 1, 2, 3]], 2, "simultaneous"),
]


@pytest.mark.slow
@pytest.mark.parametrize(("shape", "observes", "grid", "order"), SETTINGS)
def test_step_by_step(shape, observes, grid, order):
    """100 random priors (6 x 17): every mean stated and known is the fraction that the definition gives."""
    rng = np.random.default_rng(len(str(shape)) + (grid or 0))
    game = random_game(rng, 17, *shape)
    talk = eq.theory.converse(game, ROUNDS, observes=observes, grid=grid, order=order)
    sees = [list(range(shape[1]))] if observes is None else observes
    utility, quantal = eq.theory.conversation_utility(talk), eq.theory.conversation_utility(talk, [0.0, 3.0, math.inf])
    learning = 0
    for b in range(len(game)):
        weights, user = game.weights[b], game.user[b]
        means, answers = step_by_step(weights, user, sees, ROUNDS, grid, order)
        learning += means[0] != means[-1]
        total = int(weights.sum())
        for r, known in enumerate(means):
            for c, expected in known.items():
                unit = int(talk.user_weight[b, r][c]) * RESOLUTION
                assert tuple(Fraction(int(s), unit) for s in talk.user_sum[b, r][c]) == expected
            worst = [
                sum(
                    abs(Fraction(int(user[c][a]), int(weights[c]) * RESOLUTION) - m[a]) * int(weights[c])
                    for c, m in known.items()
                )
                for a in range(shape[2])
            ]
            assert talk.estimation_error[b, r] == pytest.approx(float(max(worst)) / total, abs=1e-12)
            best = sum(int(user[c][m.index(max(m))]) for c, m in known.items())
            assert utility[b, r, 0] == best / (total * RESOLUTION)
            for level, rationality in enumerate((0.0, 3.0, math.inf)):
                value = 0.0
                for c, m in known.items():
                    odds = [math.exp(rationality * float(v)) if rationality < math.inf else v == max(m) for v in m]
                    value += sum(o * int(u) for o, u in zip(odds, game.providers[b, 0][c])) / sum(odds)
                assert quantal[b, level, r, 1] == pytest.approx(value / (total * RESOLUTION), abs=1e-12)
        for r, stated in enumerate(answers):
            for (i, c), expected in stated.items():
                unit = int(talk.provider_weight[b, r, i][c]) * RESOLUTION
                assert tuple(Fraction(int(s), unit) for s in talk.provider_sum[b, r, i][c]) == expected
                gap = max(abs(m - a) for m, a in zip(means[r][c], expected))
                assert talk.disagreement[b, r, i][c] == pytest.approx(float(gap), abs=1e-12)
    assert learning  # or nothing was tested


def test_exact_where_floating_point_is_not():
    """Equal means from groups of different weight: thirds of thirds must not look different after a sum in float64."""
    weights = [[1, 3, 7], [3, 9, 21]]
    user = [[[0.1, 0.7], [0.7, 0.2], [0.3, 0.3]]] * 2
    game = PersuasionGame.from_weights(weights, user, [user], resolution=10)
    talk = eq.theory.converse(game, 3)
    assert talk.last_lesson.tolist() == [1]
    assert (talk.provider_group[0, -1, 0] == [[0, 1, 2]] * 2).all()  # the user's two signals say the same


@pytest.mark.slow
def test_rows_do_not_leak_and_providers_that_see_the_same_say_the_same():
    game = random_game(np.random.default_rng(1), 5, 3, 3, 2)
    together, twice = eq.theory.converse(game, 3), eq.theory.converse(game, 3, observes=[[0, 1, 2], [7, 3, 9]])
    assert (twice.provider_sum[:, :, :1] == together.provider_sum).all()
    assert (twice.provider_sum[:, :, 1] == twice.provider_sum[:, :, 0]).all()
    assert (twice.user_group == together.user_group).all()
    for b in range(5):
        alone = eq.theory.converse(game[b], 3)
        assert (alone.user_sum[0] == together.user_sum[b]).all()
        assert (alone.provider_group[0] == together.provider_group[b]).all()


def test_no_rounds_no_news():
    game = random_game(np.random.default_rng(2), 4, 2, 3, 2)
    talk = eq.theory.converse(game, 0)
    assert (talk.user_sum[:, 0] == game.user.sum(axis=2, keepdims=True)).all()
    assert talk.rounds_to_agreement(0.5).tolist() == talk.last_lesson.tolist() == [0] * 4


# --- promises ---------------------------------------------------------------------------------------------------------


@pytest.mark.slow
def test_agreement_within_theorem_3():
    """100 random priors; exact statements also end in exact agreement, after at most a round per cell."""
    game = random_game(np.random.default_rng(3), 100, 4, 4, 2)
    talk = eq.theory.converse(game, 18)
    for zeta, failure in ((0.5, 0.5), (0.3, 0.2), (0.1, 0.05)):
        kept = eq.theory.conversation_promises(talk, zeta, failure)
        assert kept.rounds_kept.all()
        assert (kept.rounds_promised == eq.theory.agreement_rounds(2, zeta, failure)).all()
    assert (talk.agreement(0.0)[:, -1] == 1).all()
    assert (talk.rounds_to_agreement(0.0) > 1).any()
    errors = talk.estimation_error
    assert (np.diff(eq.theory.conversation_utility(talk)[..., 0], axis=1) >= -1e-15).all()  # the user only ever learns
    assert (errors[:, -1] <= errors[:, 0] + 1e-15).all()


def test_theorem_3_needs_exact_statements():
    """Means of 1/4 and 0, rounded to whole numbers, are both stated as 0 for ever."""
    weights, user = [[1, 3]], [[[1.0], [0.0]]]
    game = PersuasionGame.from_weights(weights, user, [user])
    assert eq.theory.converse(game, 50).rounds_to_agreement(0.2).tolist() == [2]
    game = PersuasionGame.from_weights([[1, 1, 1, 1]], [[[0.0], [0.4], [0.0], [0.4]]], [[[[0.0]] * 4]])
    rounded = eq.theory.converse(game, 500, grid=1)
    assert rounded.rounds_to_agreement(0.1).tolist() == [0]
    assert not eq.theory.conversation_promises(rounded, 0.19, 0.9).rounds_kept.any()


def substitutes_by_definition(prior, user) -> bool:
    """Definition 14 in words, from squared errors over (x_A, x_B, y) in fractions."""
    z, x, y = prior.shape
    cells = [c for c in itertools.product(range(z), range(x), range(y)) if prior[c]]

    def subsets(n):
        return [s for k in range(1, n + 1) for s in itertools.combinations(range(n), k)]

    for some, others, a in itertools.product(subsets(z), subsets(x), range(user.shape[1])):
        inside = [c for c in cells if c[0] in some and c[1] in others]

        def loss(key, inside=inside, a=a):
            total = Fraction(0)
            for _, group in itertools.groupby(sorted(inside, key=key), key=key):
                group = list(group)
                weight = sum(int(prior[c]) for c in group)
                mean = Fraction(sum(int(prior[c]) * int(user[c[2], a]) for c in group), weight)
                total += sum(int(prior[c]) * (int(user[c[2], a]) - mean) ** 2 for c in group)
            return total

        nothing, mine, yours, all_ = (
            loss(key) for key in (lambda c: 0, lambda c: c[:1], lambda c: c[1:2], lambda c: c[:2])
        )
        if yours - all_ > nothing - mine:
            return False
    return True


def test_information_substitutes():
    rng = np.random.default_rng(4)
    seen = []
    for noise in (0, 1, 1, 2, 2, 3) * 5:
        prior = rng.integers(0, noise + 1, (2, 3, 2)) + 0
        prior[0, 0, 0] += 6
        prior[1, 1, 1] += 6
        prior[1, 2, 1] += 1
        user = rng.integers(0, 3, (2, 2))
        game = PersuasionGame.from_prior(prior, user, user[None], resolution=1)
        seen.append(substitutes_by_definition(prior, user))
        assert eq.theory.information_substitutes(game).tolist() == seen[-1:]
    assert set(seen) == {True, False}


@pytest.mark.slow
def test_theorem_4_and_its_hypothesis():
    """Substitutes: agreement to 1e-6 leaves at most 0.1. Parity: perfect agreement at once, and nothing is known."""
    rng = np.random.default_rng(5)
    game = random_game(rng, 300, 2, 2, 1)
    kept = eq.theory.conversation_promises(eq.theory.converse(game, 8), 1e-6, 0.0)
    assert kept.error_promised == pytest.approx(0.1)
    assert kept.rounds_measured.all()
    assert kept.error_kept[kept.substitutes].all()
    assert 20 < kept.substitutes.sum() < 300

    parity = PersuasionGame.from_prior([[[1, 0], [0, 1]], [[0, 1], [1, 0]]], [[1], [0]], [[[1], [0]]])
    broken = eq.theory.conversation_promises(eq.theory.converse(parity, 8), 1e-6, 0.0)
    assert not broken.substitutes.any()
    assert broken.rounds_measured.tolist() == [1]
    assert broken.error_measured.tolist() == [0.5]
    assert not broken.error_kept.any()


def test_promises_scale_with_the_utilities():
    """A hundred times the utilities: the same conversation, and the same promises for a hundred times zeta."""
    game = random_game(np.random.default_rng(3), 100, 4, 4, 2)
    utilities = game.user / np.maximum(game.weights, 1)[..., None] / RESOLUTION
    large = PersuasionGame.from_weights(game.weights, 400 * utilities, game.providers, resolution=RESOLUTION)
    talk = eq.theory.converse(large, 18)
    assert (talk.user_group == eq.theory.converse(game, 18).user_group).all()
    possible = np.where((game.weights > 0)[..., None], 400 * utilities, np.nan)
    spread = (np.nanmax(possible, axis=(1, 2)) - np.nanmin(possible, axis=(1, 2))).max(axis=1)
    kept = eq.theory.conversation_promises(talk, 100.0, 0.3, check_substitutes=False)
    assert kept.rounds_promised == pytest.approx(np.ceil(3 * 2 * (spread / 100) ** 2 / 0.3 - 1e-9))
    assert kept.error_promised == pytest.approx(10 * spread * np.cbrt(100 / spread))
    assert kept.rounds_kept.all()
    assert kept.error_kept.all()


# --- any rules --------------------------------------------------------------------------------------------------------


def random_rules(rng, z, x, a, k, rounds, m, n, pure):
    def rows(*shape):
        if pure:
            return np.eye(shape[-1], dtype=int)[rng.integers(0, shape[-1], shape[:-1])]
        return rng.dirichlet(np.full(shape[-1], 0.7), shape[:-1])

    user = [rows(z, (m * n) ** (r * k), m**k) for r in range(rounds)]
    providers = [rows(k, x, (m * n) ** r * m, n) for r in range(rounds)]
    return eq.theory.conversation_rules(user, providers, rows(z, (m * n) ** (rounds * k), a))


def outcomes(rules, z, x):
    """Algorithm 1 as a tree: `{(histories): probability}` at its leaves, histories as tuples of messages."""
    sizes = rules.sizes
    k, m, n = sizes["K"], sizes["M"], sizes["N"]

    def number(history):
        code = 0
        for place, message in enumerate(history):
            code = code * (n if place % 2 else m) + message
        return code

    leaves = {((),) * k: 1}
    for r in range(sizes["R"]):
        size = (m * n) ** r
        after = {}
        for histories, chance in leaves.items():
            joint = sum(number(h) * size ** (k - 1 - i) for i, h in enumerate(histories))
            for place, messages in enumerate(itertools.product(range(m), repeat=k)):
                asked = chance * rules.user[r][z, joint, place]
                told = [(*h, said) for h, said in zip(histories, messages)]
                for answers in itertools.product(range(n), repeat=k):
                    p = asked
                    for i, answer in enumerate(answers):
                        p = p * rules.providers[r][i, x, number(told[i]), answer]
                    if p:
                        after[tuple((*h, answer) for h, answer in zip(told, answers))] = p
        leaves = after
    size = (m * n) ** sizes["R"]
    return {sum(number(h) * size ** (k - 1 - i) for i, h in enumerate(hs)): p for hs, p in leaves.items()}


RULES = [(2, 1, 2, 3), (2, 2, 1, 2), (3, 1, 2, 2)]  # K, R, M, N


@pytest.mark.parametrize("pure", [True, False])
@pytest.mark.parametrize(("k", "rounds", "m", "n"), RULES)
def test_induced_distribution_by_tree(k, rounds, m, n, pure):
    rng = np.random.default_rng(10 * k + rounds)
    prior = rng.integers(0, 4, (2, 3, 2)) + np.eye(2, dtype=int)[:, [0, 1, 1], None]
    rules = random_rules(rng, 2, 3, 3, k, rounds, m, n, pure)
    expected = np.zeros((3, 2))
    for z, x in itertools.product(range(2), range(3)):
        leaves = outcomes(rules, z, x)
        assert sum(leaves.values()) == pytest.approx(1)
        acts = sum(p * rules.decision[z, transcript] for transcript, p in leaves.items())
        expected += acts[:, None] * prior[z, x]
    induced = eq.theory.induced_distribution(prior, rules)
    assert induced.probability == pytest.approx(expected / prior.sum(), abs=1e-13)
    assert rules.deterministic == pure
    if pure:
        assert induced.weight is not None
        assert (induced.weight * math.gcd(*prior.ravel().tolist()) == expected).all()


@pytest.mark.slow
@pytest.mark.parametrize(("k", "rounds", "m", "n"), RULES)
def test_frequencies_of_transcripts(k, rounds, m, n):
    """Draws of transcripts and of (action, outcome) within five standard deviations of their exact distributions."""
    rng = np.random.default_rng(20 * k + rounds)
    prior = rng.integers(0, 4, (2, 3, 2)) + np.eye(2, dtype=int)[:, [0, 1, 1], None]
    rules = random_rules(rng, 2, 3, 3, k, rounds, m, n, pure=False)
    draws = 60_000
    drawn = eq.theory.sample_transcript(jax.random.key(k), prior, rules, draws)
    assert drawn.action is not None

    def near(counts, probability):
        deviation = np.sqrt(draws * probability * (1 - probability))
        assert (np.abs(counts - draws * probability) <= 5 * deviation + 1e-9 * draws).all()

    counts = np.zeros((3, 2))
    np.add.at(counts, (drawn.action, drawn.outcome), 1)
    near(counts, eq.theory.induced_distribution(prior, rules).probability)

    counts, probability = np.zeros((2, 3, rules.sizes["T"])), np.zeros((2, 3, rules.sizes["T"]))
    np.add.at(counts, (drawn.user_feature, drawn.provider_feature, drawn.transcript), 1)
    for z, x in itertools.product(range(2), range(3)):
        for transcript, p in outcomes(rules, z, x).items():
            probability[z, x, transcript] = p * prior[z, x].sum() / prior.sum()
    near(counts, probability)
    code = np.zeros(draws, int)
    for i in range(k):
        own = np.zeros(draws, int)
        for r in range(rounds):
            own = (own * m + drawn.user_messages[:, r, i]) * n + drawn.provider_messages[:, r, i]
        code = code * (m * n) ** rounds + own
    assert (code == drawn.transcript).all()


def test_draws_repeat_with_the_key_and_accept_the_older_kind_of_key():
    rules = random_rules(np.random.default_rng(0), 1, 2, 2, 1, 1, 1, 2, pure=False)
    prior = [[[1], [1]]]
    first, again, other = (eq.theory.sample_transcript(jax.random.key(s), prior, rules, 50) for s in (3, 3, 4))
    assert (first.transcript == again.transcript).all()
    assert (first.transcript != other.transcript).any()
    older = eq.theory.sample_transcript(jax.random.PRNGKey(3), prior, rules, 50)
    assert (older.transcript == first.transcript).all()


@pytest.mark.parametrize("pure", [True, False])
def test_decide_beats_every_decision_rule(pure):
    """Definition 4, by trying all decision rules; and quantal response tends to it."""
    rng = np.random.default_rng(30)
    prior, user = rng.integers(1, 4, (2, 2, 2)), rng.integers(0, 3, (2, 2))
    rules = random_rules(rng, 2, 2, 2, 1, 1, 1, 2, pure)
    value = eq.theory.induced_distribution(prior, eq.theory.decide(prior, rules, user)).expectation(user)
    best = -math.inf
    for actions in itertools.product(range(2), repeat=4):
        decision = np.eye(2, dtype=int)[np.reshape(actions, (2, 2))]
        other = eq.theory.conversation_rules(rules.user, rules.providers, decision)
        best = max(best, eq.theory.induced_distribution(prior, other).expectation(user))
    assert value == pytest.approx(best, abs=1e-12)
    for rationality in (math.inf, 1e4):
        sharp = eq.theory.induced_distribution(prior, eq.theory.decide(prior, rules, user, rationality)).expectation(
            user
        )
        assert sharp == pytest.approx(best, abs=1e-9)
    flat = eq.theory.decide(prior, rules, user, 0.0).decision
    assert flat is not None
    assert (flat == 0.5).all()


# --- the door ---------------------------------------------------------------------------------------------------------

GAME = PersuasionGame.from_weights([[1, 2]], [[[1, 0], [0, 1]]], [[[[0, 1], [0, 1]]]])
HEAVY = PersuasionGame.from_weights([[999_999, 1]], [[[1, 0], [0, 1]]], [[[[0, 1], [0, 1]]]])
SAYS = eq.theory.conversation_rules([[[[1]]]], [[[[[1, 0]], [[0, 1]]]]])


def prior_game(prior):
    return PersuasionGame.from_prior(prior, [[1, 0], [0, 1]], [[[1, 0], [0, 1]]])


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda: eq.theory.converse(GAME, -1), "rounds: expected a whole number"),
        (lambda: eq.theory.converse(GAME, 1.5), "rounds: expected a whole number"),
        (lambda: eq.theory.converse(GAME, 1, grid=0), "grid: expected a whole number"),
        (lambda: eq.theory.converse(HEAVY, 1, grid=2**31 - 1), "grid: expected a grid that 64-bit integers can hold"),
        (lambda: eq.theory.converse(GAME, 1, order="by turns"), "order: expected one of"),
        (lambda: eq.theory.converse(GAME, 1, observes=[[0, 1, 2]]), "observes: expected whole numbers of shape"),
        (lambda: eq.theory.converse(GAME, 1, observes=[[0.5, 1.0]]), "observes: expected whole numbers of shape"),
        (lambda: eq.theory.converse(prior_game([[[-1, 2], [0, 1]]]), 1), "prior: expected finite weights"),
        (lambda: eq.theory.converse(prior_game([[[math.nan, 2], [0, 1]]]), 1), "prior: expected finite weights"),
        (lambda: eq.theory.converse(prior_game([[0, 1]]), 1), "prior: expected shape"),
        (lambda: eq.theory.converse(GAME, 1).agreement(-0.1), "zeta: expected a finite number"),
        (
            lambda: eq.theory.conversation_promises(eq.theory.converse(GAME, 1), 0.0),
            "zeta: expected a finite number above 0",
        ),
        (
            lambda: eq.theory.conversation_promises(eq.theory.converse(GAME, 1), 0.1, 1.0),
            "failure: expected a probability",
        ),
        (
            lambda: eq.theory.conversation_utility(eq.theory.converse(GAME, 1), -1),
            "rationality: expected numbers of at least 0",
        ),
        (
            lambda: eq.theory.conversation_utility(eq.theory.converse(GAME, 1), math.nan),
            "rationality: expected numbers of at least 0",
        ),
        (lambda: eq.theory.agreement_rounds(2, 0.0, 0.1), "zeta: expected a finite number above 0"),
        (lambda: eq.theory.conversation_rules([], []), "expected one array per round each, at least one"),
        (
            lambda: eq.theory.conversation_rules([[[[1]]]], [[[[[0.5, 0.4]]]]]),
            r"providers\[0\]: expected chances that add up",
        ),
        (
            lambda: eq.theory.conversation_rules([[[[1]]]], [[[[[-1, 2]]]]]),
            r"providers\[0\]: expected chances of at least 0",
        ),
        (lambda: eq.theory.conversation_rules([[[[1, 0]]]], [[[[[1, 0]]]]]), r"user\[0\]: expected shape \[1, 1, 1\]"),
        (lambda: eq.theory.induced_distribution([[[1], [1]]], SAYS), "rules: expected a decision rule"),
        (lambda: eq.theory.decide([[[1], [-1]]], SAYS, [[1, 0]]), "prior: expected finite weights"),
        (lambda: eq.theory.decide([[[1], [1], [1]]], SAYS, [[1, 0]]), r"prior: expected shape \[1, 2, Y\]"),
        (lambda: eq.theory.sample_transcript(0, [[[1], [1]]], SAYS), "key: expected a JAX key"),
        (
            lambda: eq.theory.sample_transcript(jax.random.key(0), [[[1], [1]]], SAYS, 0),
            "draws: expected a whole number",
        ),
    ],
)
def test_errors_at_the_door(call, message):
    with pytest.raises(ValueError, match=message):
        call()


def test_actions_must_exist_everywhere():
    tables = eq.from_integers([[3, 1], [0, 2]], [[[1, 5], [2, 2]]], available=[[True, True], [True, False]])
    with pytest.raises(ValueError, match="game: expected every action to be available"):
        eq.theory.converse(PersuasionGame.from_tables(tables), 1)
    wide = PersuasionGame.from_weights(np.ones((10, 9)), np.zeros((10, 9, 1)), np.zeros((1, 10, 9, 1)))
    with pytest.raises(ValueError, match="Z \\+ X of at most 18"):
        eq.theory.information_substitutes(wide)
