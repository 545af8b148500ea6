"""What is played: utility tables, persuasion games and markets, given, drawn or from the papers."""

import lazy_loader

__getattr__, __dir__, __all__ = lazy_loader.attach_stub(__name__, __file__)
