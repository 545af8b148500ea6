"""What XLA compiles for a command is kept for the next one, unless JAX was told where or nothing can be written."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

from equilibrax._core import compile_cache
from jax._src import lru_cache

SCRIPT = """
import equilibrax._core.compile_cache as own
import jax
own._WORTH_KEEPING = 0
own.keep_programs()
jax.jit(lambda x: jax.numpy.sort(x) * 3)(jax.numpy.arange(5)).block_until_ready()
print(jax.config.jax_compilation_cache_dir)
print(jax.config.jax_compilation_cache_max_size)
"""


def kept(caches: Path, **environment: str) -> str:
    """Where a fresh process keeps its programs, and how many bytes of them; it says nothing else."""
    without = {name: value for name, value in os.environ.items() if not name.startswith("JAX_COMPILATION")}
    full = without | {"EQUILIBRAX_CACHE_DIR": str(caches), **environment}
    done = subprocess.run([sys.executable, "-c", SCRIPT], env=full, check=True, capture_output=True, text=True)
    assert done.stderr == ""
    return done.stdout


def test_programs_are_kept_in_a_folder_of_the_machine_that_stays_small(tmp_path):
    folder, size = kept(tmp_path).splitlines()
    assert Path(folder).parent == tmp_path / "xla"
    assert 0 < int(size) < 2**30
    entries = list(Path(folder).glob("*-cache"))
    assert entries
    for entry in entries:  # as other programs, or a machine that went down, may leave it
        entry.write_bytes(entry.read_bytes()[:50])
    assert kept(tmp_path).splitlines()[0] == folder


def test_a_program_without_the_time_of_its_use_keeps_no_other_from_being_kept(tmp_path):
    """Its process was killed between the two files; JAX reads all times before it keeps another program."""
    (tmp_path / "first-cache").write_bytes(bytes(600))
    compile_cache._mend(tmp_path)
    lru_cache.LRUCache(str(tmp_path), max_size=1000).put("second", bytes(600))
    assert [file.name for file in tmp_path.glob("*-cache")] == ["second-cache"]  # of those it was not used for longest


def test_jax_keeps_them_where_it_was_told_and_nowhere_where_nothing_can_be_written(tmp_path):
    told = tmp_path / "told"
    assert kept(tmp_path / "ours", JAX_COMPILATION_CACHE_DIR=str(told)).splitlines()[0] == str(told)
    assert not (tmp_path / "ours").exists()
    file = tmp_path / "file"
    file.write_text("no folder")
    assert kept(file).splitlines()[0] == "None"
