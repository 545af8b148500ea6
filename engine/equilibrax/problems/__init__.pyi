from ._batch import (
    Batch as Batch,
)
from ._batch import (
    concatenate as concatenate,
)
from ._random_markets import (
    MARKETS_VERSION as MARKETS_VERSION,
)
from ._random_markets import (
    Alignment as Alignment,
)
from ._random_markets import (
    MarketDraws as MarketDraws,
)
from ._random_markets import (
    random_markets as random_markets,
)
from ._random_markets import (
    whole as whole,
)
from .market import (
    Market as Market,
)
from .market import (
    MarketLabels as MarketLabels,
)
from .market import (
    general_market as general_market,
)
from .market import (
    market_from_prior as market_from_prior,
)
from .market import (
    separable_market as separable_market,
)
from .paper_markets import (
    Newcomer as Newcomer,
)
from .paper_markets import (
    proposition_a_2_market as proposition_a_2_market,
)
from .paper_markets import (
    theorem_4_1_market as theorem_4_1_market,
)
from .paper_markets import (
    theorem_5_2_market as theorem_5_2_market,
)
from .persuasion import PersuasionGame as PersuasionGame
from .random_tables import (
    families as families,
)
from .random_tables import (
    register_family as register_family,
)
from .random_tables import (
    sample_tables as sample_tables,
)
from .tables import (
    Labels as Labels,
)
from .tables import (
    RoundingWarning as RoundingWarning,
)
from .tables import (
    UtilityTables as UtilityTables,
)
from .tables import (
    from_arrays as from_arrays,
)
from .tables import (
    from_integers as from_integers,
)
