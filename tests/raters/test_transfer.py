"""Transfer factors by cross-validation and the floor of the log score, against loops over folds, sets and profiles."""

from functools import cache

import equilibrax as eq
import numpy as np
import pyarrow.parquet as pq
import pytest
from equilibrax.cli import main
from matplotlib.colors import to_hex
from oracles_answers import over_sets, transfer_by_fold

FOLDS = 3
RULES = {"folds": FOLDS, "fold_assignment": "modulo"}
INF = float("inf")


@cache
def answers():
    """3 users, 4 models, 10 questions with 2 or 3 options, some of them not seen by somebody."""
    return eq.raters.simulate_answers(3, 4, 10, 3, seed=11, ragged=True, missing=0.15, noise=0.4)


@cache
def strong(score="linear", score_floor=1e-3):
    return eq.raters.strong_alignment(answers(), score=score, score_floor=score_floor, worst_case=False, **RULES)


@pytest.mark.parametrize(("score", "floor"), [("linear", 1e-3), ("log", 1e-2), ("brier", 1e-3)])
def test_transfer_factors_by_cross_validation_are_those_of_a_loop_over_folds_and_sets(score, floor):
    weights = transfer_by_fold(answers(), score, FOLDS, floor)
    fit = strong(score, floor)
    assert fit.fold_weights == pytest.approx(weights, abs=1e-9)
    # What is zero in a fit is zero: by the oracle it may be rounding, and one over that a large number.
    weights = np.where(fit.fold_weights > 0, weights, 0.0)
    curve = eq.raters.coverage_curve(fit, subsets="all")
    for s, size in enumerate(range(1, 5)):
        for user, values in zip(("mean", "worst"), zip(*(over_sets(one, size) for one in weights))):
            means = np.array([one.mean() for one in values])
            assert curve.spread("mean", user).values[:, s] == pytest.approx(means)
            medians = np.array([(np.sort(v)[(len(v) - 1) // 2] + np.sort(v)[len(v) // 2]) / 2 for v in values])
            assert curve.spread("median", user).values[:, s] == pytest.approx(medians)
            covering = [v[np.isfinite(v)] for v in values]
            covered = np.array([v.mean() if len(v) else np.nan for v in covering])
            assert curve.spread("covered_mean", user).values[:, s] == pytest.approx(covered, nan_ok=True)
    by_user = eq.raters.cross_validated_transfer(fit)
    with np.errstate(divide="ignore"):
        assert by_user.values == pytest.approx(1 / weights.max(axis=1))
        some = eq.raters.cross_validated_transfer(fit, [2, 0])
        assert some.values == pytest.approx(1 / weights[:, [0, 2]].max(axis=1))
    two = eq.raters.coverage_curve(fit, subsets="all", users=[2, 0])
    assert two.spread("mean", "worst").values[:, -1] == pytest.approx(by_user.values[:, [0, 2]].max(axis=1))


def test_random_orders_have_folds_too():
    orders = eq.raters.coverage_curve(strong(), permutations=7, seed=3)
    assert orders.folds.shape == (FOLDS, 4, 2, 3)
    everybody = eq.raters.coverage_curve(strong(), subsets="all")
    assert orders.folds[:, -1] == pytest.approx(everybody.folds[:, -1])


def test_the_standard_error_is_that_of_the_mean_where_the_statistic_is_a_mean():
    """Folds of equal size: a mean without one fold, and the jackknife gives the standard error of the fold means."""
    folds = np.random.default_rng(2).random((5, 40)).mean(axis=1)
    without = (folds.sum() - folds) / 4
    spread = eq.raters.FoldSpread(without)
    assert spread.standard_error == pytest.approx(folds.std(ddof=1) / np.sqrt(5))
    assert spread.mean == pytest.approx(folds.mean())


def test_an_infinite_fold_is_said():
    spread = eq.raters.FoldSpread(np.array([[2.0, 1.0], [INF, 3.0]]))
    assert (spread.mean.tolist(), spread.lowest.tolist(), spread.highest.tolist()) == ([INF, 2], [2, 1], [INF, 3])
    assert spread.standard_error == pytest.approx([np.nan, 1.0], nan_ok=True)
    assert spread.columns()["standard_error"].null_count == 1
    none = eq.raters.coverage_curve([[0.5, 0.2]], subsets="all")
    assert none.rows()["cross_validated"].null_count == 6
    assert none.rows()["value"].to_pylist() == pytest.approx([3.5, 3.5, 3.5, 5.0, 5.0, 5.0])


def test_a_fold_that_leaves_nothing_to_train_on_covers_nobody():
    """The only question that counts for a model is in fold 0: without it there is no fit."""
    models = np.array([[[0.5, 0.5]] * 4, [[0.2, 0.8], [np.nan, np.nan], [np.nan, np.nan], [np.nan, np.nan]]])
    users = [[[0.4, 0.6], [0.3, 0.7], [0.8, 0.2], [0.5, 0.5]]]
    given = eq.raters.answer_distributions(users, models)
    fit = eq.raters.strong_alignment(given, folds=2, fold_assignment="modulo", worst_case=False)
    assert np.isnan(fit.fold_weights[0, 1]).all()
    assert np.isfinite(fit.fold_weights[1]).all()
    assert eq.raters.cross_validated_transfer(fit, [1]).values[0].tolist() == [INF]


def test_a_lower_floor_than_all_probabilities_only_shrinks_the_log_score():
    """1 - log q / log f: lambda is as 1 / log f, so factors grow with log f, and a free constant takes up the rest."""
    least = answers().models[:, answers().options].min()
    high, low = least / 2, least**3
    factors = [eq.raters.transfer_factors(strong("log", f)) for f in (high, low)]
    assert factors[1] == pytest.approx(factors[0] * np.log(low) / np.log(high))
    weak = [eq.raters.weak_curve(answers(), score="log", score_floor=f, **RULES) for f in (high, low, 1e-2)]
    assert weak[0].rmse[:, 2] == pytest.approx(weak[1].rmse[:, 2], rel=1e-6)
    assert weak[2].rmse[:, 2] != pytest.approx(weak[1].rmse[:, 2], rel=1e-3)  # a floor that cuts says something else


def test_the_floor_and_the_profiles_reach_every_fit_of_a_market():
    given = {"score_floor": 1e-5, "profiles": 60, "seed": 4}
    fit = eq.raters.market_fit(answers(), scores=["log"], worst_case=False, **given, **RULES)
    assert fit.score_floor == 1e-5
    alone = eq.raters.strong_alignment(answers(), score="log", worst_case=False, **given, **RULES)
    assert (fit.scores["log"].strong.fold_weights == alone.fold_weights).all()
    rules = {"score": "log", "score_floor": 1e-5, "seed": 4, **RULES}
    assert (fit.scores["log"].curve.rmse == eq.raters.weak_curve(answers(), **rules).rmse).all()
    linear = eq.raters.strong_alignment(answers(), worst_case=False, **given, **RULES)
    assert (fit.strong.weights == linear.weights).all()
    last = eq.raters.users_versus_error(answers(), [3], **given, **RULES)
    assert last.transfer[0] == eq.raters.transfer_factors(linear).max()
    assert (last.fold_transfer[:, 0] == eq.raters.cross_validated_transfer(linear).values.max(axis=1)).all()
    for s, some in enumerate(fit.users.members):
        of = eq.raters.strong_alignment(answers().select(users=some), worst_case=False, **given, **RULES)
        assert fit.users.transfer[s] == eq.raters.transfer_factors(of).max()


def test_questions_are_drawn_in_their_order_and_more_add_to_those_before():
    asked = eq.raters.simulate_answers(2, 2, 50, 3, seed=1)
    few, many = asked.sample_questions(10, seed=3), asked.sample_questions(20, seed=3)
    assert set(few.question_names) < set(many.question_names)
    place = [asked.question_names.index(name) for name in many.question_names]
    assert place == sorted(place)
    assert (many.users == asked.users[:, place]).all()
    assert many.notes == ("30 of 50 questions were not drawn (seed 3)",)
    assert asked.sample_questions(60) is not None
    assert asked.sample_questions(60).notes == ()
    assert few.question_names != asked.sample_questions(10, seed=4).question_names
    with pytest.raises(ValueError, match="count: expected a whole number from 1"):
        asked.sample_questions(0)


@pytest.mark.slow
def test_sampled_profiles_and_questions_from_the_command_line(tmp_path, capsys):
    sizes = ["--items", "40", "--raters", "4", "--users", "3", "--options", "3", "--folds", "3", "--seed", "2"]
    drawn = ["--sample-questions", "30", "--profiles", "50", "--score", "log", "--score-floor", "1e-6"]
    out = tmp_path / "out"
    assert main(["align", "--simulate", "answers", *sizes, *drawn, "--out", str(out)]) == 0
    given = eq.raters.simulate_answers(3, 4, 40, 3, seed=2).sample_questions(30, seed=2)
    rules = {"folds": 3, "seed": 2, "profiles": 50, "worst_case": False}
    fit = eq.raters.strong_alignment(given, score="log", score_floor=1e-6, **rules)
    rows = pq.read_table(out / "transfer.parquet").to_pydict()
    mine = [i for i, score in enumerate(rows["score"]) if score == "log"]
    assert [rows["transfer"][i] for i in mine] == eq.raters.transfer_factors(fit).tolist()
    spread = eq.raters.cross_validated_transfer(fit)
    assert [rows["cross_validated"][i] for i in mine] == spread.mean.tolist()
    assert [rows["highest"][i] for i in mine] == spread.highest.tolist()
    coverage = pq.read_table(out / "coverage.parquet")
    assert coverage.num_rows == 3 * 4 * 2 * 3
    assert pq.read_table(out / "more_users.parquet").num_rows == 4
    text = (out / "summary.md").read_text()
    for words in ("10 of 40 questions were not drawn (seed 2)", "50 sampled profiles", "log score (floor 1e-06)"):
        assert words in text
    assert "10 of 40 questions were not drawn" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("flags", "message"),
    [
        (["--profiles", "0"], "--profiles: expected a whole number from 1"),
        (["--sample-questions", "0"], "--sample-questions: expected a whole number from 1"),
        (["--score-floor", "1"], "--score-floor: expected a probability between 0 and 1, got 1.0"),
    ],
)
def test_what_is_drawn_is_checked_with_the_flag_that_was_typed(flags, message, tmp_path, capsys):
    args = ["align", "--out", str(tmp_path / "o"), *flags, "--simulate"]
    assert main([*args, "answers"]) == 2
    assert message in capsys.readouterr().err
    assert main([*args, "independent"]) == 2
    assert f"{flags[0]}: expected answers of many users" in capsys.readouterr().err
    assert not (tmp_path / "o").exists()


@pytest.mark.slow
def test_the_figures_draw_the_folds_and_say_what_every_axis_is(tmp_path):
    from equilibrax.figures.transfer import draw_coverage
    from matplotlib.figure import Figure

    fit = eq.raters.market_fit(answers(), scores=["log"], worst_case=False, **RULES)
    figure = eq.figures.transfer_figure(fit, tmp_path / "transfer.png")
    texts = [text.get_text() for legend in figure.legends for text in legend.get_texts()]
    for words in ("median over sets", "mean over sets", "worst user (left axis)", "error (right axis)"):
        assert words in texts
    shown = [panel for panel in figure.axes if panel.get_visible()]
    assert all(panel.get_ylabel() for panel in shown)
    assert len({panel.get_ylabel() for panel in shown}) == 3
    panel, curve = Figure().subplots(), fit.coverage
    draw_coverage(panel, [("#0072B2", curve, "median"), ("#E69F00", curve, "mean")], 4)
    for colour, of in (("#0072B2", "median"), ("#E69F00", "mean")):
        for style, user in (("-", "mean"), ("--", "worst")):
            values = curve.spread(of, user).mean
            drawn = np.array(next(line.get_ydata() for line in panel.lines if _is(line, colour, style)))
            finite = np.isfinite(values)
            assert drawn[finite] == pytest.approx(values[finite])
            assert (drawn[~finite] > np.nanmax(values[finite])).all()


def _is(line, colour, style):
    """Whether a line is of this colour and style, and none of the thin dotted ones."""
    return (to_hex(line.get_color()).upper(), line.get_linestyle(), line.get_linewidth()) == (colour, style, 1.8)
