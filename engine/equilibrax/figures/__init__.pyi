from ._drawing import files_of as files_of, printed as printed
from .comparison import comparison_figure as comparison_figure
from .coverage import (
    subset_figure as subset_figure,
    weak_figure as weak_figure,
)
from .curves import (
    curve_figure as curve_figure,
    noise_figure as noise_figure,
    sparsity_figure as sparsity_figure,
)
from .efficiency import efficiency_gap as efficiency_gap
from .families import family_figure as family_figure
from .information import depth_figure as depth_figure, plot_depths as plot_depths
from .market_entry import entry_figure as entry_figure
from .market_providers import providers_figure as providers_figure
from .markets import bound_figure as bound_figure, plot_markets as plot_markets
from .paper import (
    dynamics as dynamics,
    misalignment as misalignment,
    newcomers as newcomers,
    plot_all as plot_all,
)
from .scores import score_figure as score_figure, weights_figure as weights_figure
from .transfer import transfer_figure as transfer_figure
