from ._answer_market import answer_market as answer_market
from ._simulate_answers import simulate_answers as simulate_answers
from ._strong_alignment import StrongAlignment as StrongAlignment
from ._strong_alignment import strong_alignment as strong_alignment
from ._weak_alignment import WeakAlignment as WeakAlignment
from ._weak_alignment import weak_alignment as weak_alignment
from ._weak_curve import (
    MAX_ALL_SETS as MAX_ALL_SETS,
)
from ._weak_curve import (
    WEAK_METHODS as WEAK_METHODS,
)
from ._weak_curve import (
    WeakCurve as WeakCurve,
)
from ._weak_curve import (
    weak_curve as weak_curve,
)
from .answers import AnswerDistributions as AnswerDistributions
from .answers import answer_distributions as answer_distributions
from .coverage import (
    CoverageCurve as CoverageCurve,
)
from .coverage import (
    SubsetAnalysis as SubsetAnalysis,
)
from .coverage import (
    anonymous_slack as anonymous_slack,
)
from .coverage import (
    coverage_curve as coverage_curve,
)
from .coverage import (
    subset_analysis as subset_analysis,
)
from .coverage import (
    transfer_factors as transfer_factors,
)
from .csv import read_raters as read_raters
from .curve import (
    METHODS as METHODS,
)
from .curve import (
    AlignmentCurve as AlignmentCurve,
)
from .curve import (
    alignment_curve as alignment_curve,
)
from .ethics import read_ethics as read_ethics
from .fit import (
    MarketFit as MarketFit,
)
from .fit import (
    ScoreFit as ScoreFit,
)
from .fit import (
    market_fit as market_fit,
)
from .matrix import RaterMatrix as RaterMatrix
from .matrix import rater_matrix as rater_matrix
from .movielens import movielens_raters as movielens_raters
from .opinionqa import read_opinionqa as read_opinionqa
from .opinionqa import read_opinionqa_respondents as read_opinionqa_respondents
from .simulate import RATER_FAMILIES as RATER_FAMILIES
from .simulate import simulate_raters as simulate_raters
from .user_subsets import UsersVersusError as UsersVersusError
from .user_subsets import users_versus_error as users_versus_error
