"""The command `equilibrax`."""

from __future__ import annotations

import os
import sys
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from importlib import import_module
from typing import TYPE_CHECKING

from equilibrax.cli.manual import asks_for_help, stored_page, wrapped

if TYPE_CHECKING:
    from rich.console import Console

COMMANDS = {
    "reproduce": ("Reproduce", "Recompute Figures 5, 6 and 7 of the paper, exactly, and for random tables."),
    "solve": ("Solve", "Solve your own tables, for every committee of providers."),
    "sweep": ("Sweep", "Solve many random tables, in bounded memory, and keep every result."),
    "merge": ("Merge", "Check that a sweep is complete, and write its manifest and dataset card."),
    "verify": ("Verify", "Check a dataset by other means than those that made it."),
    "market": ("MarketCommand", "Solve markets of many users: personalized rules, or one public rule for all."),
    "entry": ("EntryCommand", "Let new users enter a market, and show what becomes of those who were there."),
    "information": (
        "Information",
        "Solve markets of information: who shows what to a buyer, and whether it helps her.",
    ),
    "compare": ("Compare", "Compare the user's utility in every game, for your tables or random ones."),
    "nash": ("NashCommand", "Find the pure equilibria of games in Gambit's files, and whether they are efficient."),
    "align": ("Align", "How closely mixtures of raters match a user, from your ratings or simulated ones."),
    "data": ("Data", "Fetch MovieLens, or write its utility table, from raw ratings."),
    "families": ("FamiliesCommand", "List the families of random problems: what is drawn, and from where."),
    "bench": ("Bench", "Say where the benchmark is that compares equilibrax with its peers."),
    "warmup": ("Warmup", "Compile the loops for CPUs ahead, which is done once per installation."),
    "explore": ("Explore", "Make a page to play with a market: one file, which solves in the browser."),
    "plot": ("Plot", "Draw the figures for any output of the other commands."),
}
"""Name of each command: the class in `equilibrax.cli.<name>` that runs it, and what it does."""

HELP = """\
usage: equilibrax COMMAND [options]        equilibrax COMMAND --help

equilibrax computes what happens when several AI providers, each misaligned in
its own way, compete for a user: the exact equilibria of best-provider
selection (Collina et al., Emergent Alignment via Competition, arXiv
2509.15090) and of markets with many users (Collina et al., Personalization
Aids Pluralistic Alignment Under Competition, arXiv 2602.13451), for every
committee of providers at once.

commands:
{commands}

options:
  --help, -h   this page; after a command, its manual page
  --version    the version

exit status: 0 done; 1 done, but some tables are not solved, or some shards of a
dataset are missing, and say so; 2 bad input, with one message and no output;
130 interrupted.

environment: NO_COLOR turns colours off; EQUILIBRAX_CACHE_DIR is where compiled
loops are kept.

Start with
  equilibrax reproduce --out reproduction
"""


def main(args: Sequence[str] | None = None) -> int:
    """Run the command line and return the exit status: 0 done, 1 some tables unsolved, 2 bad input, 130 interrupted.

    Help and the version come from files, and nothing is loaded for them.
    """
    args = sys.argv[1:] if args is None else list(args)
    if not args or args[0] in ("-h", "--help"):
        print(HELP.format(commands="\n".join(_listed())), end="")
        return 0 if args else 2
    if args[0] == "--version":
        from equilibrax._core.version import __version__

        print(f"equilibrax {__version__}")
        return 0
    if args[0] in COMMANDS and asks_for_help(args[1:]):
        page = stored_page(args[0], args[1:])
        if page is not None:
            print(page, end="")
            raise SystemExit(0)
    return _run(args)


def _listed() -> Iterator[str]:
    for name, (_, what) in COMMANDS.items():
        first, *more = wrapped(what, 15)
        yield f"  {name:<13}{first.lstrip()}"
        yield from more


