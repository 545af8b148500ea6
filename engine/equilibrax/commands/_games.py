"""Options that several commands read the same way."""

from __future__ import annotations


def parse_rationality(text: str) -> tuple[float, ...]:
    """Numbers joined by commas, such as `1,3,10,inf`; none from an empty text."""
    try:
        return tuple(float(part) for part in text.split(",")) if text else ()
    except ValueError:
        raise ValueError(f"--rationality: expected numbers joined by commas, such as 1,10,inf, got {text!r}") from None
