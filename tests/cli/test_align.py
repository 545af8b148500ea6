"""Studies of alignment: curves against the number of providers, figures, summaries, and the command `align`."""

import json

import equilibrax as eq
import numpy as np
import pyarrow.parquet as pq
import pytest
from equilibrax.cli import main
from equilibrax.figures.coverage import infinity_axis
from equilibrax.figures.curves import largest_miss, promised_distance
from equilibrax.raters._weak_curve import WEAK_METHODS
from matplotlib.figure import Figure

PNG = b"\x89PNG"
SMALL = ["--permutations", "3", "--folds", "3"]


@pytest.fixture(scope="module")
def answers():
    return eq.raters.simulate_answers(users=3, models=4, questions=30, options=3, seed=5, uncovered=1, missing=0.1)


@pytest.fixture(scope="module")
def market(answers):
    return eq.raters.market_fit(answers, folds=3, scores=["log"])


@pytest.fixture
def csv(tmp_path):
    """A user who is 0.7 Ann + 0.3 Bob, a rater who says always the same, and a rating that is missing."""
    random = np.random.default_rng(3)
    ann, bob, cid = random.random((3, 24)).round(6)
    lines = ["item,me,you,Ann,Bob,Cid,Same"]
    for i in range(24):
        first = "" if i == 7 else f"{cid[i]}"
        lines.append(f"film {i},{0.7 * ann[i] + 0.3 * bob[i]:.9f},{cid[i]},{ann[i]},{bob[i]},{first},0.5")
    path = tmp_path / "films.csv"
    path.write_text("\n".join(lines) + "\n")
    return path


@pytest.mark.slow
def test_weak_curve_ends_at_weak_alignment_and_starts_at_single_models(answers, market):
    curve, weak = market.curve, market.weak
    np.testing.assert_allclose(curve.rmse[:, WEAK_METHODS.index("nnls"), -1], weak.rmse, rtol=1e-9)
    np.testing.assert_allclose(curve.user_error()[:, -1], weak.standard_error, rtol=1e-9)
    assert curve.count.tolist() == [4, 6, 4, 1]
    # With one model, the best single one and the average are that model's own error, on every seen row.
    best, average = (curve.rmse[:, WEAK_METHODS.index(m), 0] for m in ("best_individual", "average"))
    np.testing.assert_allclose(best, average, rtol=1e-12)
    away = (answers.users[:, None] - answers.models)[..., answers.options]
    own = np.sqrt(np.nanmean(away**2, axis=2)).mean(axis=1)
    np.testing.assert_allclose(best, own, rtol=1e-9)


def test_weak_curve_keeps_a_user_without_answers(answers):
    silent = np.where(np.arange(3)[:, None, None] == 1, np.nan, answers.users)
    curve = eq.raters.weak_curve(eq.raters.answer_distributions(silent, answers.models, answers.options), folds=3)
    assert curve.answering.tolist() == [True, False, True]
    assert np.isnan(curve.rmse[1]).all()
    assert np.isfinite(curve.mean()).all()
    assert np.isfinite(curve.standard_error()).all()


def test_permutations_see_the_same_full_market(answers, market):
    some = eq.raters.weak_curve(answers, folds=3, subsets="permutations", permutations=2)
    np.testing.assert_allclose(some.rmse[..., -1], market.curve.rmse[..., -1], rtol=1e-9)
    assert some.count.tolist() == [2, 2, 2, 2]


def test_an_infinite_transfer_factor_is_drawn_over_all_numbers():
    panel = Figure().subplots()
    place = infinity_axis(panel, [np.array([2.0, np.inf]), np.array([50.0, np.inf])])
    assert place is not None
    assert place > 50.0
    assert place < panel.get_ylim()[1]
    labels = [panel.yaxis.get_major_formatter()(tick) for tick in panel.get_yticks()]
    assert labels[-1] == "∞"
    assert "∞" not in labels[:-1]
    assert infinity_axis(Figure().subplots(), [np.array([2.0, 50.0])]) is None


