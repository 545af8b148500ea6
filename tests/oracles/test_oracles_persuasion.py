"""The oracle of the all-providers games against itself: by hand, by law, and against the numbers of the paper."""

import itertools
import math
import random
from fractions import Fraction

import numpy as np
import oracles
import oracles_persuasion as op
import pytest
from oracles_persuasion import Game
from scipy.optimize import linprog

RATIONALITIES = (None, 0, 1.5, math.inf)

# Prior over (x_A, x_B, y) with one signal and x_B = y: guilty, innocent. Actions: acquit, convict (lowest: acquit).
PROSECUTOR = op.from_prior([[[3, 0], [0, 7]]], [[0, 1], [1, 0]], [[[0, 1], [0, 1]]])
THEOREM_7 = op.from_prior([[[2, 0], [0, 1]]], [[1, 2], [2, 1]], [[[0, 2], [0, 1]], [[1, 0], [2, 0]]])


def games(seed: int, count: int, states: int = 4, signals: int = 2, providers: int = 3):
    """Random sizes up to the given ones; few utilities, so many ties."""
    rng = random.Random(seed)
    for _ in range(count):
        yield op.random_game(
            rng, rng.randint(1, signals), rng.randint(2, states), rng.randint(2, 3), rng.randint(2, providers), 2
        )


def committees(game: Game) -> range:
    return range(1, 2 ** len(game.providers))


def renamed(game: Game, states=None, providers=None, signals=None) -> Game:
    """The same game under other names: `states[i]` is the old state that is now called i, and so on."""
    states = states or range(game.states)
    signals = signals or range(game.signals)
    providers = providers or range(len(game.providers))

    def moved(table):
        return [[table[z][x] for x in states] for z in signals]

    return Game(
        moved(game.weights),
        moved(game.user),
        [moved(game.providers[j]) for j in providers],
        [game.available[x] for x in states],
    )


# Partitions


def test_partitions_of_a_set() -> None:
    assert [len(op.partitions(2**n - 1)) for n in range(6)] == [1, 1, 2, 5, 15, 52]
    assert op.partitions(0b111) == ((1, 2, 4), (1, 6), (3, 4), (5, 2), (7,))
    assert op.partitions(0b1010) == ((2, 8), (10,))
    for p in op.partitions(0b1111):
        assert op.from_labels(op.labels(p)) == p
        assert set(op.refinements(p)) == {q for q in op.partitions(0b1111) if op.join(p, q) == q}
    assert op.labels((5, 2)) == [0, 1, 0]
    assert op.from_labels(np.array([7, 3, 7])) == (5, 2)
    assert op.join((3, 12), (5, 10)) == (1, 2, 4, 8)
    assert op.join((7,), (5, 2), (7,)) == (5, 2)


# Responses and values


def test_responses_by_hand() -> None:
    # In cell {0, 1}: sums 3, 3, 2; action 3 is missing in state 0. Weights 1 + 1, resolution 2.
    game = Game([[1, 1]], [[[1, 3, 0, 0], [2, 0, 2, 9]]], [], [[1, 1, 1, 0], [1, 1, 1, 1]], resolution=2)
    assert op.allowed_actions(game, 0b11) == [0, 1, 2]
    assert op.response(game, 0b11, 0) == [1, 0, 0, 0]
    assert op.response(game, 0b11, 0, math.inf) == [Fraction(1, 2), Fraction(1, 2), 0, 0]
    assert op.response(game, 0b11, 0, 0) == [Fraction(1, 3)] * 3 + [0]
    e = math.exp(-2.0 * (3 - 2) / 4)
    assert op.response(game, 0b11, 0, 2.0) == pytest.approx([1 / (2 + e), 1 / (2 + e), e / (2 + e), 0])
    assert op.cell_values(game, 0b11) == (3,)
    assert op.cell_values(game, 0b11, 0) == (Fraction(8, 3),)
    assert op.cell_values(game, 0b10, None) == (9,)
    assert op.values(game) == {(1, 2): (12,), (3,): (3,)}


