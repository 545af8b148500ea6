"""Games in normal form: pure equilibria, commitment, best-response dynamics, quantal response.

Letters: L lanes (games), N players, A_1..A_N their numbers of actions, P = A_1 x ... x A_N profiles, O orders of
players. Profiles are numbered with the last player's actions fastest.
"""
