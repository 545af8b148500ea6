"""Flags whose values are written in words: numbers joined by commas, and names with numbers."""

from __future__ import annotations

from collections.abc import Sequence


def parse_rationality(text: str, option: str = "--rationality") -> tuple[float, ...]:
    """Numbers joined by commas, such as `1,3,10,inf`; none from an empty text."""
    try:
        return tuple(float(part) for part in text.split(",")) if text else ()
    except ValueError:
        raise ValueError(f"{option}: expected numbers joined by commas, such as 1,10,inf, got {text!r}") from None


def parse_numbers(option: str, text: str, count: int) -> tuple[float, ...]:
    """`count` numbers joined by commas."""
    try:
        numbers = tuple(float(part) for part in text.split(","))
    except ValueError:
        numbers = ()
    if len(numbers) != count:
        raise ValueError(f"{option}: expected {count} numbers joined by commas, got {text!r}")
    return numbers


def parse_parameters(given: Sequence[str]) -> tuple[tuple[str, float], ...]:
    """`NAME=NUMBER` pairs."""
    parsed = []
    for text in given:
        name, separator, value = text.partition("=")
        try:
            parsed.append((name, float(value)))
        except ValueError:
            separator = ""
        if not separator or not name:
            raise ValueError(f"--parameter: expected NAME=NUMBER, got {text!r}")
    return tuple(parsed)
