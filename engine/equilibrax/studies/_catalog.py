"""The catalog of all families of random problems."""

from __future__ import annotations

from equilibrax._core.catalog import Family as Family
from equilibrax.problems import problem_catalog
from equilibrax.raters import rater_catalog


def catalog() -> list[Family]:
    """Every family of random tables, markets, games, decision problems, raters and answers, as it declares itself.

    Returns:
        A `Family` for each, with its definition, source, parameters, an example that draws it, a line to cite it and
        the SHA-256 of what the example draws. Families of `register_family` are among them.

    Example:
        >>> import equilibrax as eq
        >>> [family.name for family in eq.catalog() if family.kind == "markets"]
        ['weak', 'strong', 'none']
    """
    return [*problem_catalog(), *rater_catalog()]
