from ._equilibrium_schemes import equilibrium_schemes as equilibrium_schemes, first_equilibria as first_equilibria
from ._market_rules import MarketRules as MarketRules
from ._oblivious_rules import ObliviousRules as ObliviousRules, oblivious_rules as oblivious_rules
from ._oblivious_utility import oblivious_utility as oblivious_utility, oblivious_values as oblivious_values
from ._solve import (
    MAX_CAPACITY as MAX_CAPACITY,
    TOLERANCE as TOLERANCE,
    Deviation as Deviation,
    Game as Game,
    Response as Response,
    Rules as Rules,
    TieBreak as TieBreak,
    check_game as check_game,
    solve as solve,
)
from .market_result import MarketRegret as MarketRegret, MarketResult as MarketResult
from .partition_result import PartitionResult as PartitionResult
from .regret import market_regret as market_regret
from .selection_result import SelectionResult as SelectionResult
