"""Write the manual pages of the commands from what their flags say: `python .ci/manual.py`."""

from __future__ import annotations

from pathlib import Path

from equilibrax.cli import COMMANDS
from equilibrax.cli.manual import FOLDER
from equilibrax.cli.manual.rendering import all_pages

if __name__ == "__main__":
    pages = all_pages(COMMANDS)
    for old in Path(FOLDER).glob("*.txt"):
        if old.stem not in pages:
            old.unlink()
    for name, text in pages.items():
        Path(FOLDER, f"{name}.txt").write_text(text, encoding="utf-8")