def test_a_signal_without_weight_in_a_cell_contributes_nothing() -> None:
    game = Game([[0, 2], [1, 1]], [[[0, 0], [4, 0]], [[0, 1], [0, 3]]], [], [[1, 1], [1, 1]])
    assert [op.cell_values(game, 0b01, r) for r in (None, 0, 1.0)] == [
        (1,),
        (Fraction(1, 2),),
        (pytest.approx(0.7310585786),),
    ]
    assert op.cell_values(game, 0b11) == (8,)


def test_no_common_action_no_cell() -> None:
    game = Game([[1, 1, 1]], [[[0, 0], [0, 0], [0, 0]]], [], [[1, 0], [0, 1], [1, 1]])
    assert op.allowed_partitions(game) == [(1, 2, 4), (1, 6), (5, 2)]


def test_limits_of_rationality() -> None:
    for game in games(1, 15):
        best, limit, zero = (op.values(game, r) for r in (None, math.inf, 0))
        for p in best:
            # Finite rationality tends to both limits; the user gets the maximum in the one, whoever wins her ties.
            assert op.values(game, 2000.0)[p] == pytest.approx([float(v) for v in limit[p]], abs=1e-9)
            assert op.values(game, 1e-9)[p] == pytest.approx([float(v) for v in zero[p]], abs=1e-6)
            assert limit[p][0] == best[p][0]
            assert zero[p][0] <= best[p][0]
            # Lemma 1, cell by cell, hence for the expectation.
            assert best[p][0] - op.values(game, 1.5)[p][0] <= math.log(game.actions) / 1.5 * game.unit + 1e-9
    # Uniform means: with everything available, nothing that is said changes anybody's value.
    zero = op.values(op.everywhere_available(game), 0)
    assert len(set(zero.values())) == 1


def test_more_information_is_good_for_a_best_responding_user_only() -> None:
    hurt = 0
    for game in games(2, 20, signals=1):
        game = op.everywhere_available(game)
        for p in op.values(game):
            for q in op.refinements(p):
                assert op.values(game)[q][0] >= op.values(game)[p][0]
                hurt += op.values(game, 3.0)[q][0] < op.values(game, 3.0)[p][0] - 1e-6
    assert hurt, "a quantal user may lose by hearing more"


# The joint game


def stable_cells(game: Game, committee: int, rationality=None) -> list:
    """The equilibria of two members or more by cells: nobody gains by splitting one."""
    slack = 0 if rationality is None else op.TOLERANCE * game.unit

    def stable(cell: int, j: int) -> bool:
        splits = (sum(op.cell_values(game, part, rationality)[1 + j] for part in p) for p in op.partitions(cell))
        return op.cell_values(game, cell, rationality)[1 + j] >= max(splits) - slack

    team = op.members(committee)
    allowed = op.allowed_partitions(game)
    good = {cell: all(stable(cell, j) for j in team) for cell in set(itertools.chain(*allowed))}
    return [p for p in allowed if all(good[cell] for cell in p)]


@pytest.mark.parametrize("rationality", RATIONALITIES)
def test_profiles_symmetric_profiles_and_stable_cells_agree(rationality: float | None) -> None:
    several = partial = 0
    for game in games(3, 60):
        assert not op.ambiguous(game, rationality)
        for committee in committees(game):
            found = op.joint_by_profiles(game, committee, rationality)
            assert op.full_revelation(game) in found or committee.bit_count() == 1
            assert op.joint_by_profiles(game, committee, rationality, postings="own") == found
            assert op.joint_symmetric(game, committee, rationality) == found
            if committee.bit_count() > 1:
                assert stable_cells(game, committee, rationality) == found
                several += len(found) > 1
                partial += 1 < len(found) < len(op.allowed_partitions(game))
            else:
                own = {p: v[1 + committee.bit_length() - 1] for p, v in op.values(game, rationality).items()}
                assert [p for p, v in own.items() if v >= max(own.values()) - 1e-9 * game.unit] == found
    assert several, "games with one equilibrium each would prove little"
    assert partial or rationality == 0


