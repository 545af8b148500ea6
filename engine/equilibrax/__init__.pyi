from . import (
    datasets as datasets,
)
from . import (
    figures as figures,
)
from . import (
    fits as fits,
)
from . import (
    games as games,
)
from . import (
    io as io,
)
from . import (
    problems as problems,
)
from . import (
    raters as raters,
)
from . import (
    reports as reports,
)
from . import (
    rows as rows,
)
from . import (
    studies as studies,
)
from . import (
    theory as theory,
)
from . import (
    verification as verification,
)
from ._core.status import (
    SolveError as SolveError,
)
from ._core.status import (
    Status as Status,
)
from ._core.version import __version__ as __version__
from .datasets import (
    SweepConfig as SweepConfig,
)
from .datasets import (
    run_sweep as run_sweep,
)
from .fits import (
    nonnegative_least_squares as nonnegative_least_squares,
)
from .games import (
    Aligned as Aligned,
)
from .games import (
    Anonymous as Anonymous,
)
from .games import (
    Dynamics as Dynamics,
)
from .games import (
    Joint as Joint,
)
from .games import (
    Obedient as Obedient,
)
from .games import (
    Oblivious as Oblivious,
)
from .games import (
    Personalized as Personalized,
)
from .games import (
    Quantal as Quantal,
)
from .games import (
    Selection as Selection,
)
from .games import (
    solve as solve,
)
from .io import (
    TableFileError as TableFileError,
)
from .io import (
    load_paper_table as load_paper_table,
)
from .io import (
    read_market as read_market,
)
from .io import (
    read_tables as read_tables,
)
from .io import (
    write_market as write_market,
)
from .io import (
    write_table as write_table,
)
from .problems import (
    Labels as Labels,
)
from .problems import (
    Market as Market,
)
from .problems import (
    PersuasionGame as PersuasionGame,
)
from .problems import (
    UtilityTables as UtilityTables,
)
from .problems import (
    concatenate as concatenate,
)
from .problems import (
    from_arrays as from_arrays,
)
from .problems import (
    from_integers as from_integers,
)
from .problems import (
    general_market as general_market,
)
from .problems import (
    random_markets as random_markets,
)
from .problems import (
    sample_tables as sample_tables,
)
from .problems import (
    separable_market as separable_market,
)
from .raters import (
    alignment_curve as alignment_curve,
)
from .raters import (
    read_raters as read_raters,
)
from .studies import (
    compare as compare,
)
from .theory import (
    bounds as bounds,
)
from .theory import (
    misalignment as misalignment,
)
from .verification import (
    verify as verify,
)