@pytest.mark.slow
def test_figures_of_a_market_are_drawn_also_beside_each_other(market, tmp_path):
    for figure in (
        eq.figures.weak_figure,
        eq.figures.transfer_figure,
        eq.figures.subset_figure,
        eq.figures.score_figure,
        eq.figures.weights_figure,
    ):
        path = tmp_path / f"{figure.__name__}.png"
        figure({"one": market, "two": market}, path)
        first = path.read_bytes()
        assert first.startswith(PNG)
        with pytest.raises(ValueError, match="fits: expected at least one market"):
            figure({}, path)
    eq.figures.weights_figure({"one": market, "two": market}, path)
    assert path.read_bytes() == first  # the same numbers give the same bytes


def test_the_average_of_independent_raters_obeys_proposition_3():
    matrix = eq.raters.simulate_raters("independent", items=200, raters=60, seed=2, noise=0.2)
    missed = largest_miss(matrix, 5, 0)
    promised = np.array([promised_distance(200, k, 0.05) for k in range(1, 61)])
    assert (missed <= promised).all()
    # The promise is the same as that of providers_needed, the other way round.
    needed = eq.theory.providers_needed(actions=1, outcomes=200, epsilon=0.1, failure=0.05)
    assert promised_distance(200, needed, 0.05) < 0.1 <= promised_distance(200, needed - 1, 0.05)
    hopeless = eq.raters.simulate_raters("systematic", items=200, raters=60, seed=2)
    assert largest_miss(hopeless, 1, 0)[0, -1] > promised[-1]


@pytest.mark.slow
def test_align_a_csv(csv, tmp_path, capsys):
    out = tmp_path / "out"
    assert main(["align", str(csv), "--target", "me", "you", "--out", str(out), *SMALL]) == 0
    rows = pq.read_table(out / "curve.parquet")
    assert rows.column_names == ["target", "method", "providers", "permutation", "mse", "nonzero"]
    assert rows.num_rows == 2 * 5 * 4 * 3
    assert {path.name for path in out.iterdir()} == {"curve.parquet", "error.png", "sparsity.png", "summary.md"}
    mse = rows.to_pydict()
    last = {
        (target, method): value
        for target, method, size, value in zip(mse["target"], mse["method"], mse["providers"], mse["mse"])
        if size == 4
    }
    # Both are in the raters' convex hull: only mixtures see that of "me", an individual is "you".
    assert last["me", "nnls"] < 1e-12
    assert last["me", "simplex"] < 1e-12
    assert last["me", "best_individual"] > 1e-3
    assert last["you", "best_individual"] == 0.0
    text = (out / "summary.md").read_text()
    assert "- 23 of 24 items, 4 raters, 2 targets" in text
    assert "dropped for that: 1 item (film 7)" in text
    assert "Who is hardest to align" in text
    first = (out / "curve.parquet").read_bytes(), (out / "error.png").read_bytes()
    assert main(["align", str(csv), "--target", "me", "you", "--out", str(out), *SMALL]) == 0
    assert first == ((out / "curve.parquet").read_bytes(), (out / "error.png").read_bytes())
    capsys.readouterr()


def test_a_target_without_answers_is_said(csv, tmp_path, capsys):
    lines = csv.read_text().splitlines()
    csv.write_text("\n".join([lines[0] + ",nobody"] + [line + "," for line in lines[1:]]))
    assert main(["align", str(csv), "--target", "me", "nobody", "--out", str(tmp_path / "out"), *SMALL]) == 1
    assert "no numbers for nobody (films)" in capsys.readouterr().err
    assert "Without numbers (no answers): nobody." in (tmp_path / "out" / "summary.md").read_text()


def _studies():
    families = {name: eq.raters.simulate_raters(name, 40, 3, seed=1) for name in ("independent", "personas")}
    return {name: eq.reports.alignment_study(m, permutations=2, folds=3) for name, m in families.items()}


@pytest.mark.slow
def test_a_figure_that_fails_leaves_numbers_and_other_figures(csv, tmp_path, monkeypatch, capsys):
    def broken(*_):
        raise RuntimeError("no such\nfont")

    monkeypatch.setattr("equilibrax.reports.alignment.sparsity_figure", broken)
    out = tmp_path / "out"
    assert main(["align", str(csv), "--target", "me", "--out", str(out), *SMALL]) == 1
    assert {path.name for path in out.iterdir()} == {"curve.parquet", "error.png", "summary.md"}
    said = capsys.readouterr().err.splitlines()
    assert f"equilibrax: {out / 'sparsity.png'}: not drawn: RuntimeError: no such font" in said
    with pytest.warns(eq.reports.FigureWarning) as caught:
        eq.reports.write_studies(_studies(), tmp_path / "two")
    assert len(caught) == 3  # one for each study, and one for both
    assert (tmp_path / "two" / "summary.md").exists()