def test_five_states_symmetric_is_stable_cells() -> None:
    rng = random.Random(4)
    for signals in (1, 2):
        game = op.random_game(rng, signals, 5, 3, 2, 2)
        assert op.joint_symmetric(game, 0b11) == stable_cells(game, 0b11)
        assert op.joint_symmetric(game, 0b01)[0] == op.monopoly_partition(game, 0)


def test_joint_by_hand() -> None:
    # The user matches the state; provider 0 wants action 0, provider 1 does not care.
    game = Game([[1, 1]], [[[1, 0], [0, 1]]], [[[[1, 0], [1, 0]]], [[[0, 0], [0, 0]]]], [[1, 1], [1, 1]])
    assert op.joint_by_profiles(game, 0b01) == [(3,)]
    assert op.joint_by_profiles(game, 0b10) == op.joint_by_profiles(game, 0b11) == [(1, 2), (3,)]
    expected = {"worst": 1, "best": 2, "count": 2, "worst_partition": (3,)}
    assert op.summary(game, op.joint_by_profiles(game, 0b11)) == expected
    # Provider 1 posts the finest of its optima and provider 0 cannot take it back.
    assert op.joint_dynamics(game, 0b01) == ((3,), 0, False)
    assert op.joint_dynamics(game, 0b11) == ((1, 2), 0, False)
    assert op.near_ties(game) == [0, 1]


def test_dynamics_by_hand() -> None:
    # Only what the user does in state 1 (and 2) varies: told, 1; pooled with state 0, action 0; with state 2, action 2.
    user = [[3, 0, 0], [0, 2, 0], [0, 0, 3]]
    game = Game(
        [[1, 1, 1]], [user], [[[[0] * 3, [3, 0, 1], [0, 0, 1]]], [[[0] * 3, [0, 1, 3], [0, 0, 1]]]], [[1] * 3] * 3
    )
    assert [v[1:] for v in op.values(game).values()] == [(1, 2), (2, 4), (4, 1), (0, 1), (3, 0)]
    assert op.joint_dynamics(game, 0b01) == ((3, 4), 0, False)
    assert op.joint_dynamics(game, 0b10) == ((1, 6), 0, False)
    # Together they reveal everything; provider 0 then rather says what provider 1 says.
    assert op.joint_dynamics(game, 0b11) == ((1, 6), 1, False)
    # Provider 1 would not say what provider 0 says, whoever is asked first.
    assert op.joint_dynamics(renamed(game, providers=[1, 0]), 0b11) == ((1, 6), 1, False)


@pytest.mark.parametrize("rationality", [None, 1.5])
def test_joint_dynamics_ends_in_an_equilibrium_and_cannot_cycle(rationality: float | None) -> None:
    longest = 0
    for game in games(5, 150):
        for committee in committees(game):
            path = op.joint_dynamics(game, committee, rationality)
            assert path.partition in op.joint_symmetric(game, committee, rationality)
            assert not path.cycle
            assert path.steps <= (game.states if committee.bit_count() > 1 else 0)
            longest = max(longest, path.steps)
    assert longest > 1, "dynamics that never move prove nothing"


# Selection with obedience


@pytest.mark.parametrize("tie_break", ["incumbent", "lowest_index"])
def test_selection_profiles_and_symmetric_profiles_agree(tie_break: str) -> None:
    for game, rationality in itertools.product(games(6, 10, states=3, providers=2), (None, 1.5)):
        for committee in committees(game):
            found = op.selection_equilibria(game, committee, tie_break, rationality)
            assert op.selection_by_profiles(game, committee, tie_break, rationality) == found
            path = op.selection_dynamics(game, committee, tie_break, rationality)
            assert path.partition in found
            assert path.selected in op.members(committee)


