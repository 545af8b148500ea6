"""What a market can lose: against all subsets, and what is refused."""

from __future__ import annotations

import equilibrax as eq
import forging
import numpy as np
import oracles_efficiency as oracle
import pytest
from equilibrax.theory import robustness


@pytest.mark.parametrize("providers", [1, 2, 4])
def test_it_agrees_with_all_subsets(providers):
    draw = np.random.default_rng(providers)
    scores = draw.choice([0.0, 0.0, 0.0, 0.1, 0.2], (30, 2**providers - 1))
    found = robustness(scores, tolerance=0.1)
    assert found.scores.shape == (30, 2**providers - 1, providers)
    for b, own in enumerate(scores):
        by_mask = {mask: own[mask - 1] for mask in range(1, 2**providers)}
        most, worst = oracle.aligned_after_losses(by_mask, providers, 0.1)
        assert found.losses[b, -1] == most
        for k, (score, leaving) in enumerate(worst):
            assert found.scores[b, -1, k] == score
            assert found.leaving[b, -1, k] in leaving
    for c in range(2**providers - 1):
        size = (c + 1).bit_count()
        assert np.isnan(found.scores[:, c, size:]).all()
        assert (found.leaving[:, c, size:] == -1).all()
        assert (found.losses[:, c] < size).all()


def test_a_score_that_is_missing_is_not_aligned():
    found = robustness(np.array([[0.0, np.nan, 0.0]]))
    assert found.losses.tolist() == [[0, -1, 0]]
    assert found.leaving[0, 2].tolist() == [0, 1]


def test_columns_and_summary_have_it(tmp_path):
    """Of sweeps, and of the paper's tables; a forged column is found."""
    config = eq.SweepConfig(
        tables=20, states=2, actions=2, providers=3, shard_size=32, splits=(1.0, 0.0, 0.0), columns=("robustness",)
    )
    eq.run_sweep(config, tmp_path)
    name = "committees/train-00000000.parquet"
    rows = forging.read(tmp_path, name)
    stored, missing = rows["losses_survived"].to_numpy(), rows["losses_survived"].is_null().to_numpy()
    expected = robustness(rows["misalignment"].to_numpy().reshape(20, 7)).losses.reshape(-1)
    assert np.where(missing, -1, stored).tolist() == expected.tolist()
    assert set(expected.tolist()) >= {-1, 0, 1}
    assert eq.verify(tmp_path).complete
    found = eq.reports.summarize(rows, "uniform")
    losses = expected.reshape(20, 7)[:, -1]
    assert found.aligned_after == tuple(np.mean(losses >= k) for k in range(3))
    row = int(np.flatnonzero(~missing)[0])
    forging.change(tmp_path, name, "losses_survived", row, int(stored[row]) + 1)
    assert {failure.check for failure in eq.verify(tmp_path).failures} == {"robustness"}
    [one] = [eq.reports.summarize(eq.rows.committee_rows(eq.solve(eq.load_paper_table("synthetic-2"))), "2")]
    assert one.aligned_after == (1.0, 0.0, 0.0, 0.0, 0.0)
    assert one.missed_most.bit_count() == 1
    assert "| aligned (ε ≤ 1e-6) after any 0, 1, … providers leave | 100 %, 0 %, 0 %" in eq.reports.markdown_table(
        [one]
    )


@pytest.mark.parametrize(
    ("given", "message"),
    [
        (
            np.zeros((2, 4)),
            r"result: expected a result of the selection game, or \[B, 2\*\*K - 1\] scores, got ndarray",
        ),
        ("market", "result: expected a result of the selection game"),
    ],
)
def test_what_is_refused(given, message):
    with pytest.raises(ValueError, match=message):
        robustness(given)
    table = eq.load_paper_table("synthetic-1")
    with pytest.raises(ValueError, match="result: expected all 31 committees, got 2"):
        robustness(eq.solve(table, committees=[1, 31]))
    with pytest.raises(ValueError, match="result: expected a game whose misalignment is computed, got none"):
        robustness(eq.solve(table, eq.Selection(misalignment=False)))
    with pytest.raises(ValueError, match="tolerance: expected"):
        robustness(np.zeros((1, 3)), tolerance=-1)
