from ._building import (
    batch_names as batch_names,
)
from ._building import (
    build_rows as build_rows,
)
from ._building import (
    status_words as status_words,
)
from .committees import (
    committee_rows as committee_rows,
)
from .committees import (
    table_rows as table_rows,
)
from .parquet import (
    iter_committees as iter_committees,
)
from .parquet import (
    read_committees as read_committees,
)
from .parquet import (
    read_users as read_users,
)
from .parquet import (
    write_parquet as write_parquet,
)
from .users import (
    market_rows as market_rows,
)
from .users import (
    user_rows as user_rows,
)
