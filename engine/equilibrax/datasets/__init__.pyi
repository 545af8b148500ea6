from .finalize import MergeReport as MergeReport
from .finalize import merge as merge
from .market_sweep import MarketSweepConfig as MarketSweepConfig
from .market_sweep import run_market_sweep as run_market_sweep
from .sweep import (
    MixturePart as MixturePart,
)
from .sweep import (
    SweepConfig as SweepConfig,
)
from .sweep import (
    SweepReport as SweepReport,
)
from .sweep import (
    read_mixture as read_mixture,
)
from .sweep import (
    run_sweep as run_sweep,
)
