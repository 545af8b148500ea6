from ._cells import Cells as Cells, cells_of_game as cells_of_game
from ._dominating_schemes import dominating_scheme as dominating_scheme
from ._equilibrium_schemes import equilibrium_schemes as equilibrium_schemes, first_equilibria as first_equilibria
from ._game import (
    Backend as Backend,
    Compared as Compared,
    Game as Game,
    GameLine as GameLine,
    bounds_for as bounds_for,
    guarantee_for as guarantee_for,
    register_bounds as register_bounds,
    register_guarantee as register_guarantee,
)
from ._oblivious_rules import ObliviousRules as ObliviousRules, oblivious_rules as oblivious_rules
from ._oblivious_utility import oblivious_utility as oblivious_utility, oblivious_values as oblivious_values
from ._options import (
    TOLERANCE as TOLERANCE,
    Dynamics as Dynamics,
    InTurn as InTurn,
    JointDynamics as JointDynamics,
    Quantal as Quantal,
    Response as Response,
    SelectionDynamics as SelectionDynamics,
    TieBreak as TieBreak,
    check_tolerance as check_tolerance,
)
from ._outcome import Of as Of, Outcome as Outcome
from ._result import (
    GameResult as GameResult,
    Result as Result,
    TableResult as TableResult,
)
from ._solve import (
    all_games as all_games,
    game_from as game_from,
    game_named as game_named,
    solve as solve,
)
from .aligned import Aligned as Aligned
from .information.market import InformationMarket as InformationMarket
from .information.result import InformationMarketResult as InformationMarketResult
from .joint import Joint as Joint
from .lotteries.joint_result import JointLotteries as JointLotteries
from .lotteries.regret import LotteryRegret as LotteryRegret, lottery_regret as lottery_regret
from .lotteries.result import LotteryResult as LotteryResult
from .lotteries.search import (
    GradientSearch as GradientSearch,
    LotterySearch as LotterySearch,
    search_lotteries as search_lotteries,
)
from .markets.anonymous import Anonymous as Anonymous
from .markets.game import MarketDynamics as MarketDynamics, MarketGame as MarketGame
from .markets.personalized import Personalized as Personalized
from .markets.regret import market_regret as market_regret
from .markets.result import MarketRegret as MarketRegret, MarketResult as MarketResult
from .markets.rules import MarketRules as MarketRules
from .nash.efficiency import ProfileEfficiency as ProfileEfficiency
from .nash.game import Nash as Nash
from .nash.result import LogitBranch as LogitBranch, NashResult as NashResult
from .obedient import Obedient as Obedient
from .oblivious import Oblivious as Oblivious, ObliviousLotteries as ObliviousLotteries
from .partition_result import PartitionResult as PartitionResult
from .responses import PartitionGame as PartitionGame
from .selection import Selection as Selection
from .selection_result import SelectionResult as SelectionResult
