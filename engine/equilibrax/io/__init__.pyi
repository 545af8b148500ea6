from .markets import read_market as read_market
from .markets import write_market as write_market
from .movielens import (
    MovieLens as MovieLens,
)
from .movielens import (
    MovieLensTargets as MovieLensTargets,
)
from .movielens import (
    movielens_table as movielens_table,
)
from .movielens import (
    movielens_targets as movielens_targets,
)
from .movielens import (
    read_movielens as read_movielens,
)
from .tables import (
    PAPER_TABLES as PAPER_TABLES,
)
from .tables import (
    TableFileError as TableFileError,
)
from .tables import (
    load_paper_table as load_paper_table,
)
from .tables import (
    read_tables as read_tables,
)
from .tables import (
    write_table as write_table,
)
