"""`python -m equilibrax` is the command `equilibrax`, and the installed script is this too."""

import os
import signal

if signal.getsignal(signal.SIGINT) is signal.default_int_handler:  # until the next import is done
    signal.signal(signal.SIGINT, lambda *_: (os.write(2, b"equilibrax: interrupted\n"), os._exit(130)))

from equilibrax._core.imports import start_quickly
from equilibrax._core.interrupts import end_at_once

end_at_once()  # before the imports that take long
start_quickly()

from equilibrax.cli import run  # noqa: E402

if __name__ == "__main__":
    run()
