"""Small files that were once misread, miscounted or shown wrongly, each with what is right."""

from __future__ import annotations

import io
import re
from contextlib import redirect_stderr, redirect_stdout
from fractions import Fraction
from pathlib import Path

import equilibrax as eq
import numpy as np
import oracles_exact_fits as exact
import pytest
from equilibrax.cli import main
from equilibrax.figures import curve_figure

CASES = Path(__file__).parent / "cases"


def case(name: str) -> Path:
    return CASES / f"{name}.csv"


def shown(*args: str) -> str:
    """What a command prints."""
    out, said = io.StringIO(), io.StringIO()
    with redirect_stdout(out), redirect_stderr(said):
        assert main(list(args)) == 0
    return out.getvalue()


@pytest.mark.parametrize("name", ["r_ts", "off_freq", "off_unanimous"])
def test_raters_with_a_shared_offset_are_fitted_exactly(name):
    """Unix seconds; tenths of a hertz on 32768; 0.5 and steps of 1e-7."""
    matrix = eq.read_raters(case(name))
    curve = eq.alignment_curve(
        matrix, permutations=2, folds=3, methods=("best_individual_hindsight", "nnls", "simplex")
    )
    assert (curve.kkt_residual <= 1e-8).all()
    best, nnls, simplex = curve.mse[0, :, -1].reshape(3, -1)[:, 0]
    for error, constraint in ((nnls, "nonnegative"), (simplex, "simplex")):
        expected = exact.cross_validated(matrix.ratings, matrix.targets[:, 0], curve.fold_of, constraint)
        assert error == pytest.approx(expected, rel=1e-5, abs=1e-12 * best)


def test_small_payoffs_are_not_merged():
    tables = eq.read_tables(case("t_small"))
    assert tables.resolution == 100_000
    assert np.unique(np.asarray(tables.user)).tolist() == [1, 2, 3, 4]


def test_noise_of_floating_point_in_a_prior_is_none():
    market = eq.read_market(case("m_prior16"))
    assert Fraction(int(market.prior[0, 0]), int(market.prior[0, 1])) == Fraction(3, 7)


@pytest.mark.parametrize(("name", "first"), [("r_hash_item", "#q1"), ("m_hash", "#sun")])
def test_a_row_that_begins_with_a_hash_is_there(name, first):
    if name.startswith("r"):
        assert first in eq.read_raters(case(name)).item_names
    else:
        assert first in eq.read_market(case(name)).state_names()


@pytest.mark.parametrize("name", ["r_unnamed0", "t_unnamed", "m_unnamed", "r_id"])
def test_row_numbers_are_no_providers(name):
    read = {"r": eq.read_raters, "t": eq.read_tables, "m": eq.read_market}[name[0]]
    number = "id" if name == "r_id" else "Unnamed: 0"
    with pytest.raises(eq.TableFileError, match=re.escape(f"--ignore {number!r}" if " " in number else "--ignore id")):
        read(case(name))
    found = read(case(name), ignore=[number])
    assert number not in (found.rater_names if name[0] == "r" else found.provider_names())


@pytest.mark.parametrize(
    ("name", "message"),
    [
        ("m_colcase", "expected 'weight:Ann'"),
        ("m_nfd", "expected one spelling of a name"),
        ("r_duprow", "expected every item once, got 'q0' again after line 2"),
    ],
)
def test_what_may_be_a_mistake_is_refused(name, message):
    with pytest.raises(eq.TableFileError, match=message):
        (eq.read_raters if name[0] == "r" else eq.read_market)(case(name))


@pytest.mark.parametrize("command", ["solve", "market"])
def test_markup_in_names_is_shown(command):
    said = shown(command, str(case("t_markup" if command == "solve" else "m_markup")))
    assert "[/INST]" in said
    assert "[chat]" in said


@pytest.mark.slow
@pytest.mark.parametrize("name", ["m_dollar", "r_under"])
def test_dollars_and_underscores_in_names_are_drawn(name, tmp_path):
    if name == "m_dollar":
        shown("market", str(case(name)), "--figure", str(tmp_path / "f.png"))
    else:
        curve = eq.alignment_curve(eq.read_raters(case(name), target="_target"), permutations=2, folds=2)
        curve_figure({"_hidden": curve}, tmp_path / "f.png")
    assert (tmp_path / "f.png").stat().st_size > 1000
