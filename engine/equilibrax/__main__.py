"""`python -m equilibrax` is the command `equilibrax`."""

from equilibrax.commands import run

run()
