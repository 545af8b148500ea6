"""Alignment as economists see it: efficiency of outcomes, and what a market loses with its providers."""
