"""Files of decision problems that were misread: what is ignored is left out, and two names are not one."""

from __future__ import annotations

import equilibrax as eq
import pytest

ROWS = """\
state,act,prior,utility,says:radar,says:knee
rain,umbrella,1,1,wet,aches
rain,none,1,0,wet,aches
sun,umbrella,3,0.5,dry,aches
sun,none,3,1,dry,aches
"""


@pytest.fixture
def read(tmp_path):
    def written(text, **options):
        (tmp_path / "weather.csv").write_text(text)
        return eq.read_problems(tmp_path / "weather.csv", **options)

    return written


def test_what_is_ignored_is_not_read(read):
    """An ignored prior was the prior all the same, and an ignored problem told problems apart."""
    assert read(ROWS).prior.tolist() == [[1, 3]]
    assert read(ROWS, ignore=["prior"]).prior.tolist() == [[1, 1]]
    assert read(ROWS, ignore=["says:knee"]).item_names() == ("radar",)
    twice = ROWS.replace("prior", "problem")
    assert len(read(twice.replace("says:knee", "x"), ignore=["problem", "x"])) == 1


@pytest.mark.parametrize(
    ("text", "ignore", "message"),
    [
        (ROWS, ["pror"], r"line 1: ignore: expected one of \['prior', 'says:radar', 'says:knee'\], got 'pror'"),
        (ROWS, ["utility"], "ignore: expected one of .*got 'utility'"),
        (ROWS.replace("says:knee", "says: radar"), [], "column 6: expected one column of this meaning, 'says:radar'"),
        (ROWS.replace("says:knee", "says:Radar"), [], "column 'says:Radar': expected one spelling of a name"),
        (ROWS.replace("says:knee", "says:e\u0301").replace("radar", "é"), [], "expected one spelling of a name"),
        (ROWS.replace("0.5", "1e400"), [], "line 4: column 'utility': expected utility x resolution"),
    ],
)
def test_what_may_be_a_mistake_is_refused(read, text, ignore, message):
    with pytest.raises(eq.TableFileError, match=message):
        read(text, ignore=ignore)


@pytest.mark.parametrize("depth", [10**9, 2**31 - 1])
def test_a_depth_whose_results_do_not_fit_is_refused(read, depth):
    """What is deeper than there are items is repeated: a result of 10**9 rows was begun and never came."""
    with pytest.raises(ValueError, match=r"depth: expected one whose results fit in 4 GiB, got .* from 2, the number"):
        eq.solve(read(ROWS), eq.InformationMarket(depth=depth))
