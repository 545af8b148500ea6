from ._equilibrium_schemes import equilibrium_schemes as equilibrium_schemes
from ._equilibrium_schemes import first_equilibria as first_equilibria
from ._market_rules import MarketRules as MarketRules
from ._oblivious_rules import ObliviousRules as ObliviousRules
from ._oblivious_rules import oblivious_rules as oblivious_rules
from ._oblivious_utility import oblivious_utility as oblivious_utility
from ._oblivious_utility import oblivious_values as oblivious_values
from ._solve import (
    MAX_CAPACITY as MAX_CAPACITY,
)
from ._solve import (
    TOLERANCE as TOLERANCE,
)
from ._solve import (
    Deviation as Deviation,
)
from ._solve import (
    Game as Game,
)
from ._solve import (
    Response as Response,
)
from ._solve import (
    Rules as Rules,
)
from ._solve import (
    TieBreak as TieBreak,
)
from ._solve import (
    check_game as check_game,
)
from ._solve import (
    solve as solve,
)
from .market_result import MarketRegret as MarketRegret
from .market_result import MarketResult as MarketResult
from .partition_result import PartitionResult as PartitionResult
from .regret import market_regret as market_regret
from .selection_result import SelectionResult as SelectionResult
