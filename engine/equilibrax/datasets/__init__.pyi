from .finalize import MergeReport as MergeReport, merge as merge
from .information_sweep import (
    InformationSweepConfig as InformationSweepConfig,
    run_information_sweep as run_information_sweep,
)
from .market_sweep import MarketSweepConfig as MarketSweepConfig, run_market_sweep as run_market_sweep
from .sweep import (
    MixturePart as MixturePart,
    SweepConfig as SweepConfig,
    SweepReport as SweepReport,
    read_mixture as read_mixture,
    run_sweep as run_sweep,
)