def test_selection_by_the_definition() -> None:
    """Symmetric P: no member has Q that is strictly better for the user and for itself."""
    for game in games(7, 20):
        of = op.values(game)
        for committee in committees(game):
            team = op.members(committee)
            expected = [
                p for p in of if not any(of[q][0] > of[p][0] and of[q][1 + j] > of[p][1 + j] for q in of for j in team)
            ]
            if len(team) == 1:
                top = max(v[1 + team[0]] for v in of.values())
                expected = [p for p in of if of[p][1 + team[0]] == top]
            found = op.selection_equilibria(game, committee)
            assert found == expected
            assert set(op.selection_equilibria(game, committee, "lowest_index")) <= set(found)
            if len(team) > 1:
                assert op.summary(game, found)["best"] == op.aligned(game)[0]


# Names do not matter


def test_renaming() -> None:
    rng = random.Random(8)
    for game in games(9, 12):
        states, providers, signals = (rng.sample(range(n), n) for n in (game.states, len(game.providers), game.signals))
        other_names = renamed(game, states, providers, signals)

        def image(partition, states=states):
            numbers = op.labels(partition)
            return op.from_labels([numbers[x] for x in states])

        for rationality in (None, 1.5):
            for committee in committees(game):
                other = sum(1 << i for i, j in enumerate(providers) if committee >> j & 1)
                before = op.joint_symmetric(game, committee, rationality)
                assert sorted(map(image, before)) == op.joint_symmetric(other_names, other, rationality)
                before = op.selection_equilibria(game, committee, "incumbent", rationality)
                assert sorted(map(image, before)) == sorted(
                    op.selection_equilibria(other_names, other, "incumbent", rationality)
                )
        assert op.first_best(game) == op.first_best(other_names)


def test_a_signal_heard_twice_changes_nothing() -> None:
    for game in games(10, 8):

        def twice(rows):
            return [*rows, *rows]

        double = Game(twice(game.weights), twice(game.user), [twice(u) for u in game.providers], game.available)
        for rationality in (None, 0, 1.5):
            for p, v in op.values(game, rationality).items():
                assert op.values(double, rationality)[p] == pytest.approx([2 * n for n in v])


def test_reduced_games_from_a_full_prior() -> None:
    prior = [[[1, 2], [0, 1]], [[0, 0], [3, 1]]]
    game = op.from_prior(np.array(prior), np.array([[1, 0], [0, 4]]), np.array([[[5, 0], [0, 1]]]))
    assert game.weights == ((3, 1), (0, 4))
    assert game.user == (((1, 8), (0, 4)), ((0, 0), (3, 4)))
    assert game.providers == ((((5, 2), (0, 1)), ((0, 0), (15, 1))),)
    assert game.unit == 8


# One aligned provider


def test_aligned_and_first_best() -> None:
    quantal = 0
    for game in games(11, 20):
        assert op.aligned(game)[0] == op.values(game)[op.full_revelation(game)][0] == op.first_best(game)
        best, partition = op.aligned(game, 3.0)
        assert best <= op.first_best(game)
        quantal += best > op.values(game, 3.0)[op.full_revelation(game)][0] + 1e-6
        mirror = Game(game.weights, game.user, [game.user], game.available)
        assert op.aligned(game)[1] == op.monopoly_partition(mirror, 0)
        assert partition in op.joint_symmetric(mirror, 1, 3.0)
    assert quantal, "full revelation is not always best for a quantal user"


# Oblivious providers


def test_prosecutor() -> None:
    value, signal = op.persuasion(PROSECUTOR, 0)
    assert value / PROSECUTOR.unit == Fraction(6, 10), "convicts with probability 0.6"
    assert signal == {(0,): (0, Fraction(4, 7)), (1,): (1, Fraction(3, 7))}
    # She is as well off as without the prosecutor.
    assert op.combined_value(PROSECUTOR, [signal]) / PROSECUTOR.unit == Fraction(7, 10)
    partitions = op.values(PROSECUTOR)
    assert max(v[1] for v in partitions.values()) / PROSECUTOR.unit == 0.3, "without lotteries"


