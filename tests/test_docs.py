"""Documentation that runs: examples of public functions, and the promises that docstrings keep."""

import doctest
import importlib
import inspect
import pkgutil
import re

import equilibrax
import pytest

MODULES = [
    f"equilibrax.{module.name}"
    for module in pkgutil.walk_packages(equilibrax.__path__, "equilibrax.")
    if module.name not in ("__main__", "commands")
]
NOTHING_RAISED = ("committee_rows", "table_rows", "user_rows", "market_rows", "families", "markdown_table")
FUNCTIONS = sorted(name for name in equilibrax.__all__ if inspect.isfunction(getattr(equilibrax, name)))


@pytest.mark.parametrize("module", MODULES)
def test_examples_run(module, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    results = doctest.testmod(importlib.import_module(module), optionflags=doctest.ELLIPSIS)
    assert results.failed == 0


@pytest.mark.parametrize("name", FUNCTIONS)
def test_public_functions_say_what_they_take_raise_and_show(name):
    function = getattr(equilibrax, name)
    text = inspect.getdoc(function) or ""
    assert re.search(r"Example:\s+>>>", text), "no example"
    for parameter in inspect.signature(function).parameters.values():
        if parameter.kind is not inspect.Parameter.VAR_KEYWORD:
            assert re.search(rf"\b{parameter.name}\b", text), f"{parameter.name} is not described"
    assert "Raises:" in text or name in NOTHING_RAISED, "no Raises section"


def test_everything_public_is_documented():
    for name in equilibrax.__all__:
        assert (inspect.getdoc(getattr(equilibrax, name)) or "").strip(), name
