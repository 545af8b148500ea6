"""equilibrax: exact, batched equilibrium search for users who choose among misaligned AI providers."""

from equilibrax.certified import CertifiedFit
from equilibrax.listing import equilibrium_schemes
from equilibrax.misalignment import misalignment
from equilibrax.reading import PAPER_TABLES, TableFileError, load_paper_table, read_tables, write_table
from equilibrax.result import SelectionResult
from equilibrax.solver import solve
from equilibrax.status import SolveError, Status
from equilibrax.tables import Labels, UtilityTables, concatenate, from_arrays, from_integers

__version__ = "0.1.0"

__all__ = [
    "PAPER_TABLES",
    "CertifiedFit",
    "Labels",
    "SelectionResult",
    "SolveError",
    "Status",
    "TableFileError",
    "UtilityTables",
    "concatenate",
    "equilibrium_schemes",
    "from_arrays",
    "from_integers",
    "load_paper_table",
    "misalignment",
    "read_tables",
    "solve",
    "write_table",
]
