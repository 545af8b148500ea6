"""The revision that a dataset records: what git says, or that it does not say."""

from __future__ import annotations

import subprocess

import pytest
from equilibrax._core import version


@pytest.mark.parametrize(
    ("status", "revision"), [("", "c0ffee"), (" M a.py\n", "c0ffee+changes"), (None, "c0ffee+unknown")]
)
def test_a_git_that_fails_is_not_a_clean_checkout(monkeypatch, status, revision):
    answers = {"ls-files": "version.py", "rev-parse": "c0ffee\n", "status": status}

    def run(command, **options):
        said = answers[command[command.index("-C") + 2]]
        if said is None:
            raise subprocess.TimeoutExpired(command, 20)
        return subprocess.CompletedProcess(command, 0, said, "")

    monkeypatch.setattr(subprocess, "run", run)
    assert version.git_revision.__wrapped__() == revision
