"""Markets of information: the game and its result."""
