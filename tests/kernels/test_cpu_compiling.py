"""Where compiled loops are kept, and that they are found again."""

from __future__ import annotations

import errno
import logging
import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
from equilibrax_kernels import caches
from equilibrax_kernels.cpu import compiling

PROGRAM = """
import logging, sys
logging.basicConfig(level=logging.INFO, format="%(message)s", stream=sys.stdout)
from equilibrax_kernels.cpu.compiling import cache_folder
from equilibrax_kernels.cpu.random_test_loop import triple
print(triple(14), cache_folder().name)
"""
LOOP = """
from equilibrax_kernels.cpu.compiling import compiled, part
from equilibrax_kernels.cpu.random_test_part import times
@compiled
def triple(number):
    return times(number)
"""
PART = """
from equilibrax_kernels.cpu.compiling import called
@called
def times(number):
    return {} * number
"""


@pytest.mark.slow
def test_loops_are_compiled_again_after_an_edit_of_their_parts_and_only_then(tmp_path):
    """In a package that cannot be written to, as far as the system lets us."""
    package = tmp_path / "package" / "equilibrax_kernels"
    cpu = package / "cpu"
    cpu.mkdir(parents=True)
    for empty in (package, cpu):
        (empty / "__init__.py").touch()
    shutil.copy(compiling.__file__, cpu)
    shutil.copy(caches.__file__, package)
    (cpu / "random_test_loop.py").write_text(LOOP)

    def run(factor: int) -> tuple[str, bool]:
        cpu.chmod(0o755)
        (cpu / "random_test_part.py").write_text(PART.format(factor))
        cpu.chmod(0o555)
        environment = os.environ | {"PYTHONPATH": str(package.parent), "EQUILIBRAX_CACHE_DIR": str(tmp_path / "cache")}
        environment |= {"PYTHONDONTWRITEBYTECODE": "1"}
        said = subprocess.run(
            [sys.executable, "-c", PROGRAM], env=environment, capture_output=True, text=True, check=True
        ).stdout
        return said.splitlines()[-1].split()[0], "compiling loops" in said

    assert [run(3), run(3), run(5), run(3)] == [("42", True), ("42", False), ("70", True), ("42", False)]
    cpu.chmod(0o755)
    assert {path.suffix for path in cpu.iterdir()} == {".py"}


def test_the_cache_is_bounded(tmp_path, monkeypatch):
    monkeypatch.setenv("EQUILIBRAX_CACHE_DIR", str(tmp_path))
    for i in range(9):
        old = tmp_path / "loops" / f"version {i}"
        old.mkdir(parents=True)
        os.utime(old, (i, i))
    folder = compiling.cache_folder.__wrapped__()
    names = {path.name for path in (tmp_path / "loops").iterdir()}
    assert names == {folder.name, "version 8", "version 7", "version 6"}


@pytest.fixture
def kept(tmp_path, monkeypatch):
    """A new loop that doubles, kept in `tmp_path`; the same one at every call."""
    monkeypatch.setattr(compiling, "cache_folder", lambda: tmp_path)

    def double(number):
        return 2 * number

    return lambda: compiling.compiled(double)


def test_two_kinds_of_arguments_that_are_compiled_at_once_are_both_kept(kept, tmp_path, monkeypatch):
    """Each by a process of its own: the second begins while the first is about to write."""
    first, second, replace = kept(), kept(), os.replace

    def meanwhile(*names):
        monkeypatch.setattr(os, "replace", replace)
        assert second(2.5) == 5.0
        replace(*names)

    monkeypatch.setattr(os, "replace", meanwhile)
    assert first(21) == 42
    third = kept()
    assert (third(21), third(2.5)) == (42, 5.0)
    assert sum(third.stats.cache_hits.values()) == 2
    assert [path.suffix for path in tmp_path.iterdir()] == [".loop"] * 2


def test_half_of_a_loop_is_compiled_again(kept, tmp_path):
    assert kept()(21) == 42
    [file] = tmp_path.iterdir()
    whole = file.read_bytes()
    for left in (b"", whole[: len(whole) // 2], b"something else"):
        file.write_bytes(left)
        assert kept()(21) == 42
        assert len(file.read_bytes()) > len(whole) // 2


@pytest.mark.parametrize("name", ["write_bytes", "replace"])
def test_a_loop_that_cannot_be_kept_is_compiled_all_the_same(kept, tmp_path, monkeypatch, name):
    """The disk is full, or another process has removed the folder of an older version."""

    def full(*given):
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr({"write_bytes": Path, "replace": os}[name], name, full)
    assert kept()(21) == 42
    assert not list(tmp_path.iterdir())
    monkeypatch.undo()
    monkeypatch.setattr(compiling, "cache_folder", lambda: tmp_path / "gone")
    assert kept()(21) == 42


def test_where_nothing_can_be_kept_loops_are_compiled_all_the_same(tmp_path, monkeypatch, caplog):
    file = tmp_path / "file"
    file.touch()
    monkeypatch.setenv("EQUILIBRAX_CACHE_DIR", str(file / "below"))
    assert compiling.cache_folder.__wrapped__() is None
    monkeypatch.setattr(compiling, "cache_folder", lambda: None)
    monkeypatch.setattr(compiling._Said, "said", False)

    @compiling.compiled
    def double(number):
        return 2 * number

    with caplog.at_level(logging.INFO, "equilibrax.loops"):
        assert double(21) == 42
        assert double(2.5) == 5.0
    assert caplog.text.count("compiling loops") == 1
