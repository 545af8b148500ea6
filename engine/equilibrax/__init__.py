"""equilibrax: exact, batched equilibrium search for users who choose among misaligned AI providers."""

from equilibrax.certified import CertifiedFit
from equilibrax.comparison import Comparison, GameLine, compare
from equilibrax.comparison_figure import comparison_figure
from equilibrax.conversation import Conversation, conversation_utility, converse
from equilibrax.families import families, register_family, sample_tables
from equilibrax.figures import figure5, figure6, figure7, plot_all
from equilibrax.hearing import oblivious_utility, oblivious_values
from equilibrax.information import PersuasionGame
from equilibrax.listing import equilibrium_schemes
from equilibrax.misalignment import misalignment
from equilibrax.oblivious import ObliviousRules, oblivious_rules
from equilibrax.partition_result import PartitionResult
from equilibrax.promises import (
    ConversationPromises,
    agreement_rounds,
    conversation_promises,
    information_substitutes,
)
from equilibrax.reading import PAPER_TABLES, TableFileError, load_paper_table, read_tables, write_table
from equilibrax.records import committee_rows, iter_committees, read_committees, table_rows, write_parquet
from equilibrax.result import SelectionResult
from equilibrax.solver import solve
from equilibrax.status import SolveError, Status
from equilibrax.summary import Summary, markdown_table, summarize
from equilibrax.sweep import SweepConfig, SweepReport, run_sweep
from equilibrax.tables import Labels, UtilityTables, concatenate, from_arrays, from_integers
from equilibrax.transcripts import (
    ConversationRules,
    InducedDistribution,
    Transcripts,
    conversation_rules,
    decide,
    induced_distribution,
    sample_transcript,
)

__version__ = "0.1.0"

__all__ = [
    "PAPER_TABLES",
    "CertifiedFit",
    "Comparison",
    "Conversation",
    "ConversationPromises",
    "ConversationRules",
    "GameLine",
    "InducedDistribution",
    "Labels",
    "ObliviousRules",
    "PartitionResult",
    "PersuasionGame",
    "SelectionResult",
    "SolveError",
    "Status",
    "Summary",
    "SweepConfig",
    "SweepReport",
    "TableFileError",
    "Transcripts",
    "UtilityTables",
    "agreement_rounds",
    "committee_rows",
    "compare",
    "comparison_figure",
    "concatenate",
    "conversation_promises",
    "conversation_rules",
    "conversation_utility",
    "converse",
    "decide",
    "equilibrium_schemes",
    "families",
    "figure5",
    "figure6",
    "figure7",
    "from_arrays",
    "from_integers",
    "induced_distribution",
    "information_substitutes",
    "iter_committees",
    "load_paper_table",
    "markdown_table",
    "misalignment",
    "oblivious_rules",
    "oblivious_utility",
    "oblivious_values",
    "plot_all",
    "read_committees",
    "read_tables",
    "register_family",
    "run_sweep",
    "sample_tables",
    "sample_transcript",
    "solve",
    "summarize",
    "table_rows",
    "write_parquet",
    "write_table",
]