def test_theorem_7() -> None:
    assert op.first_best(THEOREM_7) / THEOREM_7.unit == 2
    assert op.persuasion(THEOREM_7, 0) == (5, {(1,): (1, 1)})
    defense = {(0,): (Fraction(1, 2), 1), (1,): (Fraction(1, 2), 0)}
    assert op.persuasion(THEOREM_7, 1) == (3, defense)
    assert all(op.persuasion_is_unique(THEOREM_7, j) for j in (0, 1))
    assert op.oblivious_randomized(THEOREM_7, 0b11) / THEOREM_7.unit == Fraction(5, 3)
    assert op.oblivious_randomized(THEOREM_7, 0b10) / THEOREM_7.unit == Fraction(5, 3)
    # With partitions the defense can only tell everything, and the user loses nothing.
    assert op.oblivious_partition(THEOREM_7, 0b11) == (1, 2)
    # Competition: full revelation is the only equilibrium, and neither bound nor market alignment is the reason.
    assert op.joint_by_profiles(THEOREM_7, 0b11) == [(1, 2)]
    assert op.alignment(THEOREM_7, 0b11) == pytest.approx(1 / 4)
    assert op.alignment(THEOREM_7, 0b11, weights="nonnegative") == pytest.approx(0, abs=1e-12)


def test_persuasion_is_an_optimum_that_is_obeyed() -> None:
    rng = random.Random(12)
    gains = 0
    for i in range(12):
        game = op.random_game(rng, 1 + (i % 4 == 0), rng.randint(2, 3), 3, 1, 3)
        if i % 3:
            game = op.everywhere_available(game)
        value, signal = op.persuasion(game, 0)
        lp = op.persuasion_lp(game, 0)
        answer = linprog(lp.cost, [[-v for v in row] for row in lp.rows], [-b for b in lp.bounds], method="highs")
        assert answer.status == 0, answer.message
        assert float(value) == pytest.approx(lp.offset - answer.fun, abs=1e-9)
        assert [sum(row[x] for row in signal.values()) for x in range(game.states)] == [1] * game.states
        assert value == sum(
            game.providers[0][z][x][a] * row[x]
            for m, row in signal.items()
            for z, a in enumerate(m)
            for x in range(game.states)
        )
        if i % 3:
            # Obeying is a best response, so it is what the user gets; and partitions are among the lotteries.
            obeyed = sum(
                game.user[z][x][a] * row[x]
                for m, row in signal.items()
                for z, a in enumerate(m)
                for x in range(game.states)
            )
            assert op.combined_value(game, [signal]) == obeyed
            best = op.values(game)[op.monopoly_partition(game, 0)][1]
            assert value >= best
            gains += value > best
            assert op.combined_value(game, [signal, signal]) >= obeyed
            assert op.combined_value(game, []) == op.values(game)[game.everything,][0]
    assert gains, "lotteries should help somewhere"


def test_uniqueness() -> None:
    assert op.persuasion_is_unique(PROSECUTOR, 0)
    nobody_cares = op.from_prior([[[1, 0], [0, 1]]], [[0, 0], [0, 0]], [[[0, 0], [0, 0]]])
    assert not op.persuasion_is_unique(nobody_cares, 0)


# What the bounds need


def test_deviations_to_full_revelation_are_alike() -> None:
    """Definition 9 with full revelation as reference; in general it does not depend on the number of providers."""
    for i, game in enumerate(games(13, 12, states=3)):
        game = op.everywhere_available(game) if i % 2 else game
        assert op.closeness(game, op.full_revelation(game), 2) == 0
        assert op.closeness(game, op.full_revelation(game), 3, 1.5) == 0
        for reference in op.allowed_partitions(game):
            two, three = (op.closeness(game, reference, k, 1.5) for k in (2, 3))
            of = [op.induced(game, p, 1.5) for p in op.refinements(reference)]
            largest = max(sum(abs(p[k] - q[k]) for k in p) for p in of for q in of)
            assert two == pytest.approx(three, abs=1e-12)
            assert two == pytest.approx(largest * game.resolution / game.unit, abs=1e-12)


