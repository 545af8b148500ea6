"""Markets by name: the instances of 2602.13451.

| market | source | what it shows |
|---|---|---|
| `theorem_4_1_market` | Theorem 4.1 | exact weak alignment; an anonymous equilibrium without any information |
| `theorem_5_2_market` | Theorem 5.2 | exact strong alignment; a newcomer takes the old user from 1 to 2/3 |
| `proposition_a_2_market` | Proposition A.2 | exact weak alignment; strong alignment fails for every eps < 1/2 |
"""

from __future__ import annotations

import math
from dataclasses import dataclass, replace
from fractions import Fraction
from typing import Any

import numpy as np

from equilibrax._core.checks import INT32_MAX
from equilibrax.problems._random_markets import whole
from equilibrax.problems.market import Market, MarketLabels, separable_market


@dataclass(frozen=True)
class Newcomer:
    """A user about to enter a market: the arguments of `Market.add_user`.

    Attributes:
        utility: `[X, A]`.
        components: `[K, X, A]` f.
        beta: how much of the providers' utility is about her.
    """

    utility: np.ndarray
    components: np.ndarray
    beta: Fraction

    def join(self, market: Market) -> Market:
        """The augmented market.

        Args:
            market: of the same states and providers.
        """
        return market.add_user(self.utility, self.components, self.beta)


def theorem_4_1_market(eps: float = 0.2, c: float = 0.5, d: float = 2.0, *, resolution: int = 10_000) -> Market:
    """Providers who would rather hide the state from one user than show it to the other (Theorem 4.1).

    M = floor(c / eps) + 1 equally likely states, seen by both providers; actions 1..M and "abstain". Both users have c
    for matching the state and eps for abstaining. Provider 1 has 1 / (d + 1) if user 1 matches the state and
    d / (d + 1) if user 2 abstains, provider 2 the other way round. Revealing nothing is an anonymous equilibrium, worth
    eps; the shared benchmark is c.

    Args:
        eps, c: 0 < eps < c <= 1, multiples of `1 / resolution` (rounded to them).
        d: above 1; kept exactly, or as the nearest ratio with a denominator up to 10,000 where it has too many digits.
        resolution: steps per unit of utility.

    Raises:
        ValueError: if a number is out of range.

    Example:
        >>> import equilibrax as eq
        >>> market = eq.problems.theorem_4_1_market(eps=0.2, c=0.5, d=2)
        >>> market.states, market.actions, (market.weights / market.weight_resolution).round(4).tolist()
        (3, 4, [[[0.3333, 0.6667], [0.6667, 0.3333]]])
        >>> eq.theory.shared_utility(market, [0b11]).utility.tolist()
        [[[0.5, 0.5]]]
    """
    steps = [_exact(name, value, resolution) for name, value in (("eps", eps), ("c", c))]
    if not 0 < steps[0] < steps[1] <= 1:
        raise ValueError(f"eps, c: expected 0 < eps < c <= 1 in steps of 1 / {resolution}, got {eps!r}, {c!r}")
    if isinstance(d, bool) or not isinstance(d, int | float | Fraction | np.number) or not 1 < d < math.inf:
        raise ValueError(f"d: expected a finite number above 1, got {d!r}")
    ratio = d if isinstance(d, Fraction) else Fraction(str(float(d)))
    if ratio.numerator + ratio.denominator > INT32_MAX:  # sqrt(2), or 1/3 with noise
        ratio = ratio.limit_denominator(10_000)
    if ratio == 1:
        raise ValueError(f"d: expected a ratio of whole numbers that is above 1, got {d!r}, which rounds to 1")
    m = math.floor(steps[1] / steps[0]) + 1
    matches, abstains = np.zeros((2, m, m + 1))
    matches[np.arange(m), np.arange(m)] = abstains[:, m] = 1.0
    user = float(steps[1]) * matches + float(steps[0]) * abstains
    names = tuple(str(x + 1) for x in range(m))
    one, whole = ratio.denominator, ratio.denominator + ratio.numerator
    lambdas = np.array([[one, whole - one], [whole - one, one]]) / whole
    market = separable_market(
        [user, user],
        [[matches, abstains], [abstains, matches]],
        lambdas,
        resolution=resolution,
        weight_resolution=whole,
        labels=MarketLabels(names, ("user 1", "user 2"), ("provider 1", "provider 2"), ((*names, "abstain"),) * 2),
    )
    return replace(market, family="theorem-4.1")


