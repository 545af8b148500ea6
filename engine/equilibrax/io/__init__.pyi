from .frames import from_dataframe as from_dataframe, market_from_dataframe as market_from_dataframe
from .given import as_problem as as_problem
from .markets import read_market as read_market, write_market as write_market
from .movielens import (
    MovieLens as MovieLens,
    MovieLensTargets as MovieLensTargets,
    movielens_table as movielens_table,
    movielens_targets as movielens_targets,
    read_movielens as read_movielens,
)
from .nfg import read_nfg as read_nfg, write_nfg as write_nfg
from .tables import (
    PAPER_TABLES as PAPER_TABLES,
    TableFileError as TableFileError,
    load_paper_table as load_paper_table,
    read_table_groups as read_table_groups,
    read_tables as read_tables,
    write_table as write_table,
)