def test_proposition_1_fails_with_ties() -> None:
    game = Game([[1, 1]], [[[1, 1], [0, 1]]], [[[[0, 0], [0, 0]]]] * 2, [[1, 1], [1, 1]])
    assert op.values(game)[(3,)][0] == op.first_best(game), "pooled, she takes action 1, optimal in either state"
    assert op.closeness(game, (3,), 2) == 1, "told the state 0, she takes action 0 there"
    assert op.closeness(game, (1, 2), 2) == 0


def test_distance_over_the_hidden_state_is_smaller() -> None:
    prior = [[[1, 1], [1, 1]]]  # x_B tells nothing about y
    game = op.from_prior(prior, [[1, 0], [0, 1]], [[[0, 0], [0, 0]]] * 2)
    assert op.induced(game, (3,), 0, prior) == dict.fromkeys(itertools.product(range(2), range(2)), 1)
    # State 0 favors action 1 in the one game, state 1 in the other; over y, they are the same.
    tilted = op.from_prior([[[1, 2], [2, 1]]], [[1, 0], [0, 1]], [[[0, 0], [0, 0]]] * 2)
    full, over_y = op.induced(tilted, (1, 2)), op.induced(tilted, (1, 2), None, [[[1, 2], [2, 1]]])
    assert full == {((0, 0), 1): 3, ((0, 1), 0): 3, ((0, 0), 0): 0, ((0, 1), 1): 0}
    assert over_y == {(0, 0): 2, (1, 0): 1, (0, 1): 1, (1, 1): 2}
    assert op.closeness(tilted, (3,), 2, None, [[[1, 2], [2, 1]]]) <= op.closeness(tilted, (3,), 2)


def test_proposition_2_and_lemma_2() -> None:
    rationality, farthest = 0.8, 0.0
    for game in games(14, 15, states=3):
        game = op.everywhere_available(game)
        for reference in op.partitions(game.everything):
            bound = math.exp(4 * rationality * op.estimation_error(game, reference)) - 1
            delta = op.closeness(game, reference, 2, rationality)
            assert delta <= bound + 1e-12
            farthest = max(farthest, delta)
    assert farthest > 0.1
    # A finer partition may be further from the truth than eps_u of the coarser one.
    game = Game([[1, 3, 2]], [[[0, 0], [0, 6], [0, 0]]], [], [[1, 1]] * 3)
    assert op.estimation_error(game, (7,)) == 1
    assert op.estimation_error(game, (3, 4)) == Fraction(3, 2)
    # What is not available everywhere can be told by its availability: no error, but another response.
    game = Game([[1, 1]], [[[0, 0], [0, 0]]], [[[[0, 0], [0, 0]]]] * 2, [[1, 0], [1, 1]])
    assert op.estimation_error(game, (3,)) == 0
    assert op.closeness(game, (3,), 2, 1.0) == pytest.approx(0.5)


def test_corollary_1_needs_twice_rho() -> None:
    """State 0 (8 of 10) is told apart; in 1 and 2 the user, not told which, takes the safe action 2."""
    game = Game([[8, 1, 1]], [[[16, 0, 0], [0, 3, 2], [3, 0, 2]]], [[[[0] * 3] * 3]] * 2, [[1, 1, 1]] * 3)
    reference, rho = (1, 6), Fraction(2, 10)
    assert op.closeness(game, reference, 2, math.inf) == 2 * rho
    assert op.closeness(game, reference, 2, 60.0) == pytest.approx(float(2 * rho))


