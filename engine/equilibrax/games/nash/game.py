"""Games in normal form: pure Nash equilibria, commitment, best-response dynamics and quantal response."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache, partial
from itertools import permutations
from math import factorial, prod
from typing import Any, ClassVar

import jax
import numpy as np
from equilibrax_kernels.normal_form.logit import logit_branch
from equilibrax_kernels.normal_form.pure import commitment, pure_equilibria, symmetric_games
from equilibrax_kernels.normal_form.replies import replies
from jax.sharding import Mesh

from equilibrax._core.batching import batch_mesh, by_rows, chunk_size, cores, over_batch, run_in_chunks
from equilibrax._core.checks import check_numbers, shown
from equilibrax._core.committees import Committees
from equilibrax._core.status import Status
from equilibrax.games._game import Compared, Game
from equilibrax.games._options import Dynamics, InTurn
from equilibrax.games.nash.result import LogitBranch, NashResult
from equilibrax.problems.normal_form import NormalForm

MOST_ORDERS = 120
"""Orders of players that `commitment=True` lists: those of five."""


@dataclass(frozen=True)
class Nash(Game[NashResult]):
    """Every player chooses once, and nobody gains by choosing something else: Nash equilibria in pure strategies.

    All profiles are compared, so all pure equilibria are found. A game may have none, which is an answer
    (`Status.NO_EQUILIBRIUM`); so is a best-response dynamics that goes round for ever (`Status.CYCLE`).

    Example:
        >>> import equilibrax as eq
        >>> result = eq.solve(eq.tragedy_of_power(), eq.Nash(commitment=True))
        >>> result.equilibria.tolist(), result.profile_names(0)
        ([1], [('no Build', 'Kill')])
        >>> result.committed_names(0, ("AI", "Humanity"))
        ('Build', 'no Kill')
    """

    name: ClassVar[str] = "nash"
    over: ClassVar[tuple[type[Any], ...]] = (NormalForm,)
    answers: ClassVar[Status] = Status.NO_EQUILIBRIUM | Status.CYCLE
    statuses: ClassVar[Status] = answers | Status.DYNAMICS_LIMIT | Status.BRANCH_LIMIT

    dynamics: InTurn = True
    """Whether to run best-response dynamics: in turn, a player that has a better reply moves to the best (of several,
    the lowest). It may go round for ever, which shows when a profile comes back with the same turn."""
    start: tuple[int, ...] = ()
    """The profile where the dynamics begins, an action of each player; nothing is everybody's first."""
    commitment: bool = False
    """Whether to find what is played where the players commit one after the other, for every order of at most five."""
    logit: Sequence[float] = ()
    """Lambdas, in units of 1 / payoff, at which to find the principal branch of logit quantal-response equilibria: the
    one that begins at lambda = 0 with everybody mixing evenly, where it first passes each."""

    def __post_init__(self) -> None:
        Dynamics.in_turn(self.dynamics, self.name)
        if not isinstance(self.commitment, bool | np.bool_):
            raise ValueError(f"commitment: expected True or False, got {self.commitment!r}")
        rates = check_numbers("logit", self.logit, 0)
        if rates.ndim != 1:
            raise ValueError(f"logit: expected a list of lambdas, got {shown(self.logit)}")
        object.__setattr__(self, "logit", tuple(rates.tolist()))
        start = np.asarray(self.start if len(self.start) else np.zeros(0, int))
        if start.ndim != 1 or start.dtype.kind not in "iu" or (start < 0).any():
            raise ValueError(f"start: expected an action's number for each player, got {shown(self.start)}")
        object.__setattr__(self, "start", tuple(start.tolist()))

    def accept(self, problem: Any) -> NormalForm:
        """The games, if the options fit them."""
        games = super().accept(problem)
        actions = games.num_actions
        if self.start and (len(self.start) != len(actions) or any(a >= most for a, most in zip(self.start, actions))):
            raise ValueError(f"start: expected an action of each player, who have {list(actions)}, got {self.start}")
        if self.commitment and factorial(len(actions)) > MOST_ORDERS:
            raise ValueError(f"commitment: expected at most 5 players, whose orders are listed, got {len(actions)}")
        if games.num_profiles * games.num_players >= 2**31:
            raise ValueError(f"tables: expected games of less than 2**31 payoffs, got {list(games.payoffs.shape[1:])}")
        return games

    def masks(self, problem: Any, committees: Committees) -> np.ndarray:
        """Everybody plays: there is one committee."""
        if not (isinstance(committees, str) and committees == "all"):
            raise ValueError(f'committees: expected "all" in the nash game, which everybody plays, got {committees!r}')
        return np.ones(1, np.int32)

    def committees_of(self, providers: int) -> int:
        """Of any number of players there is one."""
        return 1

    def without_loops(self, problem: NormalForm) -> str:
        """Nothing: it has."""
        return ""

    def orders(self, players: int) -> tuple[tuple[int, ...], ...]:
        """The orders in which players commit."""
        return tuple(permutations(range(players))) if self.commitment else ()

    def solve_cpu(self, problem: NormalForm, masks: np.ndarray) -> NashResult:
        """By loops over profiles; the quantal branch, whose work is linear algebra, by XLA."""
        from equilibrax_kernels.cpu.normal_form import solve_games

        turns, actions = Dynamics.of(self.dynamics), problem.num_actions
        start = self._start(actions) if turns else None
        limit = turns.step_limit if turns else 0
        orders = self.orders(len(actions))
        found = solve_games(problem.flat, actions, orders, start=start, step_limit=limit, threads=cores())
        return self._result(problem, found, batch_mesh())

    def solve_xla(self, problem: NormalForm, masks: np.ndarray, mesh: Mesh) -> NashResult:
        """The same by kernels."""
        turns, actions = Dynamics.of(self.dynamics), problem.num_actions
        start = self._start(actions) if turns else -1
        limit = turns.step_limit if turns else 0
        profiles, players = prod(actions), len(actions)
        chunk = chunk_size(len(problem), profiles * players * (16 + 4 * bool(turns) + 32 * self.commitment), mesh)
        with jax.enable_x64(True):
            program = _compiled(actions, self.orders(players), start, limit, mesh)
            found = run_in_chunks(program, problem.flat, (), chunk, mesh)
        return self._result(problem, found, mesh)

    def _start(self, actions: tuple[int, ...]) -> int:
        number = 0
        for action, count in zip(self.start or (0,) * len(actions), actions):
            number = number * count + action
        return number

    def _result(self, problem: NormalForm, found: dict[str, np.ndarray], mesh: Mesh) -> NashResult:
        actions, count = problem.num_actions, found["count"].astype(np.int64)
        status = np.where(count == 0, int(Status.NO_EQUILIBRIUM), 0).astype(np.int32)
        numbers: dict[str, Any] = {}
        if "profile" in found:
            status[found["cycle"] > 0] |= int(Status.CYCLE)
            status[~found["ended"]] |= int(Status.DYNAMICS_LIMIT)
            numbers = {name: found[name].astype(np.int64) for name in ("steps", "cycle")}
            numbers["profile"] = _actions(found["profile"], actions)
        branch = None
        if self.logit:
            branch = _branch(problem, np.asarray(self.logit, np.float64), mesh)
            status[~branch.reached.all(axis=1)] |= int(Status.BRANCH_LIMIT)
        return NashResult(
            game=self,
            games=problem,
            equilibrium=found["stable"].reshape(len(problem), *actions),
            equilibria=count,
            symmetric=found["symmetric"],
            dynamics_profile=numbers.get("profile"),
            dynamics_steps=numbers.get("steps"),
            dynamics_cycle=numbers.get("cycle"),
            committed=_actions(found["committed"], actions) if self.commitment else None,
            logit=branch,
            status=status,
        )

    @classmethod
    def compared(cls, lambdas: tuple[float, ...], tolerance: float) -> tuple[Compared, ...]:
        """Nothing: comparisons are of tables."""
        return ()


