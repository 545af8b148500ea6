"""The catalog says what the families say, and every family draws the bits that it drew when it was published."""

from __future__ import annotations

import json
from pathlib import Path

import equilibrax as eq
import numpy as np
import pytest
from equilibrax.cli import main

GOLDEN = json.loads(Path(__file__).with_name("golden_families.json").read_text())
"""By kind and name, the SHA-256 of the example's whole numbers. A family that draws other bits needs a new version."""

BUILT_IN = [family for family in eq.catalog() if f"{family.kind}/{family.name}" in GOLDEN]


def test_every_family_is_there():
    known = {f"{family.kind}/{family.name}" for family in eq.catalog() if family.source != "its author"}
    assert known == set(GOLDEN)
    of = {kind: [family.name for family in BUILT_IN if family.kind == kind] for kind in ("games", "problems", "raters")}
    assert of["games"] == list(eq.problems.game_families())
    assert of["problems"] == list(eq.problems.PROBLEM_FAMILIES)
    assert of["raters"] == list(eq.raters.RATER_FAMILIES)


@pytest.mark.parametrize("family", BUILT_IN, ids=lambda family: f"{family.kind}/{family.name}")
def test_the_bits_are_those_that_were_published(family):
    assert family.digest() == GOLDEN[f"{family.kind}/{family.name}"], (
        f"{family.kind} {family.name} draws other numbers: raise its version, then change the hash"
    )


@pytest.mark.parametrize("family", BUILT_IN[::4], ids=lambda family: f"{family.kind}/{family.name}")
def test_an_example_draws_what_the_digest_is_of(family):
    shown, drawn = eval(family.example, {"eq": eq}), family.draw(**family.arguments)
    for one, other in zip(family.integers(shown), family.integers(drawn), strict=True):
        np.testing.assert_array_equal(np.asarray(one), np.asarray(other))


def test_digests_see_a_single_bit():
    family = BUILT_IN[0]
    tables = family.draw(**{**family.arguments, "seed": 1})
    assert any((np.asarray(a) != np.asarray(b)).any() for a, b in zip(
        family.integers(tables), family.integers(family.draw(**family.arguments))
    ))  # fmt: skip


def test_what_one_registers_is_listed():
    def mine(key, states, actions, providers, *, stake):
        """everybody has the same"""
        return np.ones((states, actions), int), np.ones((providers, states, actions), int)

    eq.problems.register_family("of-the-catalog", mine, defaults={"stake": 2})
    found = next(family for family in eq.catalog() if family.name == "of-the-catalog")
    assert found.definition == "everybody has the same"
    assert found.parameters == {"stake": 2}
    assert "stake=2" in found.example
    assert "(version 1, stake=2)" in found.citation


def test_the_command_lists_and_says_all_about_one(capsys):
    assert main(["families"]) == 0
    shown = capsys.readouterr().out
    assert all(f"  {family.name} " in shown for family in BUILT_IN)
    assert main(["families", "uniform"]) == 0  # a family of tables and one of problems
    shown = capsys.readouterr().out
    assert GOLDEN["tables/uniform"] in shown
    assert GOLDEN["problems/uniform"] in shown
    assert main(["families", "games"]) == 0
    assert "tables:" not in capsys.readouterr().out
    assert main(["families", "unifrom"]) == 2
    assert "did you mean 'uniform'?" in capsys.readouterr().err


@pytest.mark.parametrize("kind", list(dict.fromkeys(family.kind for family in BUILT_IN)))
def test_the_page_lists_every_family_and_shows_a_picture(kind):
    page = (Path(__file__).parents[2] / "docs" / "families.md").read_text()
    listed = " ".join(page.partition(f"](families-{kind}.png)")[2].partition("## ")[0].split())
    for family in BUILT_IN:
        assert (f"{family.name} {family.definition}" in listed) == (family.kind == kind)
    assert (Path(__file__).parents[2] / "docs" / f"families-{kind}.png").exists()


def test_a_picture_has_a_panel_for_every_family(tmp_path, capsys):
    path = tmp_path / "markets.svg"
    assert main(["families", "markets", "--figure", str(path)]) == 0
    assert f"figure drawn to {path}" in capsys.readouterr().err
    figure = eq.figures.family_figure("markets")
    assert [panel.get_title().split()[0] for panel in figure.axes] == ["weak", "strong", "none"]
    weak, strong, none = (_correlation(panel) for panel in figure.axes)
    assert abs(none) < 0.1 < weak < strong
    assert main(["families", "--figure", str(tmp_path / "one.png")]) == 2
    assert "NAME: expected a family, or a kind (tables, markets" in capsys.readouterr().err


def test_one_family_has_a_picture_of_its_own(tmp_path, capsys):
    path = tmp_path / "one.svg"
    assert main(["families", "near_hull", "--figure", str(path)]) == 0
    assert ">near_hull (misalignment=0.05)<" in path.read_text()
    tables, problems = eq.figures.family_figure("uniform").axes  # a family of tables and one of problems
    assert (tables.get_title(), problems.get_title()) == ("tables: uniform", "problems: uniform")
    assert (tables.get_ylabel(), problems.get_ylabel()) == ("utility of a provider", "worth of all items")
    with pytest.raises(ValueError, match=r"^name: expected one of 'tables', .*'near_hull'.*, got 'near'"):
        eq.figures.family_figure("near")


def _correlation(panel):
    """Of what is drawn: cells weighted by how dark they are."""
    mesh = panel.collections[0]
    counts = mesh.get_array().filled(0)
    y, x = np.indices(counts.shape)
    return np.cov(np.stack([x.ravel(), y.ravel()]), fweights=counts.ravel().astype(int))[0, 1] / np.sqrt(
        np.prod([np.cov(axis.ravel(), fweights=counts.ravel().astype(int)) for axis in (x, y)])
    )
