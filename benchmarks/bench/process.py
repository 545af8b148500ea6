"""The harness's end of a worker: start it, ask it, and give up on it when it takes too long."""

from __future__ import annotations

import json
import os
import select
import subprocess
import sys
import tempfile
import time
from typing import Any

from bench.machine import cores


class WorkerFailed(RuntimeError):
    """A worker said that it failed, died, or took too long. The worker may be gone."""


class WorkerProcess:
    """A worker and the requests to it. Use as a context manager: leaving ends the process."""

    def __init__(self, patience: float = 240.0, first: tuple[str, ...] = ()):
        """Start a worker.

        Args:
            patience: seconds to wait for any one answer; afterwards the process is killed.
            first: folders that its imports are looked for in before any other, as those of another revision.
        """
        path = os.pathsep.join([*first, *(path for path in sys.path if path)])
        environment = {k: v for k, v in os.environ.items() if not k.startswith("JAX_COMPILATION_CACHE")}
        environment |= {"PYTHONPATH": path}
        if "XLA_FLAGS" not in environment:
            environment.setdefault("JAX_NUM_CPU_DEVICES", str(cores()))
        environment.setdefault("NUMBA_NUM_THREADS", str(cores()))
        self.patience = patience
        self._errors = tempfile.TemporaryFile()  # noqa: SIM115 (closed with the worker)
        self._process = subprocess.Popen(
            [sys.executable, "-m", "bench.worker"],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=self._errors,
            env=environment,
            bufsize=0,
        )

    @property
    def alive(self) -> bool:
        """Whether the process is still there."""
        return self._process.poll() is None

    def ask(self, do: str, **request: Any) -> dict[str, Any]:
        """Send a request and wait for the answer.

        Raises:
            WorkerFailed: saying why.
        """
        assert self._process.stdin is not None
        try:
            line = (json.dumps({"do": do, **request}) + "\n").encode()
            if (written := self._process.stdin.write(line)) != len(line):  # without a buffer, writes may be short
                raise OSError(f"{written} of {len(line)} bytes of a request were written")
            reply = json.loads(self._line())
        except (OSError, EOFError, ValueError) as error:
            self.close()
            raise WorkerFailed(f"the worker ended ({error or 'no answer'}): {self._last_words()}") from error
        if "error" in reply:
            raise WorkerFailed(reply["error"])
        return reply

    def close(self) -> None:
        """End the process, kindly first."""
        if self._process.stdin is not None and not self._process.stdin.closed:
            try:
                self._process.stdin.write(b'{"do": "quit"}\n')
                self._process.stdin.close()
            except OSError:
                pass
        try:
            self._process.wait(5)
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.wait()
        if self._process.stdout is not None:
            self._process.stdout.close()

    def __enter__(self) -> WorkerProcess:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()
        self._errors.close()

    def _line(self) -> bytes:
        """One line of the worker's, however it comes in pieces."""
        assert self._process.stdout is not None
        out, deadline, line = self._process.stdout.fileno(), time.monotonic() + self.patience, b""
        while not line.endswith(b"\n"):
            left = deadline - time.monotonic()
            if left <= 0 or not select.select([out], [], [], left)[0]:
                self._process.kill()
                raise EOFError(f"no answer in {self.patience:.0f} s")
            piece = os.read(out, 1 << 16)
            if not piece:
                raise EOFError(f"exit status {self._process.wait(5)}")
            line += piece
        return line

    def _last_words(self) -> str:
        self._errors.seek(0)
        lines = self._errors.read().decode(errors="replace").strip().splitlines()
        return " ".join(lines[-3:]) if lines else "it printed nothing"
