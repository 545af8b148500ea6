from .comparison import comparison_figure as comparison_figure
from .coverage import (
    subset_figure as subset_figure,
    transfer_figure as transfer_figure,
    weak_figure as weak_figure,
)
from .curves import (
    curve_figure as curve_figure,
    noise_figure as noise_figure,
    sparsity_figure as sparsity_figure,
)
from .information import depth_figure as depth_figure
from .markets import (
    bound_figure as bound_figure,
    entry_figure as entry_figure,
    plot_markets as plot_markets,
    providers_figure as providers_figure,
)
from .paper import (
    figure5 as figure5,
    figure6 as figure6,
    figure7 as figure7,
    plot_all as plot_all,
)
from .scores import score_figure as score_figure, weights_figure as weights_figure
