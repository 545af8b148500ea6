"""People and models who rate: matrices, readers, curves and alignment of answers."""

import lazy_loader

__getattr__, __dir__, __all__ = lazy_loader.attach_stub(__name__, __file__)
