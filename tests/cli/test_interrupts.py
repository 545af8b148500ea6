"""Ctrl-C at any moment, and too little memory: one line each."""

from __future__ import annotations

import errno
import os
import random
import signal
import subprocess
import sys
import time

import pyarrow as pa
import pytest
from equilibrax.cli import main
from equilibrax.datasets import _table_shards

SWEEP = ["sweep", "--states", "2", "--actions", "2", "--providers", "2", "--shard-size", "64", "--tables", "1000000"]
posix = pytest.mark.skipif(os.name != "posix", reason="there is no SIGINT for a process")


def interrupt(code: str, *args: str, after: float = 0.0) -> subprocess.CompletedProcess[str]:
    """Run Python code that prints a line when it is ready, send it SIGINT, and wait for less than what it waits for."""
    if signal.getsignal(signal.SIGINT) is signal.SIG_IGN:
        pytest.skip("Ctrl-C is ignored here")
    command = [sys.executable, "-c", code, *args]
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True) as child:
        assert child.stdout is not None
        child.stdout.readline()
        time.sleep(after)
        child.send_signal(signal.SIGINT)
        _, error = child.communicate(timeout=25)
    return subprocess.CompletedProcess(command, child.returncode, "", error)


START = "from equilibrax._core.interrupts import *; end_at_once(); import threading, time, sys\n"
READY = "print('ready', flush=True)\n"
MOMENTS = {
    "while it waits for another thread": READY + "threading.Event().wait(30)",
    "in compiled code that does not come back": READY + "import zlib\nwhile 1: zlib.crc32(bytes(2**28))",
    "where no exception may be raised": f"class C:\n def __del__(self):\n  {READY}  time.sleep(30)\nC()",
    "where all exceptions are caught": READY + "while 1:\n try: time.sleep(30)\n except BaseException: pass",
}


@posix
@pytest.mark.parametrize("moment", MOMENTS)
def test_ctrl_c_is_one_line_and_130(moment):
    done = interrupt(START + MOMENTS[moment])
    assert done.returncode == 130
    assert done.stderr.startswith("equilibrax: interrupted; ")
    assert len(done.stderr.splitlines()) == 1


@posix
def test_ctrl_c_during_the_imports_is_one_line_and_130(tmp_path):
    """The first line of `__main__` is before the imports that take long; here the first of them never ends."""
    code = "import sys, types\nclass Slow:\n def find_spec(self, name, *rest):\n  if name == 'equilibrax.cli':\n"
    code += "   print('ready', flush=True)\n   __import__('time').sleep(30)\n"
    code += "sys.meta_path.insert(0, Slow())\nimport runpy; runpy.run_module('equilibrax', run_name='__main__')"
    done = interrupt(code)
    assert done.returncode == 130
    assert len(done.stderr.splitlines()) == 1


@posix
def test_what_was_being_written_is_removed(tmp_path):
    code = f"from equilibrax._core.files import whole_file\nwith whole_file(sys.argv[1]):\n {READY} time.sleep(30)"
    assert interrupt(START + code, str(tmp_path / "rows.parquet")).returncode == 130
    assert os.listdir(tmp_path) == []


@posix
def test_a_process_that_ignores_ctrl_c_goes_on_to_do_so():
    code = "import signal; signal.signal(signal.SIGINT, signal.SIG_IGN)\n" + START + READY + "time.sleep(0.5)"
    assert interrupt(code).returncode == 0


@posix
@pytest.mark.parametrize("ends", [True, False])
def test_a_cluster_is_told_first_but_not_waited_for_without_end(ends):
    code = f"with unwinding(4 if {not ends} else 9):\n try:\n  {READY}  time.sleep(30)\n except KeyboardInterrupt:\n"
    code += (
        "  sys.stderr.write('told\\n')\n  sys.exit(130)" if ends else "  sys.stderr.write('told\\n')\n  time.sleep(30)"
    )
    done = interrupt(START + code)
    assert done.returncode == 130
    assert done.stderr.splitlines()[0] == "told"
    assert len(done.stderr.splitlines()) == (1 if ends else 2)


@posix
def test_a_signal_that_does_not_wake_the_main_thread_is_sent_again():
    """Python notes a signal that comes just before a system call and sleeps; here only the note is there."""
    code = "import os, signal, sys, time\nfrom equilibrax._core.interrupts import *\nend_at_once()\n"
    code += "noted = signal.set_wakeup_fd(-1)\nsignal.set_wakeup_fd(noted)\nwith unwinding(9):\n try:\n"
    code += "  os.write(noted, bytes([signal.SIGINT]))\n  time.sleep(30)\n"
    code += " except KeyboardInterrupt:\n  sys.exit('told')"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, timeout=60)
    assert done.stderr == "told\n"


