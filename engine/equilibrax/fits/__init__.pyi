from .chebyshev import CertifiedFit as CertifiedFit
from .least_squares import LeastSquaresFit as LeastSquaresFit, nonnegative_least_squares as nonnegative_least_squares
from .pareto import ParetoFits as ParetoFits, pareto_fits as pareto_fits
