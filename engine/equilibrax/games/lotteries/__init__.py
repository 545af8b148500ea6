"""Lotteries: in the selection game exactly, in the joint game by search and certificate."""
