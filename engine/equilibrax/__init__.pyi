from . import (
    datasets as datasets,
    figures as figures,
    fits as fits,
    games as games,
    io as io,
    problems as problems,
    raters as raters,
    reports as reports,
    rows as rows,
    studies as studies,
    theory as theory,
    verification as verification,
)
from ._core.status import SolveError as SolveError, Status as Status
from ._core.version import __version__ as __version__
from .datasets import SweepConfig as SweepConfig, run_sweep as run_sweep
from .fits import nonnegative_least_squares as nonnegative_least_squares
from .games import (
    Aligned as Aligned,
    Anonymous as Anonymous,
    Dynamics as Dynamics,
    GradientSearch as GradientSearch,
    InformationMarket as InformationMarket,
    Joint as Joint,
    Nash as Nash,
    Obedient as Obedient,
    Oblivious as Oblivious,
    Personalized as Personalized,
    Quantal as Quantal,
    Selection as Selection,
    solve as solve,
)
from .io import (
    TableFileError as TableFileError,
    from_dataframe as from_dataframe,
    load_paper_table as load_paper_table,
    read_market as read_market,
    read_nfg as read_nfg,
    read_problems as read_problems,
    read_table_groups as read_table_groups,
    read_tables as read_tables,
    write_market as write_market,
    write_nfg as write_nfg,
    write_table as write_table,
)
from .problems import (
    DecisionLabels as DecisionLabels,
    DecisionProblem as DecisionProblem,
    Labels as Labels,
    Market as Market,
    NormalForm as NormalForm,
    PersuasionGame as PersuasionGame,
    UtilityTables as UtilityTables,
    concatenate as concatenate,
    from_arrays as from_arrays,
    from_dict as from_dict,
    from_integers as from_integers,
    general_market as general_market,
    random_games as random_games,
    random_markets as random_markets,
    random_problems as random_problems,
    sample_tables as sample_tables,
    separable_market as separable_market,
    tragedy_of_power as tragedy_of_power,
)
from .raters import alignment_curve as alignment_curve, read_raters as read_raters
from .reports import explore as explore
from .studies import catalog as catalog, compare as compare
from .theory import (
    bounds as bounds,
    efficiency as efficiency,
    misalignment as misalignment,
    value_of_information as value_of_information,
)
from .verification import verify as verify
