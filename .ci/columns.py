"""Write the tables of columns in the documents from their declarations: `python .ci/columns.py`."""

from __future__ import annotations

import re
from pathlib import Path

from equilibrax._core.column import column_table
from equilibrax._core.columns import COLUMNS

DOCUMENTS = sorted((Path(__file__).parents[1] / "docs").glob("*.md"))
_PLACE = re.compile(r"(<!-- columns: (\w+) ?(\w*) -->\n).*?(<!-- end of columns -->)", re.DOTALL)


def with_tables(text: str) -> str:
    """A document with its tables as they should be: of a kind of rows, what all have or what one group adds."""

    def table(found: re.Match[str]) -> str:
        opening, kind, group, closing = found.groups()
        return f"{opening}\n{column_table(c for c in COLUMNS[kind] if c.group == group)}\n\n{closing}"

    return _PLACE.sub(table, text)


if __name__ == "__main__":
    for document in DOCUMENTS:
        document.write_text(with_tables(document.read_text()))
