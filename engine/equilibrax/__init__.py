"""equilibrax: exact, batched equilibrium search for users who choose among misaligned AI providers."""

from equilibrax.alignment import market_alignment
from equilibrax.bound import Bound
from equilibrax.bounds import BoundReport, bounds
from equilibrax.certified import CertifiedFit
from equilibrax.closeness import closeness, estimation_error, identical_induced_distribution, induced_actions
from equilibrax.comparison import Comparison, GameLine, compare
from equilibrax.comparison_figure import comparison_figure
from equilibrax.conversation import Conversation, conversation_utility, converse
from equilibrax.families import families, register_family, sample_tables
from equilibrax.figures import figure5, figure6, figure7, plot_all
from equilibrax.hearing import oblivious_utility, oblivious_values
from equilibrax.information import PersuasionGame
from equilibrax.lemmas import (
    corollary_1,
    corollary_2,
    lemma_1,
    lemma_2,
    proposition_2,
)
from equilibrax.listing import equilibrium_schemes
from equilibrax.merging import MergeReport, merge
from equilibrax.misalignment import misalignment
from equilibrax.noisy_market import proposition_3, providers_needed
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
from equilibrax.sweep import MixturePart, SweepConfig, SweepReport, read_mixture, run_sweep
from equilibrax.tables import Labels, UtilityTables, concatenate, from_arrays, from_integers
from equilibrax.theorems import corollary_3, theorem_1, theorem_2, theorem_5, theorem_6
from equilibrax.transcripts import (
    ConversationRules,
    InducedDistribution,
    Transcripts,
    conversation_rules,
    decide,
    induced_distribution,
    sample_transcript,
)
from equilibrax.verification import Verification, verify

__version__ = "0.1.0"

__all__ = [
    "PAPER_TABLES",
    "Bound",
    "BoundReport",
    "CertifiedFit",
    "Comparison",
    "Conversation",
    "ConversationPromises",
    "ConversationRules",
    "GameLine",
    "InducedDistribution",
    "Labels",
    "MergeReport",
    "MixturePart",
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
    "Verification",
    "agreement_rounds",
    "bounds",
    "closeness",
    "committee_rows",
    "compare",
    "comparison_figure",
    "concatenate",
    "conversation_promises",
    "conversation_rules",
    "conversation_utility",
    "converse",
    "corollary_1",
    "corollary_2",
    "corollary_3",
    "decide",
    "equilibrium_schemes",
    "estimation_error",
    "families",
    "figure5",
    "figure6",
    "figure7",
    "from_arrays",
    "from_integers",
    "identical_induced_distribution",
    "induced_actions",
    "induced_distribution",
    "information_substitutes",
    "iter_committees",
    "lemma_1",
    "lemma_2",
    "load_paper_table",
    "markdown_table",
    "market_alignment",
    "merge",
    "misalignment",
    "oblivious_rules",
    "oblivious_utility",
    "oblivious_values",
    "plot_all",
    "proposition_2",
    "proposition_3",
    "providers_needed",
    "read_committees",
    "read_mixture",
    "read_tables",
    "register_family",
    "run_sweep",
    "sample_tables",
    "sample_transcript",
    "solve",
    "summarize",
    "table_rows",
    "theorem_1",
    "theorem_2",
    "theorem_5",
    "theorem_6",
    "verify",
    "write_parquet",
    "write_table",
]
