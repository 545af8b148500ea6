from .alignment import (
    AlignmentStudy as AlignmentStudy,
)
from .alignment import (
    alignment_study as alignment_study,
)
from .alignment import (
    write_studies as write_studies,
)
from .summary import (
    Summary as Summary,
)
from .summary import (
    markdown_table as markdown_table,
)
from .summary import (
    summarize as summarize,
)
