"""Where the benchmark ran: machine, device, versions and revision."""

from __future__ import annotations

import contextlib
import os
import platform
import subprocess
import tarfile
from importlib import metadata
from pathlib import Path
from typing import Any

PACKAGES = (
    "equilibrax", "jax", "jaxlib", "numpy", "numba", "scipy", "highspy", "daqp", "moreau", "quantecon",
    "pygambit", "pyarrow",
)  # fmt: skip


def cores() -> int:
    """Cores that this process may use."""
    available = getattr(os, "sched_getaffinity", None)
    return len(available(0)) if available else os.cpu_count() or 1


def describe() -> dict[str, Any]:
    """Everything that a time depends on and that can be asked for. Runs no JAX computation."""
    import jax

    devices = jax.local_devices()
    return {
        "machine": {
            "system": f"{platform.system()} {platform.machine()}",
            "processor": _processor(),
            "cores": cores(),
            "python": platform.python_version(),
            "load": round(os.getloadavg()[0], 1) if hasattr(os, "getloadavg") else None,
        },
        "device": {"platform": devices[0].platform, "kind": devices[0].device_kind, "count": len(devices)},
        "versions": versions(),
        "revision": revision(),
    }


def versions() -> dict[str, str | None]:
    """Installed versions of everything that takes part."""
    found: dict[str, str | None] = {}
    for package in PACKAGES:
        try:
            found[package] = metadata.version(package)
        except metadata.PackageNotFoundError:
            found[package] = None
    return found


def revision() -> str | None:
    """The git commit of the sources, with `+changes` if they differ from it; None outside a clone."""
    folder = Path(__file__).parent

    def git(*args: str) -> str:
        command = ["git", "-C", str(folder), *args]
        return subprocess.run(command, capture_output=True, text=True, check=True, timeout=30).stdout.strip()

    try:
        return git("rev-parse", "--short=12", "HEAD") + ("+changes" if git("status", "--porcelain", "--", ".") else "")
    except (OSError, subprocess.SubprocessError):
        return None


def checked_out(revision: str, folder: Path) -> tuple[str, str]:
    """The sources of a revision of this clone, in a new folder; where its packages are.

    Raises:
        ValueError: if there is no such revision, or this is no clone.
    """
    folder.mkdir()
    command = ["git", "-C", str(Path(__file__).parent), "archive", "--format=tar", f"--output={folder}.tar", revision]
    try:
        top = subprocess.run([*command[:3], "rev-parse", "--show-toplevel"], capture_output=True, text=True, check=True)
        subprocess.run([*command[:2], top.stdout.strip(), *command[3:]], capture_output=True, check=True)
    except (OSError, subprocess.SubprocessError) as error:
        raise ValueError(f"--against: expected a git revision of this clone, got {revision!r}") from error
    with tarfile.open(f"{folder}.tar") as archive:
        archive.extractall(folder, filter="data")
    return str(folder / "engine"), str(folder / "kernels")


def _processor() -> str:
    try:
        lines = Path("/proc/cpuinfo").read_text().splitlines()
        return next(line.partition(":")[2].strip() for line in lines if line.startswith("model name"))
    except (OSError, StopIteration):
        return platform.processor() or "unknown"


def reset_peak_memory() -> None:
    """Begin a new peak, where the system can (Linux); elsewhere the peak is that of the whole process so far."""
    with contextlib.suppress(OSError):
        Path("/proc/self/clear_refs").write_text("5")


def peak_memory_mb() -> float:
    """Peak resident memory of this process, in MB.

    Linux's VmHWM: `ru_maxrss` of a child begins with the size of the process that it was forked from.
    """
    try:
        lines = Path("/proc/self/status").read_text().splitlines()
        return next(int(line.split()[1]) for line in lines if line.startswith("VmHWM")) / 1024
    except (OSError, StopIteration):
        import resource

        peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
        return peak / (2**20 if platform.system() == "Darwin" else 1024)
