from .chebyshev import CertifiedFit as CertifiedFit
from .least_squares import LeastSquaresFit as LeastSquaresFit
from .least_squares import nonnegative_least_squares as nonnegative_least_squares
