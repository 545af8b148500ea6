"""equilibrax: exact, batched equilibrium search for users who choose among misaligned AI providers."""

from equilibrax.tables import Labels, UtilityTables, concatenate, from_arrays, from_integers

__version__ = "0.1.0"

__all__ = [
    "Labels",
    "UtilityTables",
    "concatenate",
    "from_arrays",
    "from_integers",
]
