"""Datasets of random markets, worked out again: drawn, solved and compared as those of tables are."""
