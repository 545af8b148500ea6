from ._explore import (
    Page as Page,
    explore as explore,
)
from ._explore_sweep import (
    explore_sweep as explore_sweep,
)
from .alignment import (
    AlignmentStudy as AlignmentStudy,
    FigureWarning as FigureWarning,
    alignment_study as alignment_study,
    check_places as check_places,
    write_overview as write_overview,
    write_studies as write_studies,
)
from .summary import (
    Summary as Summary,
    markdown_table as markdown_table,
    summarize as summarize,
)