@pytest.mark.slow
@posix
def test_commands_end_with_one_line_at_random_moments(tmp_path):
    """`EQUILIBRAX_INTERRUPTS=200` takes so many; a command that was done before the signal came ends as it does."""
    generator, count = random.Random(0), int(os.environ.get("EQUILIBRAX_INTERRUPTS", "5"))
    code = "import sys; sys.argv[0] = 'equilibrax'\nimport runpy\n" + READY
    code += "runpy.run_module('equilibrax', run_name='__main__', alter_sys=True)"
    (tmp_path / "table.csv").write_text("state,action,user,Ann\nx,a,1,0\nx,b,0,1\n")
    commands = [
        [*SWEEP, "--out", str(tmp_path / "sweep")],
        ["align", "--simulate", "independent", "--permutations", "100000", "--out", str(tmp_path / "align")],
        ["solve", str(tmp_path / "table.csv"), "--game", "joint"],
    ]
    ended = {130: 0, 0: 0}
    for i in range(count):
        done = interrupt(code, *commands[i % len(commands)], after=generator.uniform(0.3, 5))
        lines = [line for line in done.stderr.splitlines() if "ompiling loops" not in line]
        assert done.returncode in ended, done.stderr
        assert done.returncode == 130 or i % len(commands) == 2, done.stderr
        assert len(lines) == 1, done.stderr
        assert "Traceback" not in done.stderr
        ended[done.returncode] += 1
    print(f"{count} interrupts: {ended}")
    assert ended[130] >= count // 3


@pytest.mark.parametrize(
    "error",
    [
        MemoryError(),
        MemoryError("std::bad_alloc"),
        RuntimeError("RESOURCE_EXHAUSTED: Out of memory allocating 17179869184 bytes."),
        pa.ArrowMemoryError("malloc of size 64 failed"),
        OSError(errno.ENOMEM, "Cannot allocate memory"),
        ImportError("libhighs.so: failed to map segment from shared object: Cannot allocate memory"),
        ImportError("libjax_common.so: failed to map segment from shared object"),
    ],
    ids=lambda error: type(error).__name__,
)
def test_too_little_memory_is_one_line_that_says_what_would_help(tmp_path, monkeypatch, capsys, error):
    def exhausted(*arguments, **options):
        raise error

    monkeypatch.setattr(_table_shards, "solve", exhausted)
    assert main([*SWEEP, "--out", str(tmp_path / "sweep")]) == 2
    said = capsys.readouterr().err.strip()
    assert said.splitlines()[-1].startswith("equilibrax: error: out of memory; fewer tables at a time")


def test_an_error_of_ours_is_not_taken_for_too_little_memory(tmp_path, monkeypatch):
    def broken(*arguments, **options):
        raise RuntimeError("a bug")

    monkeypatch.setattr(_table_shards, "solve", broken)
    with pytest.raises(RuntimeError, match="a bug"):
        main([*SWEEP, "--out", str(tmp_path / "sweep")])


ABORTS = {
    "of the thread that runs": "import os; os.abort()",
    "of a thread of a library": "import ctypes, threading\nthreading.Thread(target=ctypes.CDLL(None).abort).start()\n"
    "ctypes.CDLL(None).sleep(30)",
    "of std::terminate": "import ctypes, jaxlib.xla_client\n"
    "[lib := l.split()[-1] for l in open('/proc/self/maps') if 'libstdc++' in l] or exit(77)\n"
    "ctypes.CDLL(lib)._ZSt9terminatev()",
}


@posix
@pytest.mark.parametrize("abort", ABORTS)
def test_a_library_that_aborts_is_a_line_that_says_what_would_help(abort):
    """As JAX and LLVM do on `std::bad_alloc`."""
    code = "from equilibrax.cli._failures import say_when_aborted as s; s()\n" + ABORTS[abort]
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, timeout=60)
    if done.returncode == 77:
        pytest.skip("no C++ runtime of its own")
    assert done.returncode == 2
    assert done.stderr.splitlines()[-1].startswith("equilibrax: error: a compiled library gave up")


@posix
def test_ctrl_c_while_python_ends_changes_nothing():
    """After the command is done its exit status stands."""
    code = "import os, sys; sys.argv = ['equilibrax', '--version']\n"
    code += "class Late:\n def __del__(self, os=os, time=time):\n  os.write(1, b'ready\\n'); time.sleep(1)\n"
    code += "late = Late()\nfrom equilibrax.cli import run\nrun()"
    done = interrupt(START + code, after=0.3)
    assert (done.returncode, done.stderr) == (0, "")
