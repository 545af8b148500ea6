"""The house keeps its order: rooms of a size that one can look over, entered by their public names. `lint-imports` has
the order of the rooms."""

from __future__ import annotations

import ast
import re
import sys
from pathlib import Path

import equilibrax
import equilibrax_kernels
import pytest

ENGINE, KERNELS = Path(equilibrax.__file__).parent, Path(equilibrax_kernels.__file__).parent
FILES = sorted((*ENGINE.rglob("*.py"), *KERNELS.rglob("*.py")))
MOST_FILES = 25


def room(path: Path) -> tuple[str, ...]:
    """The package of a file, below the first level as a whole: `("equilibrax", "games")`."""
    package = ENGINE if ENGINE in path.parents else KERNELS
    inside = path.relative_to(package).parts
    return (package.name, inside[0]) if len(inside) > 1 else (package.name,)


def imports(path: Path) -> list[tuple[str, ...]]:
    """What a file imports, each name with the path of packages before it."""
    found = []
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.ImportFrom) and node.module and node.level == 0:
            found += [(*node.module.split("."), alias.name) for alias in node.names]
        elif isinstance(node, ast.Import):
            found += [tuple(alias.name.split(".")) for alias in node.names]
    return [name for name in found if name[0] in ("equilibrax", "equilibrax_kernels")]


def test_the_top_holds_rooms():
    assert len(list(ENGINE.glob("*.py"))) <= 4
    assert len(list(KERNELS.glob("*.py"))) <= 4


@pytest.mark.parametrize("top", [ENGINE, KERNELS], ids=lambda top: top.name)
def test_rooms_can_be_looked_over(top):
    for folder in (path for path in top.rglob("*") if path.is_dir() and path.name not in ("__pycache__", "data")):
        assert len([path for path in folder.iterdir() if path.suffix in (".py", ".pyi")]) <= MOST_FILES, folder


def test_rooms_are_entered_by_their_public_names():
    secret = [
        (path.relative_to(ENGINE.parent), ".".join(name))
        for path in FILES
        for name in imports(path)
        if name[:2] != room(path)
        and any(part.startswith("_") and part not in ("_core", "__version__") for part in name[1:])
    ]
    assert secret == []


def test_nobody_asks_which_game_it_is():
    question = re.compile(r'[=!]= *"(selection|obedient|joint|oblivious|aligned|personalized|anonymous)"')
    asked = [path for path in ENGINE.rglob("*.py") if question.search(path.read_text())]
    assert [path for path in asked if "games" not in path.parts] == []


def test_importing_loads_nothing_heavy():
    """`import equilibrax` is names alone; what is heavy loads when it is used."""
    import subprocess

    heavy = "{'jax', 'numpy', 'matplotlib', 'pyarrow', 'highspy'}"
    code = f"import sys, equilibrax; print(*{heavy} & set(sys.modules))"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.split() == []
