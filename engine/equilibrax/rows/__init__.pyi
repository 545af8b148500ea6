from ._building import (
    batch_names as batch_names,
    build_rows as build_rows,
    status_words as status_words,
)
from .committees import committee_rows as committee_rows, table_rows as table_rows
from .frames import (
    FORMATS as FORMATS,
    as_pandas as as_pandas,
    format_of as format_of,
    join_rows as join_rows,
    names_in as names_in,
    result_rows as result_rows,
    rows_as as rows_as,
    select_rows as select_rows,
    write_rows as write_rows,
)
from .parquet import (
    iter_committees as iter_committees,
    read_committees as read_committees,
    read_users as read_users,
    write_parquet as write_parquet,
)
from .users import market_rows as market_rows, user_rows as user_rows
