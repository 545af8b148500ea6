"""Documentation that runs: examples of public functions, and the promises that docstrings keep."""

import doctest
import importlib
import inspect
import pkgutil
import re
from pathlib import Path

import equilibrax
import pytest

MODULES = sorted(
    module.name
    for module in pkgutil.walk_packages(equilibrax.__path__, "equilibrax.")
    if module.name != "equilibrax.__main__" and not module.name.startswith("equilibrax.cli")
)
ROOMS = sorted(room.name for room in pkgutil.iter_modules(equilibrax.__path__) if not room.name.startswith("_"))
PUBLIC = {
    f"{place.__name__}.{name}": getattr(place, name)
    for place in (equilibrax, *(importlib.import_module(f"equilibrax.{room}") for room in ROOMS if room != "cli"))
    for name in place.__all__
    if not name.startswith("_")
}
NOTHING_RAISED = (
    "all_games",
    "guarantee",
    "committee_rows",
    "table_rows",
    "user_rows",
    "market_rows",
    "depth_rows",
    "problem_rows",
    "families",
    "game_families",
    "catalog",
    "markdown_table",
    "names_in",
)
BETWEEN_ROOMS = {  # for other rooms, not for users
    "problem_catalog",
    "rater_catalog",
    "batch_names",
    "build_rows",
    "cells_of_game",
    "check_tolerance",
    "dominating_scheme",
    "files_of",
    "first_equilibria",
    "fit_outcomes",
    "format_of",
    "game_named",
    "join_rows",
    "market_games",
    "status_words",
    "strong_fits",
    "whole",
}
FUNCTIONS = sorted(
    {
        f.__qualname__: name for name, f in PUBLIC.items() if inspect.isfunction(f) and f.__name__ not in BETWEEN_ROOMS
    }.values()
)


def test_every_room_is_walked():
    """A module that is lost to the walk would lose its examples without a word."""
    here = Path(equilibrax.__file__).parent
    files = {
        path for path in here.rglob("*.py") if path.stem not in ("__init__", "__main__") and "cli" not in path.parts
    }
    assert len(files) == sum(not hasattr(importlib.import_module(module), "__path__") for module in MODULES)
    finder = doctest.DocTestFinder()
    examples = sum(bool(test.examples) for name in MODULES for test in finder.find(importlib.import_module(name)))
    assert examples >= 140


@pytest.mark.slow
@pytest.mark.parametrize("module", MODULES)
def test_examples_run(module, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    results = doctest.testmod(importlib.import_module(module), optionflags=doctest.ELLIPSIS)
    assert results.failed == 0


@pytest.mark.parametrize("name", FUNCTIONS)
def test_public_functions_say_what_they_take_raise_and_show(name):
    function = PUBLIC[name]
    text = inspect.getdoc(function) or ""
    assert re.search(r"Example:\s+>>>", text), "no example"
    for parameter in inspect.signature(function).parameters.values():
        if parameter.kind is not inspect.Parameter.VAR_KEYWORD:
            assert re.search(rf"\b{parameter.name}\b", text), f"{parameter.name} is not described"
    assert "Raises:" in text or function.__name__ in NOTHING_RAISED, "no Raises section"


def test_everything_public_is_documented():
    for name, value in PUBLIC.items():
        if not (inspect.isfunction(value) or inspect.isclass(value)):
            continue
        assert (inspect.getdoc(value) or "").strip(), name