def _actions(numbers: np.ndarray, actions: tuple[int, ...]) -> np.ndarray:
    """Numbers of profiles as everybody's actions, `[..., N]` int32."""
    return np.stack(np.unravel_index(numbers, actions), axis=-1).astype(np.int32)


@lru_cache(maxsize=64)
def _compiled(actions: tuple[int, ...], orders: tuple[tuple[int, ...], ...], start: int, limit: int, mesh: Mesh) -> Any:
    def solve(payoffs: jax.Array, shared: Any) -> dict[str, jax.Array]:
        stable = pure_equilibria(payoffs, actions)
        found = {"stable": stable, "count": stable.sum(axis=0), "symmetric": symmetric_games(payoffs, actions)}
        if orders:
            found["committed"] = commitment(payoffs, actions, orders)
        if start >= 0:
            one = partial(replies, actions=actions, start=start, step_limit=limit)
            found |= jax.vmap(one, in_axes=-1)(payoffs)._asdict()
        return found

    return over_batch(solve, mesh)


def _branch(problem: NormalForm, rates: np.ndarray, mesh: Mesh) -> LogitBranch:
    """The principal branch at these lambdas, whatever their order; payoffs are scaled to 1 for it."""
    low = problem.flat.min(axis=2, keepdims=True)
    steps = (problem.flat - low).astype(np.float64)
    largest = np.maximum(steps.max(axis=(1, 2)), 1.0)
    order = np.argsort(rates, kind="stable")
    with np.errstate(over="ignore"):  # infinite ones are not solved, and their status says so
        scaled = rates[order] * (largest / problem.resolution)[:, None]
    size = sum(problem.num_actions) + 1
    chunk = chunk_size(len(problem), 8 * (size**2 * 8 + 4 * problem.num_profiles * size), mesh)
    with jax.enable_x64(True):
        program = _compiled_branch(problem.num_actions, mesh)
        found = run_in_chunks(program, (steps / largest[:, None, None], scaled), (), chunk, mesh)
    back = np.argsort(order, kind="stable")
    strategy, residual, reached = (found[name][:, back] for name in ("strategy", "residual", "reached"))
    strategy = np.where(reached[..., None], strategy, np.nan)
    return LogitBranch(rates, strategy, np.where(reached, residual, np.nan), reached, problem.num_actions)


@lru_cache(maxsize=64)
def _compiled_branch(actions: tuple[int, ...], mesh: Mesh) -> Any:
    one = partial(logit_branch, actions=actions)
    return over_batch(by_rows(lambda batched, _: jax.vmap(one)(*batched)._asdict()), mesh)
