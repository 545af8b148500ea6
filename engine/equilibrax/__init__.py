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
from equilibrax.common_garbling import Garbling, common_garbling
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
from equilibrax.garbling import SharedUtility, revealed_utility, shared_utility
from equilibrax.hearing import oblivious_utility, oblivious_values
from equilibrax.information import PersuasionGame
from equilibrax.least_squares import LeastSquaresFit, nonnegative_least_squares
from equilibrax.lemmas import corollary_1, corollary_2, lemma_1, lemma_2, proposition_2
from equilibrax.listing import equilibrium_schemes
from equilibrax.market import Market, MarketLabels, general_market, market_from_prior, separable_market
from equilibrax.market_bounds import (
    market_bounds,
    market_theorem_3_1,
    market_theorem_4_3,
    market_theorem_4_4,
    market_theorem_5_1,
)
from equilibrax.market_conditions import (
    StrongMarketAlignment,
    WeakMarketAlignment,
    strong_market_alignment,
    weak_market_alignment,
)
from equilibrax.market_detail_figures import score_figure, weights_figure
from equilibrax.market_figures import bound_figure, entry_figure, plot_markets, providers_figure
from equilibrax.market_files import read_market, write_market
from equilibrax.market_fit import MarketFit, ScoreFit, market_fit
from equilibrax.market_fit_figures import subset_figure, transfer_figure, weak_figure
from equilibrax.market_instances import (
    Newcomer,
    answer_market,
    proposition_a_2_market,
    theorem_4_1_market,
    theorem_5_2_market,
)
from equilibrax.market_outcomes import MarketOutcome, show_outcomes, solve_games
from equilibrax.market_promises import MarketPromises, market_promises
from equilibrax.market_records import market_rows, read_users, user_rows
from equilibrax.market_regret import market_regret
from equilibrax.market_result import MarketRegret, MarketResult
from equilibrax.market_sweep import MarketSweepConfig, run_market_sweep
from equilibrax.merging import MergeReport, merge
from equilibrax.misalignment import misalignment
from equilibrax.more_users import UsersVersusError, users_versus_error
from equilibrax.movielens import MovieLens, MovieLensTargets, movielens_table, movielens_targets, read_movielens
from equilibrax.movielens_raters import movielens_raters
from equilibrax.newcomers import Entry, Newcomers, enter, random_newcomers
from equilibrax.noisy_market import proposition_3, providers_needed
from equilibrax.oblivious import ObliviousRules, oblivious_rules
from equilibrax.opinionqa import read_opinionqa, read_opinionqa_respondents
from equilibrax.partition_result import PartitionResult
from equilibrax.promises import ConversationPromises, agreement_rounds, conversation_promises, information_substitutes
from equilibrax.random_markets import random_markets
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
    "Entry",
    "GameLine",
    "Garbling",
    "InducedDistribution",
    "Labels",
    "LeastSquaresFit",
    "Market",
    "MarketFit",
    "MarketLabels",
    "MarketOutcome",
    "MarketPromises",
    "MarketRegret",
    "MarketResult",
    "MarketSweepConfig",
    "MergeReport",
    "MixturePart",
    "MovieLens",
    "MovieLensTargets",
    "Newcomer",
    "Newcomers",
    "ObliviousRules",
    "PartitionResult",
    "PersuasionGame",
    "RaterMatrix",
    "ScoreFit",
    "SelectionResult",
    "SharedUtility",
    "SolveError",
    "Status",
    "StrongAlignment",
    "StrongMarketAlignment",
    "SubsetAnalysis",
    "Summary",
    "SweepConfig",
    "SweepReport",
    "TableFileError",
    "Transcripts",
    "UsersVersusError",
    "UtilityTables",
    "Verification",
    "WeakAlignment",
    "WeakCurve",
    "WeakMarketAlignment",
    "agreement_rounds",
    "alignment_curve",
    "alignment_study",
    "anonymous_slack",
    "answer_distributions",
    "answer_market",
    "bound_figure",
    "bounds",
    "closeness",
    "committee_rows",
    "common_garbling",
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
    "enter",
    "entry_figure",
    "equilibrium_schemes",
    "estimation_error",
    "families",
    "figure5",
    "figure6",
    "figure7",
    "from_arrays",
    "from_integers",
    "general_market",
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
    "market_bounds",
    "market_fit",
    "market_from_prior",
    "market_promises",
    "market_regret",
    "market_rows",
    "market_theorem_3_1",
    "market_theorem_4_3",
    "market_theorem_4_4",
    "market_theorem_5_1",
    "merge",
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
    "plot_markets",
    "proposition_2",
    "proposition_3",
    "proposition_a_2_market",
    "providers_figure",
    "providers_needed",
    "random_markets",
    "random_newcomers",
    "rater_matrix",
    "read_committees",
    "read_ethics",
    "read_market",
    "read_mixture",
    "read_movielens",
    "read_opinionqa",
    "read_opinionqa_respondents",
    "read_raters",
    "read_tables",
    "read_users",
    "register_family",
    "revealed_utility",
    "run_market_sweep",
    "run_sweep",
    "sample_tables",
    "sample_transcript",
    "score_figure",
    "separable_market",
    "shared_utility",
    "show_outcomes",
    "simulate_answers",
    "simulate_raters",
    "solve",
    "solve_games",
    "sparsity_figure",
    "strong_alignment",
    "strong_market_alignment",
    "subset_analysis",
    "subset_figure",
    "summarize",
    "table_rows",
    "theorem_1",
    "theorem_2",
    "theorem_4_1_market",
    "theorem_5",
    "theorem_5_2_market",
    "theorem_6",
    "transfer_factors",
    "transfer_figure",
    "user_rows",
    "users_versus_error",
    "verify",
    "weak_alignment",
    "weak_curve",
    "weak_figure",
    "weak_market_alignment",
    "weights_figure",
    "write_market",
    "write_parquet",
    "write_studies",
    "write_table",
]
