"""Which version of equilibrax runs, and which revision of its source code."""

from __future__ import annotations

from functools import lru_cache

__version__ = "0.1.0"


@lru_cache(maxsize=1)
def git_revision() -> str | None:
    """The commit of the checkout that this package is in, with "+changes" if it was changed.

    "+unknown" if git does not say whether it was; None outside of one.
    """
    import subprocess  # which takes longer to load than all else that `--version` needs
    from pathlib import Path

    here = Path(__file__).resolve().parent

    def git(*words: str) -> str | None:
        try:
            done = subprocess.run(
                ["git", "--no-optional-locks", "-C", str(here), *words],  # nor be in the way of a commit
                capture_output=True,
                text=True,
                timeout=20,
                check=True,
            )
        except (OSError, subprocess.SubprocessError):
            return None
        return done.stdout.strip()

    if git("ls-files", "--error-unmatch", Path(__file__).name) is None:  # within another project's checkout, perhaps
        return None
    commit, changes = git("rev-parse", "HEAD"), git("status", "--porcelain", "--untracked-files=no")
    if commit is None or changes == "":
        return commit
    return f"{commit}+changes" if changes else f"{commit}+unknown"
