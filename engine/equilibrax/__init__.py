"""equilibrax: exact, batched equilibrium search for users who choose among misaligned AI providers.

Rooms are attributes and load when they are used: `problems` (what is played), `io`, `fits`, `games`, `theory`,
`raters`, `rows`, `studies`, `datasets`, `figures`, `reports`. The names that most people need are here too.
"""

import lazy_loader

__getattr__, __dir__, __all__ = lazy_loader.attach_stub(__name__, __file__)
