from ._batch import Batch as Batch, concatenate as concatenate
from ._catalog import problem_catalog as problem_catalog
from ._describe import Description as Description
from ._random_games import game_families as game_families, random_games as random_games
from ._random_markets import (
    MARKETS_VERSION as MARKETS_VERSION,
    Alignment as Alignment,
    MarketDraws as MarketDraws,
    random_markets as random_markets,
    whole as whole,
)
from ._random_problems import (
    PROBLEM_FAMILIES as PROBLEM_FAMILIES,
    PROBLEMS_VERSION as PROBLEMS_VERSION,
    random_problems as random_problems,
)
from .decision_problem import DecisionLabels as DecisionLabels, DecisionProblem as DecisionProblem
from .market import (
    Market as Market,
    MarketLabels as MarketLabels,
    general_market as general_market,
    market_from_prior as market_from_prior,
    separable_market as separable_market,
)
from .normal_form import GameLabels as GameLabels, NormalForm as NormalForm
from .paper_games import tragedy_of_power as tragedy_of_power
from .paper_markets import (
    Newcomer as Newcomer,
    proposition_a_2_market as proposition_a_2_market,
    theorem_4_1_market as theorem_4_1_market,
    theorem_5_2_market as theorem_5_2_market,
)
from .persuasion import PersuasionGame as PersuasionGame
from .random_tables import (
    families as families,
    register_family as register_family,
    sample_tables as sample_tables,
)
from .tables import (
    Labels as Labels,
    RoundingWarning as RoundingWarning,
    UtilityTables as UtilityTables,
    from_arrays as from_arrays,
    from_dict as from_dict,
    from_integers as from_integers,
)
