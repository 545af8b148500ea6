"""What the columns of datasets mean: for their cards, their metadata and the documentation."""

from __future__ import annotations

MEANINGS: dict[str, dict[str, str]] = {
    "tables": {
        "table_id": "number of the table; with family, seed and sizes it determines the table",
        "family": "family of random tables that it was drawn from",
        "seed": "seed that it was drawn with",
        "states": "number of states, X",
        "actions": "number of actions, A",
        "num_providers": "number of providers, K",
        "resolution": "fixed-point steps per unit of utility; `round(utility * resolution)` is what was solved",
        "user": "utilities of the user, X A numbers by state, then action",
        "providers": "utilities of the providers, K X A numbers by provider, then state, then action",
        "prior": "weights of the states; the probability of x is `prior[x] / sum(prior)`",
        "available": "which actions exist, X A truth values by state, then action",
    },
    "committees": {
        "table_id": "number of the table, as in `tables`",
        "family": "family of random tables that it was drawn from",
        "seed": "seed that it was drawn with",
        "states": "number of states, X",
        "actions": "number of actions, A",
        "providers": "number of providers, K",
        "committee": "who competes, as a bitmask: bit j is provider j",
        "committee_size": "how many compete",
        "optimum": "the user's best attainable expected utility",
        "worst_utility": "her smallest expected utility in any equilibrium",
        "best_utility": "her largest expected utility in any equilibrium",
        "equilibria": "number of equilibria; null for randomized rules",
        "dynamics_utility": "her expected utility where best-response dynamics ends; null if it was not run",
        "dynamics_steps": "number of deviations until then",
        "misalignment": "how far her utility is from a weighted sum of the committee's (2509.15090, Remark 5)",
        "bound": "what she gets at least in every equilibrium, optimum - 2 misalignment (2509.15090, Theorem 6)",
        "status": "OK, or flags joined by bars that say what is missing; numbers that are missing are null",
        "game": "the game that is played",
        "response": "how the user responds: best or quantal",
        "rationality": "lambda of quantal response; null for the best response",
        "tolerance": "utilities under quantal response that differ by no more are equal",
        "worst_partition": "labels of the states in the lexicographically first worst equilibrium",
        "worst_scheme": "action in every state, the lexicographically first worst equilibrium",
        "best_scheme": "action in every state, the lexicographically first best equilibrium",
        "dynamics_scheme": "action in every state where best-response dynamics ends",
        "equilibrium_schemes": "equilibria, each the action in every state, in lexicographic order",
        "equilibrium_schemes_cap": "at most so many are listed; there are more if `equilibria` is larger",
        "misalignment_weights": "weights of the providers that attain the misalignment, 0 outside the committee",
        "misalignment_offset": "the constant that goes with them",
    },
    "markets": {
        "market": "number of the market; with family, seed and sizes it determines the market",
        "family": "family of random markets that it was drawn from",
        "seed": "seed that it was drawn with",
        "states": "number of states, X",
        "actions": "number of actions, A",
        "users": "number of users, N",
        "providers": "number of providers, K",
        "resolution": "fixed-point steps per unit of utility",
        "weight_resolution": "fixed-point steps per unit of weight",
        "user": "utilities of the users, N X A numbers by user, then state, then action",
        "components": "F, what providers have from actions, K N X A numbers by provider first; null if not separable",
        "weights": "lambda, what users weigh for providers, K N numbers by provider first",
        "tensor": "providers' utilities over all users' actions, K X A ... A numbers; null if separable",
        "prior": "weights of the states; the probability of x is `prior[x] / sum(prior)`",
        "available": "which actions exist, N A truth values by user",
        "provider_sees": "labels of the states, what providers observe, K X numbers",
        "user_sees": "labels of the states, what users observe, N X numbers",
        "state_of": "labels of the states, which of them are the same to all utilities",
    },
    "users": {
        "market": "number of the market, as in `markets`",
        "family": "family of random markets that it was drawn from",
        "seed": "seed that it was drawn with",
        "states": "number of states, X",
        "actions": "number of actions, A",
        "providers": "number of providers, K",
        "users": "number of users, N",
        "game": "personalized (a rule for every user) or anonymous (one public rule), 2602.13451",
        "rules": "obedience (partitions, and users respond) or delegation (actions, and users do what they say)",
        "response": "how users respond: best or quantal",
        "rationality": "lambda of quantal response; null for the best response",
        "tie_break": "which provider a user takes who is indifferent",
        "committee": "who competes, as a bitmask: bit j is provider j",
        "committee_size": "how many compete",
        "user": "number of the user",
        "optimum": "the user's best attainable expected utility",
        "worst_utility": "her smallest expected utility in any equilibrium; null if there is none",
        "best_utility": "her largest expected utility in any equilibrium",
        "equilibria": "number of equilibria",
        "benchmark": "what a provider who wants what she wants would give her with what all of the committee know",
        "bound": "the best of the paper's bounds whose hypothesis holds; null if there is none",
        "bound_source": "the theorem that it is of",
        "dynamics_utility": "her expected utility where best-response dynamics ends; null if it was not run",
        "dynamics_steps": "number of moves until then",
        "status": "OK, or flags joined by bars that say what is missing; numbers that are missing are null",
    },
}
"""By folder, then by column. Columns that are absent here are described by their name alone."""


def meaning(kind: str, column: str) -> str:
    """What a column of a folder means."""
    return MEANINGS.get(kind, {}).get(column, column.replace("_", " "))


def column_table(kind: str, columns: dict[str, str]) -> str:
    """Markdown: a line per column.

    Args:
        kind: "tables" or "committees".
        columns: names and types.

    Example:
        >>> print(column_table("tables", {"seed": "int64"}))
        | column | type | |
        |---|---|---|
        | `seed` | int64 | seed that it was drawn with |
    """
    lines = [f"| `{name}` | {kind_of} | {meaning(kind, name)} |" for name, kind_of in columns.items()]
    return "\n".join(["| column | type | |", "|---|---|---|", *lines])
