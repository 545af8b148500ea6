"""The columns of all rows, each declared once.

Whatever needs to know a column reads its declaration: schemas and values of rows, dataset cards and metadata, the
documents, verification. A new column is a declaration here; its values are the attribute of the result that has its
name, or come from an extractor in `equilibrax.rows`. Neither JAX nor Arrow is needed to read this module.

Letters: K providers, N users, X states, A actions, M messages; in decision problems W states, A acts, M items, J
sellers.
"""

from __future__ import annotations

from dataclasses import replace
from functools import partial
from typing import TYPE_CHECKING, Literal

from equilibrax._core.column import Column, type_name

if TYPE_CHECKING:
    import pyarrow as pa

Group = Literal["schemes", "equilibria", "weights", "efficiency", "robustness"]
"""Optional columns of a sweep."""

_COMPETITION, _PERSONALIZATION = "2509.15090", "2602.13451"
_PARETO = "Pallavi Sudhir and Tran-Thanh, Section 1"

# fmt: off


def _identity(key: str, noun: str, also: str = "") -> tuple[Column, ...]:
    what = f", as in `{also}`" if also else f"; with family, seed and sizes it determines the {noun}"
    return (
        Column(key, "int64", f"number of the {noun}{what}"),
        Column("family", "string", f"the {noun}'s own name, or the family of random {noun}s that it was drawn from"),
        Column("seed", "int64", "seed that it was drawn with"),
    )


_utility = partial(Column, type="float64", unit="utility", nullable=True)
_scheme = partial(Column, type="list of int16", size="X", nullable=True, group="schemes")
_partitions = partial(Column, group="partitions")
_searched = partial(Column, group="search")
_name = partial(Column, type="string", group="names")
_COMMITTEE_NAMES = _name("committee_names", meaning="the providers who compete, by name, joined by plus signs; a name "
                         "that has one is quoted")

_SIZES = (
    Column("states", "int32", "number of states, X"),
    Column("actions", "int32", "number of actions, A"),
    Column("num_providers", "int32", "number of providers, K"),
)
_PROBLEM_SIZES = (
    Column("states", "int32", "number of states, W"),
    Column("acts", "int32", "number of acts, A"),
    Column("num_items", "int32", "number of items of information, M"),
    Column("num_sellers", "int32", "number of sellers, J"),
)
_USERS = Column("users", "int32", "number of users, N")
_COMMITTEE = (
    Column("committee", "int32", "who competes, as a bitmask: bit j is provider j"),
    Column("committee_size", "int32", "how many compete"),
)
_OPTIMUM = _utility("optimum", meaning="the user's best attainable expected utility",
                    source=f"{_COMPETITION}, Definition 2")
_RESULTS = (
    _OPTIMUM,
    _utility("worst_utility", meaning="her smallest expected utility in any equilibrium; null if there is none"),
    _utility("best_utility", meaning="her largest expected utility in any equilibrium; null if there is none"),
    Column("equilibria", "int64", "number of equilibria; null for randomized rules", nullable=True),
)
_DYNAMICS = (
    _utility("dynamics_utility",
             meaning="her expected utility where best-response dynamics ends; null if it was not run"),
    Column("dynamics_steps", "int64", "number of moves until then", "moves", nullable=True),
)
_BENCHMARK = _utility(
    "benchmark", meaning="what a provider who wants what she wants would give her with what all of the committee know",
    source=f"{_COMPETITION}, Definition 8; {_PERSONALIZATION}, Definition 2.12")
_PROMISES = (
    _BENCHMARK,
    _utility("bound", meaning="the best of the papers' bounds whose hypothesis holds; null if there is none"),
    Column("bound_source", "string", "the theorem that the bound is of", nullable=True),
)
_STATUS = Column("status", "string",
                 "OK, or flags joined by bars that say what is missing; numbers that are missing are null")
_GAME = Column("game", "string", "the game that is played")
_RESPONSE = Column("response", "string", "how users respond: best or quantal")
_RATIONALITY = Column("rationality", "float64", "lambda of quantal response; null for the best response", "1 / utility",
                      f"{_COMPETITION}, Definition 12", nullable=True, exact=True)
_RESOLUTION = "fixed-point steps per unit of utility; `round(utility * resolution)` is what was solved"
_PRIOR = "weights of the states; the probability of x is `prior[x] / sum(prior)`"

