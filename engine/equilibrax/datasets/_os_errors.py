"""What to do about errors of the operating system: shards that are done are whole, the same command goes on."""

from __future__ import annotations

import errno
from collections.abc import Iterator
from contextlib import contextmanager

AGAIN = "every shard that was done is whole; give the same command again to go on"
HOW = {
    errno.ENOSPC: f"make room; {AGAIN}",
    errno.EDQUOT: f"make room; {AGAIN}",
    errno.EACCES: f"make it writable; {AGAIN}",
    errno.EPERM: f"make it writable; {AGAIN}",
    errno.EROFS: f"make it writable; {AGAIN}",
}


@contextmanager
def saying_how_to_go_on() -> Iterator[None]:
    """Errors of the operating system, with what to do about them."""
    try:
        yield
    except OSError as error:
        if error.errno is None:
            raise
        how = HOW.get(error.errno, AGAIN)
        raise OSError(error.errno, f"{error.strerror}; {how}", error.filename) from error
