from ._answer_market import answer_market as answer_market
from ._fit_rows import FoldSpread as FoldSpread
from ._frames import raters_from_dataframe as raters_from_dataframe
from ._simulate_answers import simulate_answers as simulate_answers
from ._strong_alignment import StrongAlignment as StrongAlignment, strong_alignment as strong_alignment
from ._weak_alignment import WeakAlignment as WeakAlignment, weak_alignment as weak_alignment
from ._weak_curve import (
    MAX_ALL_SETS as MAX_ALL_SETS,
    WEAK_METHODS as WEAK_METHODS,
    WeakCurve as WeakCurve,
    weak_curve as weak_curve,
)
from .answers import AnswerDistributions as AnswerDistributions, answer_distributions as answer_distributions
from .coverage import (
    CoverageCurve as CoverageCurve,
    SubsetAnalysis as SubsetAnalysis,
    anonymous_slack as anonymous_slack,
    coverage_curve as coverage_curve,
    cross_validated_transfer as cross_validated_transfer,
    subset_analysis as subset_analysis,
    transfer_factors as transfer_factors,
)
from .csv import read_raters as read_raters
from .curve import (
    METHODS as METHODS,
    AlignmentCurve as AlignmentCurve,
    alignment_curve as alignment_curve,
)
from .ethics import read_ethics as read_ethics
from .fit import (
    MarketFit as MarketFit,
    ScoreFit as ScoreFit,
    market_fit as market_fit,
)
from .matrix import RaterMatrix as RaterMatrix, rater_matrix as rater_matrix
from .movielens import movielens_raters as movielens_raters
from .opinionqa.reading import (
    read_opinionqa as read_opinionqa,
    read_opinionqa_respondents as read_opinionqa_respondents,
)
from .simulate import (
    RATER_FAMILIES as RATER_FAMILIES,
    rater_catalog as rater_catalog,
    simulate_raters as simulate_raters,
)
from .user_subsets import UsersVersusError as UsersVersusError, users_versus_error as users_versus_error
