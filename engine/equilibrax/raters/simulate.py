"""Raters to try without data: a user whose numbers are uniform on 0..1, and providers that miss them in known ways.

With y_i the user's number for item i, every e, s and z standard normal and independent, and K raters k:

| family | what rater k says of item i | what follows |
|---|---|---|
| `independent` | y_i + noise e_ik | unbiased (2509.15090, Appendix A): the average misses by noise^2 / K |
| `correlated` | y_i + noise (sqrt(c) s_i + sqrt(1 - c) e_ik) | an error that all share: no average is below c noise^2 |
| `systematic` | y_i + bias a_k.z_i + noise e_ik | k reacts by a_k to 6 traits z_i of items, in part as all do |
| `personas` | y_i + bias g_p (sqrt(c) s_i + sqrt(1 - c) z_pi) + noise e_ik | k belongs to persona p of P |

where c is the correlation. In `systematic`, `a_k = (sqrt(c) m + sqrt(1 - c) n_k) / sqrt(6)` with standard normal m and
n_k: raters err in different directions around a common one, so the user is in (or near) their convex hull but not at
its centre. In `personas`, `g_p` grows evenly from 1/4 to 7/4 over the personas, and raters are dealt to them in turn:
those of the first persona are close to the user, and the average is drawn away by the others.
"""

from __future__ import annotations

import inspect
from zlib import crc32

import numpy as np

from equilibrax._core.catalog import Family
from equilibrax._core.checks import check_choice, check_whole
from equilibrax.raters._simulate_answers import simulate_answers
from equilibrax.raters.matrix import RaterMatrix, rater_matrix

RATER_FAMILIES = {
    "independent": "unbiased, with independent noise",
    "correlated": "unbiased, with noise of which a share is common to all raters",
    "systematic": "every rater reacts to traits of the items in its own way, around a way common to all",
    "personas": "clusters of raters around persona points, some close to the user and some far away",
}
"""Families of `simulate_raters` and what they are."""

_PARAMETERS = {
    "independent": ("noise",),
    "correlated": ("noise", "correlation"),
    "systematic": ("noise", "correlation", "bias"),
    "personas": ("noise", "correlation", "bias", "personas"),
}
"""What each of them depends on."""

_SOURCES = {
    "independent": "2509.15090, Appendix A",
    "correlated": "2509.15090, Appendix A, without its independence",
    "systematic": "2509.15090, Section 6",
    "personas": "2509.15090, Section 6",
}

_TRAITS = 6


def simulate_raters(
    kind: str,
    items: int = 1000,
    raters: int = 100,
    *,
    seed: int,
    noise: float = 0.2,
    correlation: float = 0.5,
    bias: float = 0.3,
    personas: int = 6,
    quantize: bool = False,
) -> RaterMatrix:
    """Raters of a family and a user, drawn at random.

    Args:
        kind: one of RATER_FAMILIES; the formulas are in the module's documentation.
        items: number of items, I.
        raters: number of raters, K.
        seed: from 0; the same seed draws the same numbers.
        noise: standard deviation of the noise of single answers, at least 0.
        correlation: share of the errors' variance that is common to all raters, 0 to 1 (not in `independent`).
        bias: size of systematic errors, at least 0 (`systematic` and `personas`).
        personas: number of personas, P (`personas`).
        quantize: answers of raters and user as models and people give them: clipped to 0..1 and rounded to hundredths,
            whole numbers on a scale of 0 to 100.

    Returns:
        A `RaterMatrix` with the target `user`, and raters that are named by number, and by persona.

    Raises:
        ValueError: on an unknown family or a parameter out of range.

    Example:
        >>> import equilibrax as eq
        >>> matrix = eq.raters.simulate_raters("personas", items=50, raters=8, personas=2, seed=1, quantize=True)
        >>> matrix.num_items, matrix.rater_names[:2], float(matrix.ratings.max()) <= 1.0
        (50, ('persona 1, rater 1', 'persona 2, rater 2'), True)
    """
    check_choice("kind", kind, tuple(RATER_FAMILIES))
    for name, count in (("items", items), ("raters", raters), ("personas", personas)):
        check_whole(name, count, 1)
    check_whole("seed", seed, 0, 2**63 - 1)
    for name, value, high in (("noise", noise, np.inf), ("correlation", correlation, 1.0), ("bias", bias, np.inf)):
        if not (np.isfinite(value) and 0 <= value <= high):
            raise ValueError(f"{name}: expected a number from 0 to {high:g}, got {value!r}")
    rng = np.random.default_rng(np.random.SeedSequence([seed, crc32(kind.encode())]))
    user = rng.random(items)
    answers = user[:, None] + noise * _errors(kind, rng, items, raters, correlation)
    names = [f"rater {k + 1}" for k in range(raters)]
    common, own = np.sqrt(correlation), np.sqrt(1.0 - correlation)
    if kind == "systematic":
        traits = rng.standard_normal((items, _TRAITS))
        shared = rng.standard_normal((_TRAITS, 1))
        reactions = common * shared + own * rng.standard_normal((_TRAITS, raters))
        answers += bias * traits @ reactions / np.sqrt(_TRAITS)
    elif kind == "personas":
        distance = np.linspace(0.25, 1.75, personas) if personas > 1 else np.ones(1)
        shared = rng.standard_normal((items, 1))
        points = bias * distance * (common * shared + own * rng.standard_normal((items, personas)))
        answers += points[:, np.arange(raters) % personas]
        names = [f"persona {k % personas + 1}, {name}" for k, name in enumerate(names)]
    if quantize:
        answers, user = (np.rint(100 * np.clip(values, 0.0, 1.0)) / 100 for values in (answers, user))
    return rater_matrix(answers, user, raters=names, targets_names=["user"])


def _errors(kind: str, rng: np.random.Generator, items: int, raters: int, correlation: float) -> np.ndarray:
    """`[I, K]` errors of single answers, of variance one."""
    own = rng.standard_normal((items, raters))
    if kind != "correlated":
        return own
    return np.sqrt(correlation) * rng.standard_normal((items, 1)) + np.sqrt(1.0 - correlation) * own


def rater_catalog() -> list[Family]:
    """The families of this room: raters with a user, and answer distributions of people and models."""
    defaults = {name: p.default for name, p in inspect.signature(simulate_raters).parameters.items()}
    found = [
        Family(
            "raters", name, definition,
            _SOURCES[name],
            1, {p: defaults[p] for p in _PARAMETERS[name]}, "raters.simulate_raters",
            {"kind": name, "items": 5, "raters": 4, "seed": 0, "quantize": True}, simulate_raters,
            lambda m: (np.rint(100 * m.ratings), np.rint(100 * m.targets)),
        )
        for name, definition in RATER_FAMILIES.items()
    ]  # fmt: skip
    own = ("noise", "mixed", "uncovered", "concentration", "ragged", "missing")
    found.append(
        Family(
            "answers", "mixtures", "people mix answers of some models, and a share of their own",
            "2602.13451, Section 6", 1,
            {name: p.default for name, p in inspect.signature(simulate_answers).parameters.items() if name in own},
            "raters.simulate_answers",
            {"users": 4, "models": 3, "questions": 3, "options": 3, "seed": 0, "uncovered": 1}, simulate_answers,
            lambda a: (np.rint(1e6 * a.users), np.rint(1e6 * a.models)),
        )
    )  # fmt: skip
    return found
