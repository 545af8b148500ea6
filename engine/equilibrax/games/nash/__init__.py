"""Games in normal form: the game object, its result, and the efficiency of equilibria."""
