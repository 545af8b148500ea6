from .comparison import comparison_figure as comparison_figure
from .coverage import (
    subset_figure as subset_figure,
)
from .coverage import (
    transfer_figure as transfer_figure,
)
from .coverage import (
    weak_figure as weak_figure,
)
from .curves import (
    curve_figure as curve_figure,
)
from .curves import (
    noise_figure as noise_figure,
)
from .curves import (
    sparsity_figure as sparsity_figure,
)
from .markets import (
    bound_figure as bound_figure,
)
from .markets import (
    entry_figure as entry_figure,
)
from .markets import (
    plot_markets as plot_markets,
)
from .markets import (
    providers_figure as providers_figure,
)
from .paper import (
    figure5 as figure5,
)
from .paper import (
    figure6 as figure6,
)
from .paper import (
    figure7 as figure7,
)
from .paper import (
    plot_all as plot_all,
)
from .scores import score_figure as score_figure
from .scores import weights_figure as weights_figure
