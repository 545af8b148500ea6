"""The page of a dataset: it counts every row, whatever is chosen, and opens the very tables behind it."""

from __future__ import annotations

import json
import re

import equilibrax as eq
import numpy as np
import pytest
from equilibrax import cli
from equilibrax.reports import explore_sweep
from equilibrax.rows import read_committees


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    path = tmp_path_factory.mktemp("sweep") / "<b>sweep"
    game = eq.Selection(tie_break="lowest_index")
    sizes = {"states": 2, "actions": 3, "providers": 3}
    eq.run_sweep(eq.SweepConfig(family="near_hull", tables=300, shard_size=128, game=game, **sizes), path)
    return path


@pytest.fixture(scope="module")
def rows(folder):
    names = ("optimum", "worst_utility", "dynamics_utility", "misalignment", "committee_size", "table_id", "committee")
    found = read_committees(folder)
    optimum, worst, dynamics, eps, *rest = (found[name].to_numpy() for name in names)
    return {"eps": eps, "loss": optimum - worst, "gain": dynamics - worst, "size": rest[0], "rest": rest[1:]}


def dataset_of(page):
    given = json.loads(re.findall(r'id="given">(.*?)</script>', page.html)[0])
    return given["dataset"], given["markets"]


def bin_of(values, top, bins):
    return np.where(values <= 1e-9, 0, 1 + np.clip((values / top * (bins - 1)).astype(int), 0, bins - 2))


def test_every_row_is_in_its_bin(folder, rows):
    dataset, markets = dataset_of(explore_sweep(folder))
    assert (dataset["rows"], dataset["tables"], dataset["left"], dataset["game"]) == (2100, 300, 0, "lowest_index")
    bins, tops, groups = dataset["bins"], dataset["tops"], dataset["groups"]
    assert tops == {"e": rows["eps"].max(), "l": rows["loss"].max(), "g": rows["gain"].max() or 1.0}
    places = [bin_of(rows[name], tops[name[0]], bins) for name in ("eps", "loss", "gain")]
    expected, count = np.unique(np.stack([*places, rows["size"]]), axis=1, return_counts=True)
    found = np.array([groups[name] for name in ("e", "l", "g", "k")])
    order = np.lexsort(found[::-1])
    assert (found[:, order] == expected).all()
    assert (np.array(groups["n"])[order] == count).all()
    assert len(markets) > 100
    assert min(groups["t"]) >= 0  # a small dataset is whole in the page


@pytest.mark.slow
def test_it_takes_sweeps_that_it_can_show(tmp_path, folder, capsys):
    with pytest.raises(ValueError, match="expected the folder of a sweep"):
        explore_sweep(tmp_path)
    eq.run_sweep(eq.SweepConfig(tables=4, states=2, actions=2, providers=2, game=eq.Joint()), tmp_path / "joint")
    with pytest.raises(ValueError, match="expected a sweep of the selection game"):
        explore_sweep(tmp_path / "joint")
    plain = eq.Selection(misalignment=False)
    eq.run_sweep(eq.SweepConfig(tables=4, states=2, actions=2, providers=2, game=plain), tmp_path / "plain")
    with pytest.raises(ValueError, match="expected solved rows with misalignment and dynamics"):
        explore_sweep(tmp_path / "plain")
    out = tmp_path / "page.html"
    assert cli.main(["explore", str(folder), "--out", str(out)]) == 0
    assert out.read_text("utf-8").startswith(explore_sweep(folder).html.rstrip())
    assert cli.main(["explore", str(folder), "movielens", "--out", str(out)]) == 2
    assert "expected the folder of a sweep alone" in capsys.readouterr().err


def test_what_is_chosen_is_counted_and_opened(folder, rows, shown):
    page = explore_sweep(folder)
    dataset, _ = dataset_of(page)
    browser = shown(page)
    assert browser.text("#dataset-name") == "<b>sweep"
    assert "2,100 of 2,100 committees" in browser.text("#brushed")
    browser.click("#size-1")
    assert f"{(rows['size'] > 1).sum():,} of {(rows['size'] > 1).sum():,}" in browser.text("#brushed")
    # Fields: bins whose ends they are.
    browser.type("#loss-x-0", "0.1")
    browser.until("!document.querySelector('#brush-clear').disabled")
    first = bin_of(np.array([0.1]), dataset["tops"]["e"], dataset["bins"])[0]
    chosen = (bin_of(rows["eps"], dataset["tops"]["e"], dataset["bins"]) >= first) & (rows["size"] > 1)
    assert 0 < chosen.sum() < (rows["size"] > 1).sum()
    assert f"{chosen.sum():,} of " in browser.text("#brushed")
    browser.click("#brush-clear")
    # The pointer: a rectangle around all there is.
    left, top, width, height = browser.evaluate(
        "(() => { const b = document.querySelector('#density-gain svg').getBoundingClientRect(); "
        "scrollBy(0, b.top - 100); return [b.x, 100, b.width, b.height]; })()"
    )
    for kind, x, y in (("mousePressed", 1, 1), ("mouseMoved", 0.5, 0.5), ("mouseReleased", 0.5, 0.5)):
        place = {"x": left + x * (width - 2), "y": top + y * (height - 2)}
        browser.call("Input.dispatchMouseEvent", type=kind, button="left", buttons=1, clickCount=1, **place)
    assert browser.evaluate("document.querySelectorAll('#density-gain .now').length") == 1
    browser.click("#brush-clear")
    # A table of the list is the dataset's.
    cells = browser.evaluate("Array.from(document.querySelector('#behind tbody tr').cells, (c) => c.innerText)")
    browser.click("#behind tbody button")
    state = browser.evaluate("equilibrax.state()")
    table, committee = int(state["market"]["name"].split()[-1]), state["mask"]
    assert cells[0] == f"Open near_hull {table}"
    here = (rows["rest"][0] == table) & (rows["rest"][1] == committee)
    assert float(cells[2]) == pytest.approx(rows["eps"][here][0], abs=5.1e-7)
    assert float(cells[3].replace("−", "-")) == pytest.approx(-rows["loss"][here][0], abs=5.1e-7)
    assert rows["loss"][here][0] == pytest.approx(rows["loss"][rows["size"] > 1].max(), rel=0.05)


def test_it_prints_on_one_page(folder, shown):
    browser = shown(explore_sweep(folder))
    browser.click("#behind tbody button")
    assert len(re.findall(rb"/Type\s*/Page\b", browser.printed())) == 1