def theorem_5_2_market() -> tuple[Market, Newcomer]:
    """One user and one provider who agree, and the newcomer who comes between them (Theorem 5.2).

    The user has 1 for matching one of two states and 2/3 for abstaining, the provider half of that: it reveals the
    state. The newcomer has the user's utilities, and the provider's utility becomes half of what it was plus 1/2 if the
    newcomer abstains: in the anonymous game it reveals nothing any more, and both users have 2/3.

    Returns:
        The market, and the newcomer (`newcomer.join(market)`).

    Raises:
        Nothing: there are no parameters.

    Example:
        >>> import equilibrax as eq
        >>> market, newcomer = eq.problems.theorem_5_2_market()
        >>> augmented = newcomer.join(market)
        >>> market.users, augmented.users, (augmented.weights / augmented.weight_resolution).tolist()
        (1, 2, [[[0.25, 0.5]]])
    """
    utility = np.array([[1, 0, 2 / 3], [0, 1, 2 / 3]])
    actions = (("y1", "y2", "abstain"),)
    market = separable_market(
        [utility],
        [[utility]],
        [[0.5]],
        resolution=3,
        weight_resolution=2,
        labels=MarketLabels(("y1", "y2"), ("user 1",), ("provider 1",), actions),
    )
    abstains = np.zeros((1, 2, 3))
    abstains[..., 2] = 1.0
    return replace(market, family="theorem-5.2"), Newcomer(utility, abstains, Fraction(1, 2))


def proposition_a_2_market(grid: int = 4) -> Market:
    """Two providers who each care for one coordinate of the state, and users who care for both (Proposition A.2).

    The state is (t, 1 - t) and an action a number a, both on the grid 0, 1 / grid, .., 1 that stands for the unit
    interval. F_1i = a t / 2, F_2i = a (1 - t) / 2, providers add them up over two users, and u_i = a / 4 is the average
    of the components. The argument against strong alignment only uses t = 0, t = 1 and a = 1.

    Args:
        grid: steps of the unit interval, at least 1.

    Raises:
        ValueError: if it is not a whole number of at least 1.

    Example:
        >>> import equilibrax as eq
        >>> market = eq.problems.proposition_a_2_market(grid=2)
        >>> stated = eq.theory.weak_market_alignment(market, [0b11], weights=[[0.5, 0.5]] * 2)
        >>> bool(stated.error.max() < 1e-12)
        True
    """
    grid = whole("grid", grid)
    points = np.arange(grid + 1) / grid
    first = np.outer(points, points) / 2  # [t, a]
    second = np.outer(1 - points, points) / 2
    user = np.broadcast_to(points / 4, first.shape)
    names = tuple(str(Fraction(i, grid)) for i in range(grid + 1))
    labels = MarketLabels(names, ("user 1", "user 2"), ("provider 1", "provider 2"), (names, names))
    market = separable_market(
        [user, user],
        [[first, first], [second, second]],
        np.ones((2, 2)),
        resolution=4 * grid**2,
        weight_resolution=1,
        labels=labels,
    )
    return replace(market, family="proposition-a.2")


def _exact(name: str, value: Any, resolution: int) -> Fraction:
    if isinstance(value, bool) or not isinstance(value, int | float | Fraction | np.number) or not -9 < value < 9:
        raise ValueError(f"{name}: expected a number, got {value!r}")
    return Fraction(round(value * resolution), resolution)
