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
    show_outcomes as show_outcomes,
    solve_games as solve_games,
)
