"""The documentation as a site: `sphinx-build -W docs build/docs`. Pages, README and notebooks are used as they are."""

from __future__ import annotations

import importlib
import inspect
import re
import shutil
from pathlib import Path

import equilibrax

HERE = Path(__file__).parent
ROOMS = ["problems", "io", "fits", "games", "theory", "raters", "rows", "studies", "datasets", "figures", "reports"]
MADE = HERE / "site"  # written anew by every build, and by nobody else

project = "equilibrax"
author = "the authors of equilibrax"
version = release = equilibrax.__version__
extensions = ["myst_nb", "sphinx.ext.autodoc", "sphinx.ext.napoleon", "sphinx.ext.viewcode"]
exclude_patterns = ["build", "_build"]
html_theme = "furo"
html_title = "equilibrax"
html_copy_source = html_show_sourcelink = False
default_role = "code"  # docstrings are Markdown: `x` is code
nb_execution_mode = "off"  # notebooks are shown as they were last run
myst_enable_extensions = ["dollarmath"]
myst_heading_anchors = 3
napoleon_use_rtype = False
napoleon_use_ivar = True
napoleon_attr_annotations = False  # shapes such as "*batch K" are no markup
autodoc_typehints = "signature"
autodoc_member_order = "bysource"
autodoc_preserve_defaults = True
suppress_warnings = ["myst.header", "myst.xref_missing", "misc.highlighting_failure"]


def _escaped(app, what, name, obj, options, lines) -> None:
    """Stars and bars outside of code mean nothing in a docstring here, but much in reStructuredText."""
    for i, line in enumerate(lines):
        if not line.lstrip().startswith((">>>", "...")):
            pieces = re.split(r"(`[^`]*`)", line)
            lines[i] = "".join(p if p.startswith("`") else re.sub(r"[*|]|_(?=\W|$)", r"\\\g<0>", p) for p in pieces)


_described: dict[int, str] = {}  # where a thing, by identity, has its entry


def _reference(room: str) -> str:
    """The page of a room: what it says of itself, and every public name."""
    module = importlib.import_module(f"equilibrax.{room}" if room else "equilibrax")
    names = [name for name in dir(module) if not name.startswith("_") and name not in ("annotations", *ROOMS)]
    title = f"equilibrax.{room}" if room else "equilibrax"
    said = inspect.getdoc(module) or ""
    lines = [f"# {title}", "", said.replace("|", "\\|") if room else "The names that most people need.", ""]
    for name in names:
        thing = getattr(module, name)
        if inspect.ismodule(thing):
            continue
        if not callable(thing):
            said = ", ".join(f"`{part}`" for part in (thing if isinstance(thing, dict | tuple) else [thing]))
            lines += [f"`{title}.{name}`: {said}", ""]
            continue
        kind = "class" if inspect.isclass(thing) else "function"
        first = _described.setdefault(id(thing), f"{title}.{name}")
        if first != f"{title}.{name}":
            lines += [f"`{name}` is {{py:obj}}`{first}`.", ""]
            continue
        lines += ["```{eval-rst}", f".. auto{kind}:: {title}.{name}"]
        lines += ["   :members:"] if kind == "class" else []
        lines += ["```", ""]
    return "\n".join(lines)


def _make(app) -> None:
    shutil.rmtree(MADE, ignore_errors=True)
    (MADE / "notebooks").mkdir(parents=True)
    for notebook in sorted((HERE.parent / "notebooks").glob("*.ipynb")):
        shutil.copy(notebook, MADE / "notebooks")
    for room in ["", *ROOMS]:
        (MADE / f"{room or 'equilibrax'}.md").write_text(_reference(room))


def setup(app) -> None:
    app.connect("builder-inited", _make)
    app.connect("autodoc-process-docstring", _escaped, priority=100)