def test_information_substitutes() -> None:
    def gap(prior, form="prose"):
        # Actions: betting on y = 1, or not.
        return op.substitutes_gap(op.from_prior(prior, [[0, 0], [1, 0]], []), form)

    both_know = [[[2, 0], [0, 0]], [[0, 0], [0, 2]]]
    either_or = [[[1, 0], [0, 1]], [[0, 1], [1, 0]]]  # y = x_A xor x_B: complements
    noisy = [[[8, 2], [2, 2]], [[2, 2], [2, 8]]]
    assert gap(both_know) == 0
    assert gap(either_or) == Fraction(1, 4)
    assert gap(noisy) <= 0
    assert gap(noisy, "literal") > 0, "as displayed, x_B must tell nothing new, given x_A"
    assert gap([[[3, 1], [3, 1]], [[1, 3], [1, 3]]], "literal") == 0
    # One signal: there is nothing to substitute.
    for game in games(15, 10, signals=1):
        assert op.substitutes_gap(game) <= 0


def squared_error(prior, triples, known) -> Fraction:
    """E[(y - E[y | known])^2] over triples (z, x, y), given that one of them happens."""
    total = Fraction(0)
    for t in triples:
        same = [s for s in triples if known(s) == known(t)]
        mean = Fraction(sum(prior[z][x][y] * y for z, x, y in same), sum(prior[z][x][y] for z, x, y in same))
        total += prior[t[0]][t[1]][t[2]] * (t[2] - mean) ** 2
    return total / sum(prior[z][x][y] for z, x, y in triples)


def test_substitutes_by_mean_squared_errors() -> None:
    """The display with E[u | x_A in A, x_B] in the first term, term by term from the full prior; the bet is on y."""
    rng = random.Random(16)
    signs = set()
    for _ in range(30):
        prior = [[[rng.randint(1, 4) for _ in range(2)] for _ in range(2)] for _ in range(2)]
        gaps = []
        for rows, columns in itertools.product(((0,), (1,), (0, 1)), repeat=2):
            triples = list(itertools.product(rows, columns, (0, 1)))
            both, state, signal, neither = (
                squared_error(prior, triples, known)
                for known in (lambda t: t[:2], lambda t: t[1], lambda t: t[0], lambda t: None)
            )
            gaps.append((state - both) - (neither - signal))
        assert op.substitutes_gap(op.from_prior(prior, [[0, 0], [0, 1]], [])) == max(gaps)
        signs.add(max(gaps) > 0)
    assert signs == {True, False}


def test_market_alignment() -> None:
    assert op.chebyshev([0, 1], [[1, 0], [0, 1]]) == pytest.approx(0, abs=1e-12)
    assert op.chebyshev([0, 1], [[1, 0]]) == pytest.approx(1)
    assert op.chebyshev([0, 1], [[1, 0]], weights="nonnegative") == pytest.approx(0.5)
    assert op.chebyshev([0, 4], [[0, 1]]) == pytest.approx(1.5)
    assert op.chebyshev([0, 1], [[1, 0]], [True, False], [True, False]) == pytest.approx(0, abs=1e-12)


def nearly_aligned_games(seed: int, count: int):
    """Two providers whose utilities average to nearly the user's, and an independent one; utilities 0..1, two thirds
    of the games without private information, a fifth of the actions unavailable."""
    rng = random.Random(seed)
    for i in range(count):
        states, actions, high = rng.randint(2, 4), rng.randint(2, 3), 8
        game = op.random_game(rng, 1 + (i % 3 == 0), states, actions, 1, high)
        user, one, other = ([[[0] * actions for _ in range(states)] for _ in game.weights] for _ in range(3))
        for z, x, a in itertools.product(range(game.signals), range(states), range(actions)):
            weight, bias = game.weights[z][x], rng.randint(-2, 2)
            mean = rng.randint(2, 6)
            user[z][x][a] = weight * mean
            one[z][x][a] = weight * (mean + bias)
            other[z][x][a] = weight * (mean - bias + (rng.random() < 0.1 and bias))
        yield Game(game.weights, user, [one, other, game.providers[0]], game.available, high)


