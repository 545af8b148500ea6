"""The best-provider selection game, from options to a result."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, replace
from functools import partial
from typing import Any, ClassVar, Literal, get_args

import jax
import jax.numpy as jnp
import numpy as np
from jax.sharding import Mesh

from equilibrax._core.checks import check_choice, check_whole
from equilibrax._core.status import Status
from equilibrax.fits.chebyshev import FitOptions, certify
from equilibrax.games._equilibrium_schemes import equilibrium_schemes
from equilibrax.games._game import Compared, Game, GameLine
from equilibrax.games._options import Dynamics, Rationality, SelectionDynamics, TieBreak
from equilibrax.games.lotteries.engine import solve_lotteries
from equilibrax.games.lotteries.result import LotteryResult
from equilibrax.games.selection_engine import (
    MAX_CAPACITY,
    Program,
    choose_dense,
    first_capacity,
    solve_by_loops,
    solve_growing,
)
from equilibrax.games.selection_result import SelectionResult
from equilibrax.problems.slots import Prepared, prepare, to_actions
from equilibrax.problems.tables import UtilityTables, table_id_words

Method = Literal["auto", "dense", "frontier"]
SelectionRules = Literal["schemes", "lotteries"]


@dataclass(frozen=True)
class Selection(Game[SelectionResult]):
    """The user takes the provider that is best for her and does what it recommends (2509.15090, Section 7).

    A provider's rule is a scheme, from states to actions, or a lottery over actions in every state. Everybody is paid
    by the rule that is taken; all may post the selected rule f, and f is an equilibrium of committee C iff no provider
    j in C has a rule g with `v_0(g) > v_0(f)` and `v_j(g) > v_j(f)` (Definitions 16 and 17). A committee of one
    provider is a monopolist: its own optima only.

    Example:
        >>> import equilibrax as eq
        >>> lowest = eq.Selection(tie_break="lowest_index", dynamics=eq.Dynamics(order="random", seed=0))
        >>> eq.solve(eq.load_paper_table("synthetic-2"), lowest, committees=[0b00001, 0b11111]).equilibria.tolist()
        [[1, 1]]
    """

    name: ClassVar[str] = "selection"
    statuses: ClassVar[Status] = (
        Status.FRONTIER_OVERFLOW | Status.COUNT_SATURATED | Status.DYNAMICS_LIMIT | Status.MISALIGNMENT_UNCERTIFIED
    )

    tie_break: TieBreak = "incumbent"
    """Who wins the user when a deviation leaves her indifferent: never the deviator (incumbent, Section 7), or the
    lowest index (Definition 16), so that for the lowest provider `v_0(g) >= v_0(f)` is enough."""
    dynamics: SelectionDynamics = None
    """Whether to run best-response dynamics (Section 7.1): monopoly rules first, then in turn a provider that is not
    selected moves to its best rule among those strictly better for it and for the user. Schemes have it by default;
    lotteries have none, since among them there is no best rule of that kind."""
    misalignment: bool | FitOptions = True
    """Whether to compute the misalignment score (Remark 5) and the bound of Theorem 6."""
    method: Method = "auto"
    """List all schemes (dense), or only those stable for some provider (frontier); auto chooses by size. The answers
    are the same."""
    capacity: int | None = None
    """Candidate schemes to make room for at first (frontier); tables that need more are solved again."""
    max_capacity: int = MAX_CAPACITY
    """Where to give up on a table, with the status FRONTIER_OVERFLOW."""
    rules: SelectionRules = "schemes"
    """What providers may post: schemes, or lotteries over actions in every state (see `docs/lotteries.md`)."""

    def __post_init__(self) -> None:
        check_choice("tie_break", self.tie_break, get_args(TieBreak))
        check_choice("rules", self.rules, get_args(SelectionRules))
        if self.dynamics is None:
            object.__setattr__(self, "dynamics", self.rules == "schemes")
        turns = Dynamics.of(self.dynamics)
        if self.rules == "lotteries":
            if turns:
                raise ValueError(
                    f'dynamics: expected none with rules="lotteries", among which providers have no best reply, got '
                    f"{self.dynamics!r}"
                )
            for name in ("method", "capacity", "max_capacity"):
                usual, given = getattr(type(self), name), getattr(self, name)
                if given != usual:
                    raise ValueError(
                        f'{name}: expected the default {usual!r} with rules="lotteries", which are not listed, got '
                        f"{given!r}"
                    )
        if not isinstance(self.misalignment, bool | FitOptions) or (self.fit and self.fit.rows != "equilibrium"):
            raise ValueError(
                f"misalignment: expected True, False or FitOptions of equilibria, got {self.misalignment!r}"
            )
        check_choice("method", self.method, get_args(Method))
        check_whole("max_capacity", self.max_capacity, 1)
        if self.capacity is not None:
            check_whole("capacity", self.capacity, 1)

    @property
    def fit(self) -> FitOptions | None:
        """How misalignment is computed, if it is."""
        return (
            self.misalignment
            if isinstance(self.misalignment, FitOptions)
            else FitOptions()
            if self.misalignment
            else None
        )

    @property
    def groups(self) -> tuple[str, ...]:
        """Schemes; all equilibria and efficiency, if they are that; and if misalignment is computed, the weights that
        attain it, and what it survives."""
        listed = ("schemes", "equilibria", "efficiency") if self.rules == "schemes" else ("schemes",)
        return (*listed, "weights", "robustness") if self.fit else listed

    def idle(self) -> Iterable[tuple[Sequence[str], str]]:
        """Where all schemes are listed, none needs room."""
        return [(("capacity", "max_capacity"), 'beside method="frontier" or "auto"')] if self.method == "dense" else ()

    def without_loops(self, problem: UtilityTables) -> str:
        """Nothing: it has."""
        return ""

    def solve_xla(self, problem: UtilityTables, masks: np.ndarray, mesh: Mesh) -> SelectionResult:
        """B tables for C committees."""
        if self.rules == "lotteries":
            return self._drawn(problem, masks, mesh)
        return self._solved(problem, masks, partial(solve_growing, mesh=mesh))

    def solve_cpu(self, problem: UtilityTables, masks: np.ndarray) -> SelectionResult:
        """The same."""
        return (
            self._drawn(problem, masks, None)
            if self.rules == "lotteries"
            else self._solved(problem, masks, solve_by_loops)
        )

    def equilibrium_rules(
        self, problem: UtilityTables, b: int, masks: np.ndarray, how: Rationality, limit: int
    ) -> list[np.ndarray]:
        """Schemes of table b."""
        if self.rules == "lotteries":
            raise ValueError("of: expected equilibria that can be listed; lotteries have intervals of them")
        table = problem[b : b + 1]
        return [equilibrium_schemes(table, mask, tie_break=self.tie_break, limit=limit) for mask in masks.tolist()]

    def _solved(self, problem: UtilityTables, masks: np.ndarray, solver: Callable[..., Any]) -> SelectionResult:
        prepared, turns = prepare(problem), Dynamics.of(self.dynamics)
        minimal = turns is not None and turns.deviation == "minimal"
        program = program_of(prepared, self, self.fit, minimal)
        if turns:
            random = turns.order == "random"
            program = replace(program, dynamics=True, minimal=minimal, random=random, step_limit=turns.step_limit)
        keys = table_keys(problem.table_id, turns) if turns else np.zeros((len(problem), 2), np.uint32)
        raw, retries = solver(prepared, keys, masks, program, self.max_capacity)
        return _assemble(self, problem, prepared, masks, raw, program, retries)

    def _drawn(self, problem: UtilityTables, masks: np.ndarray, mesh: Mesh | None) -> LotteryResult:
        """With lotteries."""
        prepared = prepare(problem)
        raw, retries = solve_lotteries(prepared, masks, self.tie_break == "lowest_index", self.fit, mesh)
        status, fit = np.zeros(raw["worst"].shape, np.int32), None
        if self.fit is not None:
            fit = certify(prepared, raw, masks, self.fit, skip=np.zeros(len(status), bool))
            status[~fit.certified] |= int(Status.MISALIGNMENT_UNCERTIFIED)
        return LotteryResult(
            game=self,
            committees=masks,
            optimum_value=raw["optimum"],
            worst_value=raw["worst"],
            best_value=raw["best"],
            equilibria=np.where(raw["unique"], 1, -1),
            worst_scheme=to_actions(raw["worst_scheme"], prepared.actions_of_slots),
            interval_count=raw["interval_count"],
            interval_values=raw["ends"],
            dynamics_value=None,
            dynamics_scheme=None,
            dynamics_steps=None,
            fit=fit,
            status=status,
            retries=retries,
            tables=problem,
        )

    def outcomes_to_fit(
        self, prepared: Prepared, masks: np.ndarray, options: FitOptions, mesh: Mesh | None
    ) -> tuple[dict[str, Any], np.ndarray]:
        """What `certify` takes, of scores that are fitted to equilibria, and `[B]` which tables were not solved.

        Without a mesh, by loops.
        """
        if self.rules == "lotteries":
            raw, _ = solve_lotteries(prepared, masks, self.tie_break == "lowest_index", options, mesh)
            return raw, np.zeros(len(raw["worst"]), bool)
        program, keys = program_of(prepared, self, options), np.zeros((len(prepared), 2), np.uint32)
        solver = solve_by_loops if mesh is None else partial(solve_growing, mesh=mesh)
        raw, _ = solver(prepared, keys, masks, program, self.max_capacity)
        return raw, raw["overflow"]

    @classmethod
    def compared(cls, lambdas: tuple[float, ...], tolerance: float) -> tuple[Compared, ...]:
        """The user follows, one provider or the best of all, with schemes and with lotteries."""
        alone = GameLine("monopolist, followed", "monopolist", "follows")
        line = GameLine("selection, followed", cls.name, "follows")
        drawn = GameLine("selection, lotteries", cls.name, "follows", rules="randomized")
        return (
            Compared(cls(dynamics=False), (line,), alone, each=True, place=20),
            Compared(cls(rules="lotteries"), (drawn,), place=21),
        )


def program_of(prepared: Prepared, game: Selection, fit: FitOptions | None, every_scheme: bool = False) -> Program:
    """The solver of equilibria, without dynamics."""
    dense = choose_dense(prepared, game.method, every_scheme)
    return Program(
        resolution=prepared.resolution,
        ties=game.tie_break == "lowest_index",
        dynamics=False,
        minimal=False,
        random=False,
        step_limit=0,
        capacity=0 if dense else first_capacity(prepared, game.capacity, game.max_capacity),
        hashed=False,
        fit=fit,
    )


def table_keys(table_id: np.ndarray, turns: Dynamics | None) -> np.ndarray:
    """`[B, 2]` raw key data: one random stream per table id."""
    if turns is None or turns.order != "random":
        return np.zeros((len(table_id), 2), np.uint32)
    key = turns.seed
    if isinstance(key, int | np.integer) and not isinstance(key, bool):
        key = jax.random.key(int(key), impl="threefry2x32")
    elif not (isinstance(key, jax.Array) and jnp.issubdtype(key.dtype, jax.dtypes.prng_key) and key.ndim == 0):
        raise ValueError(f"seed: expected a JAX random key (jax.random.key) or an integer seed, got {key!r}")
    # One stream per table id, whatever generator the key is of.
    key = jax.random.wrap_key_data(jax.random.bits(key, (2,), jnp.uint32), impl="threefry2x32")

    @jax.vmap
    def fold(words):
        return jax.random.key_data(jax.random.fold_in(jax.random.fold_in(key, words[0]), words[1]))

    return np.asarray(fold(jnp.asarray(table_id_words(table_id))))


def _assemble(game: Selection, tables, prepared: Prepared, masks, raw, program: Program, retries) -> SelectionResult:
    """Integers to a result: action numbers of the table, statuses, certified misalignment."""
    overflow = raw["overflow"]
    status = np.zeros((len(overflow), len(masks)), np.int32)
    status[overflow] = int(Status.FRONTIER_OVERFLOW)

    def mark(where: np.ndarray, flag: Status) -> None:
        if where.any():
            status[where & ~overflow[:, None]] |= int(flag)

    mark(raw["count_saturated"], Status.COUNT_SATURATED)
    if program.dynamics:
        mark(~raw["dynamics_ended"], Status.DYNAMICS_LIMIT)
    fit = None
    if program.fit is not None:
        fit = certify(prepared, raw, masks, program.fit, skip=overflow)
        mark(~fit.certified, Status.MISALIGNMENT_UNCERTIFIED)

    def without_unsolved(values: np.ndarray) -> np.ndarray:
        if overflow.any():
            values[overflow] = -1
        return values

    def number(name: str) -> np.ndarray:
        return without_unsolved(raw[name].astype(np.int64, copy=False))

    def scheme(name: str) -> np.ndarray:
        return without_unsolved(to_actions(raw[name], prepared.actions_of_slots))

    return SelectionResult(
        game=game,
        committees=masks,
        optimum_value=raw["optimum"],
        worst_value=number("worst"),
        best_value=number("best"),
        equilibria=number("count"),
        worst_scheme=scheme("worst_scheme"),
        dynamics_value=number("dynamics") if program.dynamics else None,
        dynamics_scheme=scheme("dynamics_scheme") if program.dynamics else None,
        dynamics_steps=number("dynamics_steps") if program.dynamics else None,
        fit=fit,
        status=status,
        retries=retries,
        tables=tables,
    )
