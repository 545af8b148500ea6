"""Games in normal form by name: the example of Pallavi Sudhir and Tran-Thanh, "Economic models of alignment"."""

from __future__ import annotations

from equilibrax.problems.normal_form import GameLabels, NormalForm


def tragedy_of_power() -> NormalForm:
    """An AI that cannot promise not to kill is never built, to nobody's good (Example 2.1, the tragedy of power).

    Humanity builds a superintelligence, or does not; the AI kills, or does not, once it is built. Humanity prefers
    being helped (2) to being alone (1) to being killed (0); the AI prefers killing (3) to helping (2) to not being
    built (1). Whatever is not built kills nobody, so both profiles without a building are one outcome.

    The only equilibrium is (no Build, Kill), of payoffs 1 and 1, while (Build, no Kill) is worth 2 to both: the outcome
    is dominated. An AI that could commit to "no Kill" would be built, and both would have 2.

    Returns:
        A batch of one game with labels and outcomes.

    Raises:
        ValueError: never.

    Example:
        >>> import equilibrax as eq
        >>> game = eq.tragedy_of_power()
        >>> result = eq.solve(game, eq.Nash(commitment=True))
        >>> result.profile_names(0), result.worst_utility.tolist()
        ([('no Build', 'Kill')], [[1.0, 1.0]])
        >>> ai_leads = result.orders.index((1, 0))
        >>> result.commitment_payoffs[0, ai_leads].tolist()  # ties for the leader, and against
        [[2.0, 2.0], [2.0, 2.0]]
    """
    humanity = [[0, 2], [1, 1]]
    ai = [[3, 2], [1, 1]]
    labels = GameLabels(
        players=("Humanity", "AI"),
        actions=(("Build", "no Build"), ("Kill", "no Kill")),
        games=("The tragedy of power",),
    )
    game = NormalForm.from_integers([humanity, ai], labels=labels)
    return game.with_outcomes([[0, 1], [2, 2]], ("Build, Kill", "Build, no Kill", "no Build"))
