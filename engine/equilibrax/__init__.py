"""equilibrax: exact, batched equilibrium search for users who choose among misaligned AI providers."""

from equilibrax.alignment import market_alignment
from equilibrax.alignment_curve import METHODS, AlignmentCurve, alignment_curve
from equilibrax.alignment_figures import curve_figure, noise_figure, sparsity_figure
from equilibrax.alignment_study import AlignmentStudy, alignment_study, write_studies
from equilibrax.answers import AnswerDistributions, answer_distributions
from equilibrax.bound import Bound
from equilibrax.bounds import BoundReport, bounds
from equilibrax.certified import CertifiedFit
from equilibrax.closeness import closeness, estimation_error, identical_induced_distribution, induced_actions
from equilibrax.comparison import Comparison, GameLine, compare
from equilibrax.comparison_figure import comparison_figure
from equilibrax.conversation import Conversation, conversation_utility, converse
from equilibrax.coverage import (
    CoverageCurve,
    SubsetAnalysis,
    anonymous_slack,
    coverage_curve,
    subset_analysis,
    transfer_factors,
)
from equilibrax.ethics import read_ethics
from equilibrax.families import families, register_family, sample_tables
from equilibrax.figures import figure5, figure6, figure7, plot_all
from equilibrax.hearing import oblivious_utility, oblivious_values
from equilibrax.information import PersuasionGame
from equilibrax.least_squares import LeastSquaresFit, nonnegative_least_squares
from equilibrax.lemmas import (
    corollary_1,
    corollary_2,
    lemma_1,
    lemma_2,
    proposition_2,
)
from equilibrax.listing import equilibrium_schemes
from equilibrax.market_detail_figures import score_figure, weights_figure
from equilibrax.market_fit import MarketFit, ScoreFit, market_fit
from equilibrax.market_fit_figures import subset_figure, transfer_figure, weak_figure
from equilibrax.misalignment import misalignment
from equilibrax.more_users import UsersVersusError, users_versus_error
from equilibrax.movielens import (
    MovieLens,
    MovieLensTargets,
    movielens_table,
    movielens_targets,
    read_movielens,
)
from equilibrax.movielens_raters import movielens_raters
from equilibrax.noisy_market import proposition_3, providers_needed
from equilibrax.oblivious import ObliviousRules, oblivious_rules
from equilibrax.opinionqa import read_opinionqa, read_opinionqa_respondents
from equilibrax.partition_result import PartitionResult
from equilibrax.promises import (
    ConversationPromises,
    agreement_rounds,
    conversation_promises,
    information_substitutes,
)
from equilibrax.rater_files import read_raters
from equilibrax.raters import RaterMatrix, rater_matrix
from equilibrax.reading import PAPER_TABLES, TableFileError, load_paper_table, read_tables, write_table
from equilibrax.records import committee_rows, iter_committees, read_committees, table_rows, write_parquet
from equilibrax.result import SelectionResult
from equilibrax.simulated_answers import simulate_answers
from equilibrax.simulated_raters import RATER_FAMILIES, simulate_raters
from equilibrax.solver import solve
from equilibrax.status import SolveError, Status
from equilibrax.strong_alignment import StrongAlignment, strong_alignment
from equilibrax.summary import Summary, markdown_table, summarize
from equilibrax.sweep import SweepConfig, SweepReport, run_sweep
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
from equilibrax.weak_alignment import WeakAlignment, weak_alignment
from equilibrax.weak_curve import WeakCurve, weak_curve

__version__ = "0.1.0"

__all__ = [
    "METHODS",
    "PAPER_TABLES",
    "RATER_FAMILIES",
    "AlignmentCurve",
    "AlignmentStudy",
    "AnswerDistributions",
    "Bound",
    "BoundReport",
    "CertifiedFit",
    "Comparison",
    "Conversation",
    "ConversationPromises",
    "ConversationRules",
    "CoverageCurve",
    "GameLine",
    "InducedDistribution",
    "Labels",
    "LeastSquaresFit",
    "MarketFit",
    "MovieLens",
    "MovieLensTargets",
    "ObliviousRules",
    "PartitionResult",
    "PersuasionGame",
    "RaterMatrix",
    "ScoreFit",
    "SelectionResult",
    "SolveError",
    "Status",
    "StrongAlignment",
    "SubsetAnalysis",
    "Summary",
    "SweepConfig",
    "SweepReport",
    "TableFileError",
    "Transcripts",
    "UsersVersusError",
    "UtilityTables",
    "WeakAlignment",
    "WeakCurve",
    "agreement_rounds",
    "alignment_curve",
    "alignment_study",
    "anonymous_slack",
    "answer_distributions",
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
    "coverage_curve",
    "curve_figure",
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
    "market_fit",
    "misalignment",
    "movielens_raters",
    "movielens_table",
    "movielens_targets",
    "noise_figure",
    "nonnegative_least_squares",
    "oblivious_rules",
    "oblivious_utility",
    "oblivious_values",
    "plot_all",
    "proposition_2",
    "proposition_3",
    "providers_needed",
    "rater_matrix",
    "read_committees",
    "read_ethics",
    "read_movielens",
    "read_opinionqa",
    "read_opinionqa_respondents",
    "read_raters",
    "read_tables",
    "register_family",
    "run_sweep",
    "sample_tables",
    "sample_transcript",
    "score_figure",
    "simulate_answers",
    "simulate_raters",
    "solve",
    "sparsity_figure",
    "strong_alignment",
    "subset_analysis",
    "subset_figure",
    "summarize",
    "table_rows",
    "theorem_1",
    "theorem_2",
    "theorem_5",
    "theorem_6",
    "transfer_factors",
    "transfer_figure",
    "users_versus_error",
    "weak_alignment",
    "weak_curve",
    "weak_figure",
    "weights_figure",
    "write_parquet",
    "write_studies",
    "write_table",
]
