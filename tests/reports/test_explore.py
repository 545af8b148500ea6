"""The page of a market as a file: whole, small, closed to everything outside, and with names as text alone."""

from __future__ import annotations

import html
import json
import re

import equilibrax as eq
import numpy as np
import pytest
from equilibrax import cli

HOSTILE = "<img src=x onerror=alert(1)>"


def page_of(*tables):
    return eq.explore(*tables).html


def given(text):
    """The data in a page."""
    return json.loads(re.findall(r'id="given">(.*?)</script>', text)[0])


def markup(text):
    """A page without its scripts."""
    return re.sub(r"<script.*?</script>", "", text, flags=re.DOTALL)


def test_a_page_holds_the_table_in_whole_steps():
    tables = eq.from_integers(
        [[3, 1], [0, 2]], [[[1, 5], [2, 2]]], prior=[1, 2], available=[[True, False], [True, True]]
    )
    market = given(page_of(tables))["markets"][0]
    assert market["user"] == [[3, None], [0, 2]]
    assert market["utilities"] == [[[1, None], [2, 2]]]
    assert (market["prior"], market["resolution"], market["providers"]) == (["1", "2"], 1, ["provider 1"])


def test_it_is_small_and_asks_for_nothing():
    text = page_of(*(eq.load_paper_table(name) for name in ("synthetic-1", "synthetic-2", "movielens")))
    assert len(text.encode()) < 300_000
    addresses = set(re.findall(r"[a-z]+://[^\s\"'`)]*", text))
    assert addresses == {"http://www.w3.org/2000/svg"}  # a name of SVG, which nobody fetches
    assert re.findall(r"\b(?:src|href)\s*=\s*[^\s>]*", markup(text)) == ['href="#market"']
    assert "@import" not in text
    assert "url(" not in text


def test_its_policy_allows_its_own_script_and_style_alone():
    text = page_of(eq.load_paper_table("synthetic-1"))
    policy = re.findall(r'Content-Security-Policy" content="([^"]*)"', text)[0]
    assert policy.startswith("default-src 'none'; script-src 'sha256-")
    assert "unsafe" not in policy
    assert "http" not in policy
    assert len(re.findall(r"<script", text)) == 2  # data and the script
    assert len(re.findall(r"</script", text)) == 2
    assert not re.search(r"<[^>]* (on\w+|style)=", markup(text))
    assert not re.search(r"innerHTML|outerHTML|insertAdjacentHTML|document\.write|DOMParser|eval\(|new Function", text)


def test_names_are_data_and_never_markup():
    names = eq.Labels(("$^{", "</script><script>alert(1)</script>"), ("<!--", "{{data}}"), (HOSTILE,))
    tables = eq.from_integers([[3, 1], [0, 2]], [[[1, 5], [2, 2]]], labels=names)
    text = page_of(tables)
    market = given(text)["markets"][0]
    assert (market["states"], market["actions"], market["providers"]) == tuple(
        map(list, (names.states, names.actions, names.providers))
    )
    assert "<img" not in text
    assert "alert(1)</script>" not in text
    assert len(re.findall(r"</script", text)) == 2


def test_tables_have_different_names():
    tables = eq.sample_tables("uniform", 3, states=2, actions=2, providers=2, seed=0)
    assert [market["name"] for market in given(page_of(tables))["markets"]] == ["uniform 0", "uniform 1", "uniform 2"]


def test_a_notebook_shows_it_in_a_frame_that_can_do_little():
    page = eq.explore(eq.load_paper_table("synthetic-1"))
    shown = page._repr_html_()
    assert repr(page) == "Page()"  # and not a hundred thousand characters, where there is no notebook
    assert 'sandbox="allow-scripts allow-downloads"' in shown
    assert html.unescape(re.findall(r'srcdoc="([^"]*)"', shown)[0]) == page.html


@pytest.mark.slow
def test_what_does_not_fit_is_refused():
    many = eq.sample_tables("uniform", 1, states=2, actions=2, providers=7, seed=0)
    with pytest.raises(ValueError, match="expected at most 6 providers in a page, got 7"):
        eq.explore(many)
    with pytest.raises(ValueError, match="expected at least one table, got none"):
        eq.explore()
    with pytest.raises(ValueError, match=r"expected few enough for a page of 300,000 bytes, got \d"):
        eq.explore(eq.sample_tables("uniform", 2000, states=3, actions=3, providers=2, seed=0))


def test_the_command_writes_a_page(tmp_path, capsys):
    path = tmp_path / "page.html"
    assert cli.main(["explore", "synthetic-2", "--out", str(path)]) == 0
    assert given(path.read_text("utf-8"))["markets"][0]["name"] == "synthetic-2"
    assert cli.main(["explore", "synthetic-2", "--out", str(path)]) == 0  # its own page may be replaced
    path.write_text("somebody's page")
    assert cli.main(["explore", "synthetic-2", "--out", str(path)]) == 2
    assert path.read_text() == "somebody's page"
    assert cli.main(["explore", "synthetic-2", "--out", str(tmp_path / "page.pdf")]) == 2
    assert "--out: expected a file that ends in .html" in capsys.readouterr().err


def test_modules_of_the_page_share_no_names():
    """They stand in one script, in which a name that two of them declare would be an error."""
    script = re.findall(
        r'<script type="module">(.*?)</script>', page_of(eq.load_paper_table("synthetic-1")), re.DOTALL
    )[0]
    names = re.findall(r"^(?:const|let|function|async function|class) (\w+)", script, re.MULTILINE)
    assert len(names) > 100
    assert np.unique(names).size == len(names)
    assert not re.search(r"^(import|export) ", script, re.MULTILINE)
