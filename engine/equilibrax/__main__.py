"""`python -m equilibrax` is the command `equilibrax`."""

from equilibrax.cli import run

run()