def test_a_study_that_fails_leaves_those_before_it(csv, tmp_path, capsys):
    (tmp_path / "few.csv").write_text("item,me,Ann\na,1,2\nb,2,1\n")  # fewer items than folds
    out = tmp_path / "out"
    assert main(["align", str(csv), str(tmp_path / "few.csv"), "--target", "me", "--out", str(out), *SMALL]) == 2
    assert (out / "films" / "summary.md").exists()
    assert "[films]" in (out / "summary.md").read_text()
    assert "folds: expected" in capsys.readouterr().err


def test_a_market_that_fails_leaves_the_curve(answers, tmp_path, monkeypatch):
    def broken(*_, **__):
        raise eq.SolveError("eps of 1 of 4 providers is not certified.")

    monkeypatch.setattr("equilibrax.reports.alignment.market_fit", broken)
    study = eq.reports.alignment_study(answers, permutations=2, folds=3)
    assert study.market is None
    assert study.failed == ("the market: eps of 1 of 4 providers is not certified",)
    assert "**Failed**: the market: eps of 1 of 4 providers is not certified." in study.summary()


def test_places_are_checked_before_the_work(csv, tmp_path, monkeypatch, capsys):
    def never(*_, **__):
        raise AssertionError("the work has begun")

    monkeypatch.setattr("equilibrax.cli.align.alignment_study", never)
    (tmp_path / "in").write_text("")
    (tmp_path / "taken" / "error.png").mkdir(parents=True)
    for out, message in (("in/o", "expected a folder to write to, got a file"), ("taken", "expected no folder where")):
        assert main(["align", str(csv), "--target", "me", "--out", str(tmp_path / out), *SMALL]) == 2
        assert message in capsys.readouterr().err
    for names in ([], ["a/b"], [".."], ["a", "x" * 300], ["a", ""], ["a", "A"], ["a", "Summary.md"]):
        with pytest.raises(ValueError, match="studies: expected"):
            eq.reports.check_places(names, tmp_path)
    assert not (tmp_path / "a").exists()


def test_what_was_dropped_does_not_count(csv):
    lines = csv.read_text().splitlines()
    lines[3] = lines[3].rsplit(",", 1)[0] + ","  # another item, of another rater
    csv.write_text("\n".join(lines))
    matrix = eq.raters.read_raters(csv, target="me", ignore=["you"])
    items = eq.reports.alignment_study(matrix, permutations=2, folds=3)
    raters = eq.reports.alignment_study(matrix, permutations=2, folds=3, missing="drop_raters")
    assert items.size == "22 of 24 items, 4 raters"
    assert raters.size == "24 items, 2 of 4 raters"
    assert "- 22 of 24 items, 4 raters, 1 target." in items.summary()
    assert "dropped for that: 2 raters (Cid, Same)" in raters.summary()


@pytest.mark.slow
def test_align_simulated_families_in_panels(tmp_path, capsys):
    out = tmp_path / "out"
    sizes = ["--items", "60", "--raters", "6"]
    assert main(["align", "--simulate", "independent", "personas", *sizes, "--out", str(out), *SMALL]) == 0
    assert {path.name for path in (out / "independent").iterdir()} == {
        "curve.parquet", "error.png", "noise.png", "sparsity.png", "summary.md",
    }  # fmt: skip
    assert not (out / "personas" / "noise.png").exists()  # Proposition 3 is about noise
    assert "Proposition 3" in (out / "independent" / "summary.md").read_text()
    assert (out / "error.png").read_bytes().startswith(PNG)
    overview = (out / "summary.md").read_text()
    assert "[independent](<independent/summary.md>)" in overview
    assert "start with summary.md" in capsys.readouterr().err


