from ._building import (
    batch_names as batch_names,
    build_rows as build_rows,
    numbered as numbered,
    status_words as status_words,
)
from .committees import (
    committee_rows as committee_rows,
    iter_committees as iter_committees,
    read_committees as read_committees,
    table_rows as table_rows,
    write_parquet as write_parquet,
)
from .users import (
    market_rows as market_rows,
    read_users as read_users,
    user_rows as user_rows,
)
