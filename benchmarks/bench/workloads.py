"""What is solved: sizes, families of tables, and which engines take part.

A size is states x actions x providers. The first engine of a workload is the one that others are compared with.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace
from typing import Any, Literal

Kind = Literal[
    "selection",
    "solve",
    "dynamics",
    "joint",
    "joint-quantal",
    "misalignment",
    "sweep",
    "sweep-memory",
    "plot-memory",
    "new-shape",
    "command",
    "command-cpu",
    "bimatrix",
    "personalized",
    "curve-nnls",
    "curve-simplex",
]

RATIONALITY = 3.0
"""Of the quantal user of "joint-quantal"."""

NEAR = 1e-9
"""Of the same: players tell values apart that differ by more, in units of utility (the default of `solve`)."""

USERS = 10
"""Of every market of "personalized"."""

FOLDS = 5
"""Of the cross-validation of curves."""


@dataclass(frozen=True)
class Workload:
    """One thing to be timed.

    Attributes:
        name: as on the command line.
        kind: what is measured.
            "selection": worst equilibrium and number of equilibria of all committees; "solve": the same and their
            misalignment; "dynamics": selection and best-response dynamics.
            "joint": worst equilibrium and number of equilibria of all committees when the user hears everybody;
            "joint-quantal": the same with a quantal user.
            "misalignment": the LP of the full committee with all outcomes on both sides.
            "sweep": draw, solve and write to disk; "sweep-memory": peak memory of that; "plot-memory": of drawing its
            figures.
            "new-shape": solve tables of a shape that the process has not seen; "command": a command in a fresh process,
            see `bench.commands`; "command-cpu": the same in seconds of processor time.
            "bimatrix": pure equilibria of two-player games.
            "personalized": markets of `USERS` users each: worst equilibrium, number of equilibria and best-response
            dynamics of all committees and users; a table is one user's game.
            "curve-nnls", "curve-simplex": least squares on the first 1, 2, .., K raters of a permutation in `FOLDS`
            folds; a table is one permutation.
        states, actions, providers: X, A, K. A bimatrix game is actions x actions. A curve has items for states, one
            action, and raters for providers.
        engines: who takes part, the reference first.
        tables: most tables in one run; for "sweep" and "sweep-memory" the number of tables exactly.
        start: tables that a batched engine is first tried with; a fast engine then gets more, up to `tables`. A sweep
            of so many compiles, off the clock.
        family: "uniform", or "movielens": the paper's table, repeated; of a curve, the family of simulated raters.
        quick: the same workload in a size that is solved in no time, for checking answers.
        rounds: at most so many, where runs are long.
        tables_against: tables in one run of `AGAINST`, where it would take a minute for `tables`: its rate is compared.
    """

    name: str
    kind: Kind
    states: int
    actions: int
    providers: int
    engines: tuple[str, ...]
    tables: int
    start: int
    family: str = "uniform"
    quick: tuple[int, int, int] | None = None
    rounds: int | None = None
    tables_against: int | None = None

    @property
    def in_fresh_processes(self) -> bool:
        """Whether the engine only starts what is measured, or is measured from its birth."""
        return self.kind.endswith("-memory") or self.kind.startswith("command")

    @property
    def first_run_counts(self) -> bool:
        """Whether the run that prepares an engine is its first timed one: nothing is compiled ahead for it."""
        return self.kind == "new-shape" or self.in_fresh_processes

    @property
    def schemes(self) -> float:
        """Signaling schemes per table, A**X."""
        return float(self.actions) ** self.states

    @property
    def problems(self) -> int:
        """What a loop solves one by one, per table: the fits of a permutation, otherwise the table itself."""
        return FOLDS * self.providers if self.kind.startswith("curve") else 1

    @property
    def rows(self) -> int:
        """Inequalities of the misalignment LP: every outcome bounds the fit from both sides."""
        return 2 * self.states * self.actions

    def as_quick(self, tables: int = 8) -> Workload:
        """The tiny form, under the same name."""
        states, actions, providers = self.quick or (self.states, self.actions, self.providers)
        few = 64 if self.kind.startswith("sweep") else {"personalized": 2 * USERS}.get(self.kind, tables)
        few = min(self.tables, few)
        size = {"states": states, "actions": actions, "providers": providers}
        return replace(self, **size, tables=few, start=min(self.start, few), tables_against=None)

    def to_json(self) -> dict[str, Any]:
        """For the worker and for `bench.json`."""
        return {
            name: getattr(self, name)
            for name in ("name", "kind", "states", "actions", "providers", "tables", "start", "family")
        }


def from_json(fields: dict[str, Any]) -> Workload:
    """The other end of `Workload.to_json`."""
    return Workload(**fields, engines=())


AGAINST = "against"
"""The engine that is equilibrax at another revision."""

_OURS = ("equilibrax", "equilibrax_xla")
_C = ("c_dense", "c_frontier")
_LP = (*_OURS, "c_simplex", "daqp", "moreau", "highs", "scipy", "mpax")
_JOINT = (*_OURS, "c_subsets", AGAINST)
_QUANTAL = ("equilibrax", "c_subsets", AGAINST)


def _of_sizes() -> Iterator[Workload]:
    sizes: dict[tuple[int, int, int], tuple[tuple[str, ...], tuple[str, ...], int, int, tuple[int, int, int]]] = {
        # size: engines of selection, of dynamics, most tables, tables to start with, quick size. XLA's kernels
        # would compile for 13 to 25 seconds each where they are left out.
        (3, 3, 5): (
            (*_OURS, *_C, "numba_dense", "numpy", "python"),
            (*_OURS, "numba_dense", "numpy"),
            1 << 18,
            1 << 15,
            (3, 3, 3),
        ),
        (6, 3, 6): (
            (*_OURS, *_C, "numba_dense", "numpy"),
            (*_OURS, "numba_dense"),
            1 << 15,
            1 << 12,
            (4, 3, 3),
        ),
        (8, 4, 5): ((*_OURS, *_C, "numpy"), ("equilibrax",), 1 << 13, 1 << 10, (5, 4, 3)),
        (8, 8, 5): (("equilibrax", "c_frontier"), ("equilibrax",), 1 << 13, 1 << 9, (7, 3, 3)),
        (10, 10, 5): ((*_OURS, "c_frontier", AGAINST), ("equilibrax",), 1 << 12, 1 << 8, (7, 3, 3)),
        (20, 10, 5): (("equilibrax", "c_frontier", AGAINST), ("equilibrax",), 1 << 9, 1 << 6, (7, 3, 3)),
    }
    for size, (engines, played, tables, start, quick) in sizes.items():
        name = "x".join(map(str, size))
        yield Workload(f"selection-{name}", "selection", *size, engines, tables, start, quick=quick)
        yield Workload(f"dynamics-{name}", "dynamics", *size, played, tables, start, quick=quick)


def _curve(kind: Kind, engines: tuple[str, ...]) -> Workload:
    name, family = f"{kind}-100x1000", "systematic"
    return Workload(name, kind, 1_000, 1, 100, engines, tables=100, start=100, family=family, quick=(40, 1, 6))


def _command(name: str, *engines: str, kind: Kind = "command", **options: Any) -> Workload:
    """A run is one command in one process."""
    return Workload(f"command-{name}", kind, 3, 3, 5, ("equilibrax", *engines), tables=1, start=1, **options)


def _memory(kind: Literal["sweep-memory", "plot-memory"], tables: int) -> Workload:
    name = f"{kind}-1e{len(str(tables)) - 1}"
    return Workload(name, kind, 3, 3, 5, ("equilibrax",), tables, tables, rounds=1)


WORKLOADS: tuple[Workload, ...] = (
    *_of_sizes(),
    Workload("solve-3x3x5", "solve", 3, 3, 5, (*_OURS, AGAINST), 1 << 17, 1 << 15, quick=(3, 3, 3)),
    Workload("joint-12x5x5", "joint", 12, 5, 5, _JOINT, 1 << 10, 1 << 4, quick=(5, 3, 3)),
    Workload("joint-quantal-12x5x5", "joint-quantal", 12, 5, 5, _QUANTAL, 1 << 10, 1 << 4, quick=(5, 3, 3)),
    Workload("misalignment-5x54", "misalignment", 9, 3, 5, _LP, 1 << 17, 1 << 13, quick=(4, 3, 3)),
    Workload("misalignment-16x200", "misalignment", 10, 10, 16, _LP, 1 << 14, 1 << 10, quick=(4, 3, 5)),
    Workload(
        "personalized-10x6x3x5",
        "personalized",
        6,
        3,
        5,
        (*_OURS, "selection_alone"),
        1_000 * USERS,
        1_000 * USERS,
        quick=(3, 2, 2),
    ),
    _curve("curve-nnls", ("equilibrax", "daqp", "scipy", "jaxnnls")),
    _curve("curve-simplex", ("equilibrax", "daqp")),
    Workload(
        "sweep-3x3x5",
        "sweep",
        3,
        3,
        5,
        ("equilibrax", "kernels_alone", AGAINST),
        1_000_000,
        4096 + 1_000_000 % 4096,  # a shard of each size
        tables_against=1 << 18,
    ),
    Workload("movielens", "selection", 6, 3, 6, (*_OURS, *_C, "numpy"), 10_000, 10_000, family="movielens"),
    _memory("sweep-memory", 10_000),
    _memory("plot-memory", 10_000),  # of the sweep before
    _memory("sweep-memory", 1_000_000),
    _memory("plot-memory", 1_000_000),
    Workload("new-shape", "new-shape", 3, 3, 5, ("equilibrax", AGAINST), 1_000, 1_000, rounds=2),
    _command("import-warm", AGAINST, rounds=2),
    _command("first-solve-cold", AGAINST, rounds=1),
    _command("first-solve-warm", AGAINST, rounds=1),
    _command("solve-file-warm", AGAINST, rounds=1),
    _command("reproduce-cold", AGAINST, rounds=1),
    _command("reproduce-warm", AGAINST, rounds=1),
    _command("warmup-cold", kind="command-cpu", rounds=1),  # and leaves all loops for those below
    _command("compare-warm", AGAINST, rounds=1),
    _command("align-warm", AGAINST, rounds=1),
    Workload("bimatrix-6x6", "bimatrix", 1, 6, 2, ("jax", "numpy", "quantecon", "gambit"), 1_000, 1_000),
)

ENGINES = tuple(dict.fromkeys(engine for workload in WORKLOADS for engine in workload.engines))


def choose(names: tuple[str, ...]) -> list[Workload]:
    """The workloads named, or all.

    Raises:
        ValueError: on an unknown name.
    """
    known = {workload.name: workload for workload in WORKLOADS}
    unknown = [name for name in names if name not in known]
    if unknown:
        raise ValueError(f"--workload: expected some of {', '.join(known)}, got {unknown[0]!r}")
    return [known[name] for name in names] if names else list(WORKLOADS)
