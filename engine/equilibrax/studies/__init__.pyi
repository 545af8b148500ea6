from .comparison import (
    Comparison as Comparison,
)
from .comparison import (
    GameLine as GameLine,
)
from .comparison import (
    compare as compare,
)
from .entry import (
    Entry as Entry,
)
from .entry import (
    Newcomers as Newcomers,
)
from .entry import (
    enter as enter,
)
from .entry import (
    random_newcomers as random_newcomers,
)
from .market_games import (
    MarketOutcome as MarketOutcome,
)
from .market_games import (
    market_games as market_games,
)
from .market_games import (
    show_outcomes as show_outcomes,
)
from .market_games import (
    solve_games as solve_games,
)
