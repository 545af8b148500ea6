"""What readers act on in `README.md` and `croissant.json`: which files are which rows, and the types of columns.

Both are written again from `sweep.json` and the manifest's numbers, from what the formats are documented to be: the
front matter of a dataset card of Hugging Face, and Croissant 1.1. Prose is for people, and is not compared.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from typing import Any

from equilibrax._core.column import Column
from equilibrax.verification.configuration import Configuration

_CONTEXT = "2821cbbf6532cbfd804f931c717dbfb5be1ec9528c87da498fb179b08c417989"
"""SHA-256 of what `@context` is, its names sorted."""

_TYPES = {"float": "sc:Float", "int": "sc:Integer", "bool": "sc:Boolean"}


def front_matter(configuration: Configuration, splits: list[str], rows: int) -> str:
    """The beginning of the card, up to the line that ends its front matter.

    Args:
        configuration: of the dataset.
        splits: those with rows.
        rows: of results.
    """
    size = next((i for i in range(3, 13) if rows < 10**i), 13)
    power = {i: f"{10 ** (i % 3)}{'KMBT'[i // 3 - 1]}" for i in range(3, 13)}
    shown = "n<1K" if size == 3 else f"{power[size - 1]}<n<{power[size]}" if size < 13 else "n>1T"
    lines = ["---", f"license: {configuration['licence'].lower()}"]
    lines += ["pretty_name: Equilibria of games between AI providers", "tags:"]
    lines += [f"- {tag}" for tag in ("game-theory", "equilibrium", "alignment", "synthetic")]
    lines += ["size_categories:", f"- {shown}", "configs:"]
    for kind in reversed(configuration.folders):
        lines += [f"- config_name: {kind}", *(["  default: true"] * (kind == configuration.kinds[1])), "  data_files:"]
        lines += [line for s in splits for line in (f"  - split: {s}", f"    path: {kind}/{s}-*.parquet")]
    lines.append("dataset_info:")
    for kind in configuration.folders:
        lines += [f"- config_name: {kind}", "  features:"]
        for column in configuration.columns(kind):
            indents = [" " * (4 + 2 * i) for i in range(max(1, column.depth))]
            lines += [f"  - name: {column.name}", *(f"{indent}list:" for indent in indents[:-1])]
            lines.append(f"{indents[-1]}{'list' if column.depth else 'dtype'}: {column.element}")
    return "\n".join([*lines, "---", ""])


def croissant_faults(found: Any, configuration: Configuration, splits: list[str]) -> Mapping[str, tuple[Any, Any]]:
    """What machines read of `croissant.json`, where it is not what it should be: by name, expected and found."""
    parts = [(kind, split) for kind in configuration.folders for split in splits]
    wanted = {
        "@context": _CONTEXT,
        "@type": "sc:Dataset",
        "conformsTo": ["http://mlcommons.org/croissant/1.1", "http://mlcommons.org/croissant/RAI/1.0"],
        "rai:hasSyntheticData": True,
        "license": f"https://spdx.org/licenses/{configuration['licence']}",
        "distribution": [_files(kind, split) for kind, split in parts],
        "recordSet": [
            {
                "@type": "cr:RecordSet",
                "@id": f"{kind}-{split}",
                "name": f"{kind}-{split}",
                "field": [_field(kind, split, column) for column in configuration.columns(kind)],
            }
            for kind, split in parts
        ],
    }
    prose = {"name", "description", "version", "creator", "citeAs", "prov:wasGeneratedBy"}
    prose |= {name for name in found if name.startswith("rai:") and isinstance(found[name], str)}
    came = {name: _wordless(value) for name, value in found.items() if name not in prose}
    context = json.dumps(found.get("@context"), sort_keys=True).encode()
    came["@context"] = hashlib.sha256(context).hexdigest()
    return {
        name: (wanted.get(name), came.get(name)) for name in {**wanted, **came} if wanted.get(name) != came.get(name)
    }


def _wordless(value: Any) -> Any:
    if isinstance(value, dict):
        return {name: _wordless(part) for name, part in value.items() if name != "description"}
    return [_wordless(part) for part in value] if isinstance(value, list) else value


def _files(kind: str, split: str) -> dict[str, Any]:
    name = f"{kind}-{split}-files"
    form = {"encodingFormat": "application/x-parquet", "includes": f"{kind}/{split}-*.parquet"}
    return {"@type": "cr:FileSet", "@id": name, "name": name, **form}


def _field(kind: str, split: str, column: Column) -> dict[str, Any]:
    return {
        "@type": "cr:Field",
        "@id": f"{kind}-{split}/{column.name}",
        "name": column.name,
        "dataType": _TYPES.get(column.element.rstrip("0123456789"), "sc:Text"),
        **({"isArray": True, "arrayShape": ",".join(["-1"] * column.depth)} if column.depth else {}),
        "source": {"fileSet": {"@id": f"{kind}-{split}-files"}, "extract": {"column": column.name}},
    }