def test_theorems_1_2_and_6_hold() -> None:
    """Every equilibrium is within 2 eps (and delta) of the reference, and each bound is attained somewhere."""
    rationality = 8.0
    smallest = dict.fromkeys(("1", "2", "2 with delta", "6", "6 quantal", "Remark 5"), math.inf)
    promising = 0

    def check(name: str, worst, bound) -> None:
        assert worst >= bound - 1e-9, name
        smallest[name] = min(smallest[name], worst - bound)

    for game in nearly_aligned_games(17, 40):
        full, unit, best = op.full_revelation(game), game.unit, op.first_best(game) / game.unit
        quantal = {p: v[0] / unit for p, v in op.values(game, rationality).items()}
        if op.ambiguous(game, rationality):
            continue
        delta = {p: op.closeness(game, p, 2, rationality) for p in quantal if game.states < 4}
        for committee in (0b001, 0b011, 0b101, 0b111):
            eps = op.alignment(game, committee)
            joint = op.joint_symmetric(game, committee)
            worst = op.summary(game, joint)["worst"] / unit
            promising += best - 2 * eps > op.summary(game, op.allowed_partitions(game))["worst"] / unit
            check("1", worst, best - 2 * eps)
            worst_selected = op.summary(game, op.selection_equilibria(game, committee))["worst"] / unit
            check("6", worst_selected, best - 2 * eps)
            # Remark 5: only what the equilibria and the reference attain.
            lower = op.attained(game, [full])
            easier = op.alignment(game, committee, op.attained(game, joint), lower, "nonnegative")
            assert easier <= eps + 1e-9
            check("Remark 5", worst, best - 2 * easier)
            # A quantal user: full revelation is the reference without delta; half of the L1 norm is enough.
            worst = op.summary(game, op.joint_symmetric(game, committee, rationality), rationality)["worst"] / unit
            check("2", worst, quantal[full] - 2 * eps)
            for reference, distance in delta.items():
                check("2 with delta", worst, quantal[reference] - 2 * eps - distance / 2)
            found = op.selection_equilibria(game, committee, "incumbent", rationality)
            check("6 quantal", op.summary(game, found, rationality)["worst"] / unit, max(quantal.values()) - 2 * eps)
    assert promising, "bounds that promise nothing prove nothing"
    assert max(smallest.values()) < 1e-6, smallest


# Where the setting and the paper part


def test_lotteries_would_break_an_equilibrium_of_partitions() -> None:
    malice = [[0, 0], [0, 1]]  # only the innocent convicted
    game = op.from_prior([[[6, 0], [0, 7]]], [[0, 1], [1, 0]], [malice, malice])
    assert (3,) in op.joint_by_profiles(game, 0b11)
    assert op.values(game)[(3,)][1] == op.values(game)[(1, 2)][1] == 0
    assert op.persuasion(game, 0)[0] == 6


def test_no_optimal_lottery_where_actions_are_missing() -> None:
    """The supremum, 2: in state 1 say "0" (not available: 1) ever more rarely, but not never."""
    user, provider = [[0, 1, 0], [0, 0, 1]], [[1, 0, 0], [0, 0, 1]]
    game = Game([[1, 1]], [user], [[provider]], [[1, 1, 0], [1, 0, 1]])
    assert [v[1] for v in op.values(game).values()] == [1, 1]
    value, signal = op.persuasion(game, 0)
    assert value == 2
    assert signal == {(0,): (1, 0), (2,): (0, 1)}
    assert op.combined_value(game, [signal]) == 1


def test_movielens_has_more_than_full_revelation() -> None:
    table = oracles.paper_table("movielens")
    states = table.states
    game = Game([[1] * states], [table.user], [[u] for u in table.providers], table.available)
    pooled = [cell for cell in range(1, 2**states) if cell.bit_count() > 1 and op.allowed_actions(game, cell)]
    assert len(pooled) == 11
    assert len(op.allowed_partitions(game)) > 1
