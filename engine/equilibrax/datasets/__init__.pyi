from ._forms import form_hashes as form_hashes, split_by_form as split_by_form
from ._questions import (
    Grade as Grade,
    Question as Question,
    grade as grade,
    questions as questions,
    write_questions as write_questions,
)
from .arrays import (
    INVARIANT as INVARIANT,
    TableArrays as TableArrays,
    load_arrays as load_arrays,
    stream_arrays as stream_arrays,
)
from .finalize import MergeReport as MergeReport, merge as merge
from .information_sweep import (
    InformationSweepConfig as InformationSweepConfig,
    run_information_sweep as run_information_sweep,
)
from .market_sweep import MarketSweepConfig as MarketSweepConfig, run_market_sweep as run_market_sweep
from .relabelling import Relabelling as Relabelling
from .stream import ArrayStream as ArrayStream
from .sweep import (
    MixturePart as MixturePart,
    SweepConfig as SweepConfig,
    SweepReport as SweepReport,
    read_mixture as read_mixture,
    run_sweep as run_sweep,
)