_TABLE_ID = Column("table_id", "int64", "number of the table, as in `tables`")

COLUMNS: dict[str, tuple[Column, ...]] = {
    "text": (
        _TABLE_ID,
        Column("id", "string", "the question's: the table's number and what is asked"),
        Column("kind", "string", "what is asked: worst_utility, equilibria, departure or recommendation"),
        Column("game", "string", "the game in words: its rules, and everybody's utilities"),
        Column("question", "string", "what is asked, in words"),
        Column("prompt", "string", "all that a model is to read: game, question and how to answer"),
        Column("answer", "string", "the answer: an exact number, or a name"),
        Column("accepted", "list of string", "all right answers"),
        Column("choices", "list of string", "the names among which the answer is; none if it is a number"),
    ),
    "tables": (
        *_identity("table_id", "table"), *_SIZES,
        Column("resolution", "int32", _RESOLUTION, "steps / utility"),
        Column("user", "list of float64", "utilities of the user by state, then action", "utility", size="X A"),
        Column("provider_utilities", "list of float64", "utilities by provider, then state, then action", "utility",
               size="K X A"),
        Column("prior", "list of int32", _PRIOR, size="X"),
        Column("available", "list of bool", "which actions exist, by state, then action", size="X A"),
    ),
    "committees": (
        *_identity("table_id", "table", "tables"), *_SIZES, *_COMMITTEE, *_RESULTS, *_DYNAMICS,
        _utility("misalignment", source=f"{_COMPETITION}, Remark 5",
                 meaning="how far her utility is from a weighted sum of the committee's; null if it was not computed"),
        _utility("bound", source=f"{_COMPETITION}, Theorem 6",
                 meaning="what she gets at least in every equilibrium, optimum - 2 misalignment"),
        Column("intervals", "list of list of float64", unit="utility", size="2", group="lotteries",
               meaning="all that she can have in equilibrium, as disjoint closed intervals from below; times "
               "`resolution * sum(prior)`, ends are whole numbers"),
        _STATUS,
        replace(_GAME, group="partitions"),
        replace(_RESPONSE, group="partitions"),
        replace(_RATIONALITY, group="partitions"),
        _partitions("tolerance", "float64", "utilities under quantal response that differ by no more are equal",
                    "utility", exact=True),
        _partitions("worst_partition", "list of int8",
                    "labels of the states in the lexicographically first worst equilibrium", size="X", nullable=True),
        _searched("user_utility", "float64", "her expected utility in the profile that a search found", "utility"),
        _searched("provider_utility", "list of float64", "what members have there, 0 outside the committee", "utility",
                  size="K"),
        _searched("regret_lower", "float64", "the most that a member gains by a rule that is known", "utility"),
        _searched("regret", "float64", "the same where there is a bound beside it, else null", "utility",
                  nullable=True),
        _searched("regret_bound", "float64", "what no rule whatever gains any member more than; infinite if nothing is "
                  "proved", "utility"),
        _searched("certified", "bool", "whether these two meet for every member, to 1e-9 of its range; 1e-7 for a user "
                  "who responds quantally"),
        _searched("epsilon", "float64", "the profile is an epsilon-equilibrium for this number; null if that is not "
                  "certified, or more than the tolerance of the search", "utility", nullable=True),
        _searched("lotteries", "list of float64", "chances of messages by provider, state and message, 0 outside the "
                  "committee", size="K X M", exact=True),
        _scheme("worst_scheme", meaning="action in every state, the lexicographically first worst equilibrium"),
        _scheme("best_scheme", meaning="action in every state, the lexicographically first best equilibrium"),
        _scheme("dynamics_scheme", meaning="action in every state where best-response dynamics ends"),
        Column("equilibrium_schemes", "list of list of int16", size="X", nullable=True, group="equilibria",
               meaning="equilibria in lexicographic order, each the action in every state"),
        Column("equilibrium_schemes_cap", "int32", group="equilibria",
               meaning="at most so many are listed; there are more if `equilibria` is larger"),
        Column("misalignment_weights", "list of float64", size="K", nullable=True, group="weights",
               meaning="weights of the providers that attain the misalignment, 0 outside the committee"),
        _utility("misalignment_offset", meaning="the constant that goes with them", group="weights"),
        Column("efficient", "bool", nullable=True, group="efficiency", source=_PARETO,
               meaning="whether no lottery over actions is at least as good as the worst equilibrium for the user and "
               "all members, and better for one"),
        _utility("efficiency_gap", group="efficiency",
                 meaning="the most that some lottery gives all of them beyond the worst equilibrium"),
        Column("negishi_weights", "list of float64", size="1+K", nullable=True, group="efficiency",
               meaning="weights of the user and the providers, 0 outside the committee, whose sum the worst "
               "equilibrium maximizes if it is efficient, and that prove the gap if it is not"),
        Column("losses_survived", "int32", unit="members", nullable=True, group="robustness",
               meaning="how many members may leave, whoever they are, before the misalignment of those who stay "
               "exceeds 1e-6; null if it does with all of them"),
        _name("table_name", meaning="the table's name, with its id if several have the same"),
        _COMMITTEE_NAMES,
    ),
    "markets": (
        *_identity("market", "market"), *_SIZES, _USERS,
        Column("resolution", "int64", _RESOLUTION, "steps / utility"),
        Column("weight_resolution", "int64", "fixed-point steps per unit of weight", "steps / weight"),
        Column("user", "list of float64", "utilities by user, then state, then action", "utility", size="N X A"),
        Column("components", "list of float64", unit="utility", size="K N X A", meaning="F, what providers have from "
               "actions, by provider, user, state and action; null if the market is not separable", nullable=True),
        Column("weights", "list of float64", "lambda, what users weigh for providers", "weight", size="K N"),
        Column("tensor", "list of float64", unit="utility", size="K X A ... A", nullable=True,
               meaning="providers' utilities over all users' actions; null if the market is separable"),
        Column("prior", "list of int64", _PRIOR, size="X"),
        Column("available", "list of bool", "which actions exist, by user", size="N A"),
        Column("provider_sees", "list of int32", "labels of the states, what providers observe", size="K X"),
        Column("user_sees", "list of int32", "labels of the states, what users observe", size="N X"),
        Column("state_of", "list of int32", "labels of the states, equal where all utilities are the same", size="X"),
    ),
    "users": (
        *_identity("market", "market", "markets"), *_SIZES, _USERS,
        Column("game", "string", "personalized (a rule for every user) or anonymous (one public rule)",
               source=_PERSONALIZATION),
        Column("rules", "string",
               "obedience (partitions, and users respond) or delegation (actions, and users do what they say)"),
        _RESPONSE, _RATIONALITY,
        Column("tie_break", "string", "which provider a user takes who is indifferent"),
        *_COMMITTEE,
        Column("user", "int32", "number of the user"),
        *_RESULTS, *_PROMISES, *_DYNAMICS, _STATUS,
        _name("market_name", meaning="the market's name, with its id if several have the same"),
        _COMMITTEE_NAMES,
        _name("user_name", meaning="the user's name"),
    ),
    "problems": (
        *_identity("problem", "problem"), *_PROBLEM_SIZES,
        Column("resolution", "int64", _RESOLUTION, "steps / utility"),
        Column("prior", "list of int64", "weights of the states; the probability of w is `prior[w] / sum(prior)`",
               size="W"),
        Column("utility", "list of float64", "utilities by state, then act", "utility", size="W A"),
        Column("items", "list of int32", "what every item says in every state", size="M W"),
        Column("costs", "list of float64", "what showing an item costs its seller", "utility", size="M"),
        Column("owners", "list of int32", "the seller of every item", size="M"),
        Column("stakes", "list of float64", "what acts are worth to sellers, by seller, state and act; null if nothing",
               "utility", size="J W A", nullable=True),
    ),
    "depths": (
        *_identity("problem", "problem", "problems"), *_PROBLEM_SIZES,
        Column("mechanism", "string", "whether the buyer inspects before she pays: bazaar, or naive"),
        Column("buyer", "string", "face_value, or bayesian: she learns from what is shown rather than another"),
        Column("rounds", "string", "1, or fixed_point: sellers choose again until their choice stays"),
        Column("depth", "int32", "depth of the market; 0 is none"),
        _utility("first_best", meaning="the buyer's expected utility if she knows all items"),
        _utility("utility", meaning="her expected utility, payments apart; null if sellers' choices do not settle"),
        Column("harmed", "bool", "whether that is less than with no information; false if choices do not settle"),
        Column("shown", "list of int32", "the items that she knows at the end, by state, as bitmasks", size="W",
               nullable=True),
        Column("price", "list of float64", "price of the first item shown, by state; 0 if none is", "utility",
               size="W", nullable=True),
        Column("revenue", "list of float64", "what every seller is paid, in expectation", "utility", size="J",
               nullable=True),
        Column("choice_rounds", "int64", "how often sellers chose again"),
        _STATUS,
    ),
    "profiles": (
        *_identity("game_id", "game"),
        Column("players", "int32", "number of players, N"),
        Column("actions", "list of int32", "everybody's number of actions", size="N"),
        Column("equilibria", "int64", "number of the game's equilibria; a row each"),
        Column("symmetric_equilibria", "int64", nullable=True,
               meaning="how many of them all choose the same in; null if the game is not symmetric"),
        Column("profile", "list of int32", "everybody's action, from 0", size="N"),
        Column("profile_names", "string", "everybody's action by name, joined by commas"),
        Column("payoffs", "list of float64", "what everybody has", "payoff", size="N"),
        Column("efficient_profiles", "bool",
               "whether no other profile is at least as good for everybody and better for somebody"),
        Column("efficient", "bool", "whether no lottery over profiles is", source=_PARETO),
        Column("weakly_efficient", "bool", "whether no lottery over profiles is better for everybody"),
        Column("efficiency_gap", "float64", "the most that a lottery gives everybody beyond the profile", "payoff"),
        Column("negishi_weights", "list of float64", size="N", source=_PARETO,
               meaning="weights of payoffs whose sum it maximizes, if it is efficient; else they prove the gap"),
        Column("status", "string", "OK, or flags of the game joined by bars that say what is missing or goes round"),
    ),
    "comparison": (
        *_identity("table_id", "table"), *_SIZES,
        Column("line", "string", "name of the line: the game and what the user does"),
        _GAME,
        Column("user", "string", "what the user does: she follows, checks or responds quantally"),
        _RATIONALITY,
        Column("rules", "string", "what oblivious providers post", nullable=True),
        *_RESULTS, *_PROMISES,
        _utility("efficiency_gap", source=_PARETO, meaning="the most that some lottery over actions gives the user and "
                 "all providers beyond the worst equilibrium; null where that is not named"),
        _STATUS,
    ),
    "entry": (
        *_identity("market", "market")[:2],
        Column("newcomer", "int32", "number of the newcomer, from 0"),
        Column("user", "int32", "number of the user; the newcomer comes last and has nothing before"),
        Column("incumbent", "bool", "whether the user was there before"),
        _GAME,
        Column("beta", "float64", "what providers weigh the newcomer", "weight"),
        _OPTIMUM, _BENCHMARK,
        _utility("bound", meaning="what she was promised before", source=f"{_PERSONALIZATION}, Theorems 3.1 and 4.3"),
        *(replace(column, name=column.name.replace("utility", when).replace("equilibria", f"equilibria_{when}"),
                  meaning=f"{column.meaning}; {when} the newcomer entered")
          for column in _RESULTS[1:] for when in ("before", "after")),
        *(replace(_STATUS, name=f"status_{when}") for when in ("before", "after")),
    ),
}
"""Columns by kind of rows: the folders of datasets, and the rows of studies."""

# fmt: on


def declared(rows: str, *groups: str) -> tuple[Column, ...]:
    """The columns of a kind of rows (a key of `COLUMNS`) that all have, and those of the groups, in order.

    Example:
        >>> [column.name for column in declared("committees", "weights") if column.group]
        ['misalignment_weights', 'misalignment_offset']
    """
    return tuple(column for column in COLUMNS[rows] if column.group in ("", *groups))


def columns_of(rows: str, found: pa.Schema) -> list[Column]:
    """The columns of a file, with the types that it has; one that nobody declared is described by its name alone."""
    known = {column.name: column for column in COLUMNS.get(rows, ())}
    return [
        replace(known.get(field.name, Column(field.name, "", field.name.replace("_", " "))), type=type_name(field.type))
        for field in found
    ]
