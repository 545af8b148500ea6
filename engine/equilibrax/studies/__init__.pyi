from ._catalog import Family as Family, catalog as catalog
from .bazaar import (
    BazaarBesideSelection as BazaarBesideSelection,
    bazaar_beside_selection as bazaar_beside_selection,
)
from .comparison import (
    Comparison as Comparison,
    GameLine as GameLine,
    compare as compare,
)
from .entry import (
    Entry as Entry,
    Newcomers as Newcomers,
    enter as enter,
    random_newcomers as random_newcomers,
)
from .market_games import (
    MarketOutcome as MarketOutcome,
    market_games as market_games,
    show_outcomes as show_outcomes,
    solve_games as solve_games,
)
