"""`croissant.json` of a dataset: its metadata as Croissant 1.1, a vocabulary of MLCommons for machines.

With the fields of Croissant's extension for responsible AI that conferences ask for.
"""

from __future__ import annotations

import json
from typing import Any

from equilibrax._core.column import Column
from equilibrax.datasets._card import CITATION, filled, licence
from equilibrax.datasets._layout import TEXT, Layout

_PARTS = (
    "arrayShape",
    "citeAs",
    "column",
    "containedIn",
    "extract",
    "field",
    "fileProperty",
    "fileObject",
    "fileSet",
    "format",
    "includes",
)
_PARTS += (
    "isArray",
    "isLiveDataset",
    "jsonPath",
    "key",
    "md5",
    "parentField",
    "path",
    "recordSet",
    "references",
    "regex",
)
_PARTS += ("repeated", "replace", "samplingRate", "separator", "source", "subField", "transform", "equivalentProperty")

_TYPES = {"float": "sc:Float", "int": "sc:Integer", "bool": "sc:Boolean"}

_PROVIDERS = (
    "of a user and several AI providers that compete for her, with the exact equilibria of every committee of providers"
)
_ABOUT = {"problems": "of a buyer of information, with the exact outcomes of markets of information of every depth"}
"""What rows are about, by what is counted."""

_CONTEXT: dict[str, Any] = {name: f"cr:{name}" for name in _PARTS} | {
    "@language": "en",
    "@vocab": "https://schema.org/",
    "conformsTo": "dct:conformsTo",
    "cr": "http://mlcommons.org/croissant/",
    "data": {"@id": "cr:data", "@type": "@json"},
    "dataType": {"@id": "cr:dataType", "@type": "@vocab"},
    "dct": "http://purl.org/dc/terms/",
    "description": {"@container": "@language"},
    "examples": {"@id": "cr:examples", "@type": "@json"},
    "name": {"@container": "@language"},
    "prov": "http://www.w3.org/ns/prov#",
    "rai": "http://mlcommons.org/croissant/RAI/",
    "sc": "https://schema.org/",
}


def croissant(layout: Layout, columns: dict[str, list[Column]], totals: dict[str, Any]) -> str:
    """The whole text; the arguments are those of `dataset_card`."""
    version = layout.description["equilibrax"]
    parts = [(kind, split) for kind in layout.kinds for split in filled(layout, totals)]
    what = _ABOUT.get(layout.unit, _PROVIDERS)
    what = f"{totals[layout.unit]:,} random {layout.unit} {what}: {totals['rows']:,} rows of results."
    described = {
        "@context": _CONTEXT,
        "@type": "sc:Dataset",
        "name": "equilibria-of-ai-providers",
        "description": what,
        "conformsTo": ["http://mlcommons.org/croissant/1.1", "http://mlcommons.org/croissant/RAI/1.0"],
        "license": f"https://spdx.org/licenses/{licence(layout)}",
        "version": version,
        "creator": {"@type": "sc:Organization", "name": "equilibrax contributors"},
        "citeAs": CITATION.replace("VERSION", version),
        **_responsible(layout, version),
        "distribution": [_files(kind, split) for kind, split in parts],
        "recordSet": [_records(kind, split, columns[kind]) for kind, split in parts],
    }
    return json.dumps(described, indent=1) + "\n"


def _responsible(layout: Layout, version: str) -> dict[str, Any]:
    """What the dataset is for and what it is not, where its numbers come from, and whom it concerns."""
    family = layout.description["config"].get("family", "mixture")
    return {
        "rai:dataCollection": (
            f"Drawn by equilibrax {version} from the random family {family!r} with a seeded generator, and solved "
            "exactly. Settings, seed and versions are in sweep.json; the same ones make the same bytes."
        ),
        "rai:dataCollectionType": "Software Collection",
        "rai:dataUseCases": (
            "Studying how the misalignment of competing AI providers limits what their user can lose; training and "
            "testing methods that predict or find equilibria; benchmarks of solvers"
            + (" and, with exact answers, of language models." if TEXT in layout.kinds else ".")
        ),
        "rai:dataLimitations": (
            "Small games of complete information with random payoffs. They are no estimate of how any provider that "
            "exists behaves, and shares over tables are shares under this family's distribution. Rows whose status is "
            "not OK have no result."
        ),
        "rai:dataBiases": (
            "Payoffs follow the chosen family and its parameters. Sizes, families and, where tables are stratified, "
            "the range of misalignment are the author's choice and not those of games that people play."
        ),
        "rai:personalSensitiveInformation": "None: no person's data is in it, and none went into it.",
        "rai:dataSocialImpact": (
            "It lets claims about competition between AI providers be checked. Guarantees that hold in these games do "
            "not show that a market of real providers is safe."
        ),
        "rai:hasSyntheticData": True,
        "rai:dataReleaseMaintenancePlan": "Files do not change; `equilibrax verify` computes them again independently.",
        "prov:wasGeneratedBy": {"@type": "prov:Activity", "prov:label": f"equilibrax {version}: equilibrax sweep"},
    }


def _files(kind: str, split: str) -> dict[str, Any]:
    name = f"{kind}-{split}-files"
    return {
        "@type": "cr:FileSet",
        "@id": name,
        "name": name,
        "description": f"The {split} split of {kind}.",
        "encodingFormat": "application/x-parquet",
        "includes": f"{kind}/{split}-*.parquet",
    }


def _records(kind: str, split: str, columns: list[Column]) -> dict[str, Any]:
    name = f"{kind}-{split}"
    return {
        "@type": "cr:RecordSet",
        "@id": name,
        "name": name,
        "description": f"One row of the {split} split of {kind}.",
        "field": [_field(name, kind, split, column) for column in columns],
    }


def _field(records: str, kind: str, split: str, column: Column) -> dict[str, Any]:
    return {
        "@type": "cr:Field",
        "@id": f"{records}/{column.name}",
        "name": column.name,
        "description": column.described + (f" [{column.unit}]" if column.unit else ""),
        "dataType": _TYPES.get(column.element.rstrip("0123456789"), "sc:Text"),
        **({"isArray": True, "arrayShape": ",".join(["-1"] * column.depth)} if column.depth else {}),
        "source": {"fileSet": {"@id": f"{kind}-{split}-files"}, "extract": {"column": column.name}},
    }