def _run(args: Sequence[str]) -> int:
    """A command, with what it needs."""
    from equilibrax._core.interrupts import INTERRUPTED
    from equilibrax._core.messages import shortened
    from equilibrax._core.status import SolveError
    from equilibrax._core.suggestions import did_you_mean
    from equilibrax._core.text import Screen
    from equilibrax.cli._failures import NO_MEMORY, is_out_of_memory

    console = Screen(stderr=True, soft_wrap=True)
    if args[0] not in COMMANDS:
        expected = f"expected a command ({', '.join(COMMANDS)}), got {args[0]!r}{did_you_mean(args[0], COMMANDS)}"
        console.print(f"equilibrax: error: {expected}", markup=False)
        return 2
    flags: dict[str, list[str]] = {}
    try:
        from equilibrax.cli._flags import flags_with, parsed
        from equilibrax.cli.progress import said_while_waiting

        command_class = getattr(import_module(f"equilibrax.cli.{args[0]}"), COMMANDS[args[0]][0])
        if asks_for_help(args[1:]):
            from equilibrax.cli.manual.rendering import page_of

            print(page_of(command_class, args[1:], f"equilibrax {args[0]}"), end="")
            raise SystemExit(0)
        flags = flags_with(command_class, args[1:])
        command = parsed(command_class, args[1:], f"equilibrax {args[0]}")
        _use_all_cores()
        with _said(console), said_while_waiting(f"equilibrax {args[0]}"):
            return command.run(console)
    except BrokenPipeError:
        raise  # nobody reads stdout any more: `run` says so
    except KeyboardInterrupt:
        console.print(INTERRUPTED)
        return 130
    except Exception as error:
        if is_out_of_memory(error):
            console.print(f"equilibrax: error: {NO_MEMORY}", markup=False)
            return 2
        if not isinstance(error, ValueError | OSError | SolveError):
            raise
        # A message of our own, or of the operating system: what is wrong, without the reader's way through our code.
        from equilibrax.cli.flags.names import with_flags

        console.print(f"equilibrax: error: {shortened(with_flags(str(error), args[1:], flags))}", markup=False)
        return 2


@contextmanager
def _said(console: Console) -> Iterator[None]:
    """What readers say of files is on stderr, a line each, after the command; where it fails its error stands alone.

    So are warnings, of whatever library: without its place in our code.
    """
    import logging
    import warnings

    from equilibrax.cli._failures import Lines

    logger, kept = logging.getLogger("equilibrax"), Lines()
    level, propagate = logger.level, logger.propagate
    logger.addHandler(kept)
    logger.setLevel(logging.INFO)
    logger.propagate = False
    try:
        with warnings.catch_warnings():
            warnings.showwarning = kept.warned
            yield
    finally:
        logger.removeHandler(kept)
        logger.level, logger.propagate = level, propagate
    for line in kept.lines:
        console.print(line, markup=False)


def _use_all_cores() -> None:
    """One JAX device per core, unless the user chose otherwise: a kernel's sorts run on one core each.

    What is compiled for them is kept for the next command.
    """
    import jax

    from equilibrax._core.compile_cache import keep_programs

    keep_programs()
    if "XLA_FLAGS" not in os.environ and "JAX_NUM_CPU_DEVICES" not in os.environ:
        available = getattr(os, "sched_getaffinity", None)
        with suppress(RuntimeError):  # JAX runs already, with the devices that it has: `main` was called from Python
            jax.config.update("jax_num_cpu_devices", len(available(0)) if available else os.cpu_count() or 1)
    if (platforms := jax.config.jax_platforms) not in (None, "", "cpu"):  # pyright: ignore[reportAttributeAccessIssue]
        try:
            jax.devices()
        except Exception as error:  # JAX has no type for it: with some plugins it is a failed assertion
            why = f": {error}" if str(error) else ""
            raise ValueError(
                f"JAX_PLATFORMS: expected platforms that this machine has, such as cpu, got {platforms!r}{why}"
            ) from None


def run() -> None:
    """Run the command line and end with its exit status."""
    from equilibrax._core.interrupts import end_as_done, exit_interrupted
    from equilibrax.cli._failures import say_when_aborted, with_streams

    if len(sys.argv) > 1 and sys.argv[1] != "--version" and not asks_for_help(sys.argv[1:]):
        say_when_aborted()
    try:
        status = with_streams(main)
    except KeyboardInterrupt:  # after the command was done
        exit_interrupted()
    if status == 130:
        os._exit(130)  # threads that are still at work would be waited for

    end_as_done()
    sys.exit(status)
