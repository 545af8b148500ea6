from .alignment import (
    AlignmentStudy as AlignmentStudy,
    alignment_study as alignment_study,
    write_studies as write_studies,
)
from .summary import (
    Summary as Summary,
    markdown_table as markdown_table,
    summarize as summarize,
)