@pytest.mark.slow
def test_align_simulated_answers_has_the_market(tmp_path, capsys):
    out = tmp_path / "out"
    sizes = ["--items", "30", "--raters", "4", "--users", "3", "--options", "3", "--folds", "3"]
    assert main(["align", "--simulate", "answers", *sizes, "--out", str(out)]) == 0
    names = {path.name for path in out.iterdir()}
    assert {f"{name}.png" for name in ("error", "weak", "transfer", "subsets", "scores", "weights")} <= names
    weights = pq.read_table(out / "weights.parquet")
    assert weights.column_names == ["target", "provider", "weak_weight", "strong_weight"]
    assert weights.num_rows == 12
    text = (out / "summary.md").read_text()
    assert "The market: 3 users, 4 providers, linear score" in text
    assert "7 of 7 worst cases are certified" in text
    assert "all subsets of raters of each size" in text
    capsys.readouterr()


@pytest.mark.slow
def test_align_polls(tmp_path, capsys):
    wave, words, groups = tmp_path / "W1", ["Yes", "No", "Both"], ["old", "young", "other"]
    wave.mkdir()
    keys = [f"Q{q}" for q in range(30)]  # as many of everything as elsewhere: nothing is compiled again
    mapping, refused = dict(enumerate([*words, "Refused"], 1)), [*words, "Refused"]
    lines = [f'{key},"{mapping}",Do you?,"{refused}","[1.0, 2.0, 3.0]"' for key in keys]
    (wave / "info.csv").write_text("\n".join(["key,option_mapping,question,references,option_ordinal", *lines]) + "\n")
    random = np.random.default_rng(1)
    counts = random.integers(1, 50, (30, 3, 3)).tolist()
    data = {
        key: {"MC_options": refused, "question_text": "?"} | {g: dict(zip(words, c)) for g, c in zip(groups, asked)}
        for key, asked in zip(keys, counts)
    }
    (wave / "AGE_data.json").write_text(json.dumps(data))
    shares = random.dirichlet([1, 1, 1], (4, 30)).tolist()
    models = {f"m{j}": dict(zip(keys, said)) for j, said in enumerate(shares)}
    (tmp_path / "models.json").write_text(json.dumps(models))
    args = ["align", str(wave), "--models", str(tmp_path / "models.json"), "--attribute", "AGE"]
    assert main([*args, "--folds", "3", "--out", str(tmp_path / "out")]) == 0
    text = (tmp_path / "out" / "summary.md").read_text()
    assert text.startswith("# W1, AGE")
    assert "3 users, 4 providers" in text
    assert "30 questions, 3 users" in capsys.readouterr().err
    more = ["--questions", *keys[:20], "--folds", "3", "--out", str(tmp_path / "fewer")]
    (tmp_path / "models.json").write_text(json.dumps(models | {"m0": models["m0"] | {"ELSE": [1.0]}}))
    assert main([*args, *more]) == 0
    assert "20 questions, 3 users" in capsys.readouterr().err
    assert main([*args, "--weight", "WEIGHT_W1", "--out", str(tmp_path / "weighted")]) == 2
    assert "expected responses.csv for weights" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("args", "message"),
    [
        (["films.csv"], "--out: expected a folder to write to, got none"),
        (["--out", "o"], "FILE: expected files, or --simulate for simulated raters, got neither"),
        (["films.csv", "--simulate", "answers", "--out", "o"], "got both"),
        (["films.csv", "--out", "o"], "films.csv"),  # no column `target`
        (["films.csv", "--target", "him", "--out", "o"], "him"),
        (["nowhere.csv", "--out", "o"], "nowhere.csv"),
        (["films.csv", "films.csv", "--target", "me", "--out", "o"], "got 'films' twice"),
        (["films.csv", "--target", "me", "--folds", "50", "--out", "o"], "folds: expected"),
        (["films.csv", "--target", "me", "--format", "ethics", "--out", "o"], "--scores: expected a CSV file"),
        (["films.csv", "--target", "me", "--out", "films.csv"], "--out: expected a folder, got the file"),
        (["--simulate", "answers", "--users", "0", "--out", "o"], "users: expected"),
    ],
)
def test_bad_input_is_one_clear_line(args, message, csv, tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    assert main(["align", *args]) == 2
    said = capsys.readouterr().err.strip()
    assert said.startswith("equilibrax: error: ")
    assert message in said
    assert "\n" not in said
    assert not (tmp_path / "o").exists()
