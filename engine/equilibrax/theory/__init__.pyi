from ._common_garbling import Garbling as Garbling
from ._common_garbling import common_garbling as common_garbling
from ._guarantees import guarantee as guarantee
from ._induced_actions import (
    closeness as closeness,
)
from ._induced_actions import (
    estimation_error as estimation_error,
)
from ._induced_actions import (
    identical_induced_distribution as identical_induced_distribution,
)
from ._induced_actions import (
    induced_actions as induced_actions,
)
from ._market_alignment import fit_outcomes as fit_outcomes
from ._market_alignment import market_alignment as market_alignment
from ._misalignment import misalignment as misalignment
from ._proposition_3 import proposition_3 as proposition_3
from ._proposition_3 import providers_needed as providers_needed
from ._shared_utility import (
    SharedUtility as SharedUtility,
)
from ._shared_utility import (
    revealed_utility as revealed_utility,
)
from ._shared_utility import (
    shared_utility as shared_utility,
)
from ._strong_program import StrongFits as StrongFits
from ._strong_program import Utilities as Utilities
from ._strong_program import strong_fits as strong_fits
from .agreement import (
    ConversationPromises as ConversationPromises,
)
from .agreement import (
    agreement_rounds as agreement_rounds,
)
from .agreement import (
    conversation_promises as conversation_promises,
)
from .agreement import (
    information_substitutes as information_substitutes,
)
from .bound import Bound as Bound
from .conversation import (
    Conversation as Conversation,
)
from .conversation import (
    conversation_utility as conversation_utility,
)
from .conversation import (
    converse as converse,
)
from .lemmas import (
    corollary_1 as corollary_1,
)
from .lemmas import (
    corollary_2 as corollary_2,
)
from .lemmas import (
    lemma_1 as lemma_1,
)
from .lemmas import (
    lemma_2 as lemma_2,
)
from .lemmas import (
    proposition_2 as proposition_2,
)
from .many_user_alignment import (
    LeastLoss as LeastLoss,
)
from .many_user_alignment import (
    StrongMarketAlignment as StrongMarketAlignment,
)
from .many_user_alignment import (
    WeakMarketAlignment as WeakMarketAlignment,
)
from .many_user_alignment import (
    least_loss as least_loss,
)
from .many_user_alignment import (
    strong_market_alignment as strong_market_alignment,
)
from .many_user_alignment import (
    weak_market_alignment as weak_market_alignment,
)
from .market_guarantees import MarketPromises as MarketPromises
from .market_guarantees import market_promises as market_promises
from .market_theorems import (
    market_bounds as market_bounds,
)
from .market_theorems import (
    market_theorem_3_1 as market_theorem_3_1,
)
from .market_theorems import (
    market_theorem_4_3 as market_theorem_4_3,
)
from .market_theorems import (
    market_theorem_4_4 as market_theorem_4_4,
)
from .market_theorems import (
    market_theorem_5_1 as market_theorem_5_1,
)
from .report import BoundReport as BoundReport
from .report import bounds as bounds
from .theorems import (
    corollary_3 as corollary_3,
)
from .theorems import (
    theorem_1 as theorem_1,
)
from .theorems import (
    theorem_2 as theorem_2,
)
from .theorems import (
    theorem_5 as theorem_5,
)
from .theorems import (
    theorem_6 as theorem_6,
)
from .transcripts import (
    ConversationRules as ConversationRules,
)
from .transcripts import (
    InducedDistribution as InducedDistribution,
)
from .transcripts import (
    Transcripts as Transcripts,
)
from .transcripts import (
    conversation_rules as conversation_rules,
)
from .transcripts import (
    decide as decide,
)
from .transcripts import (
    induced_distribution as induced_distribution,
)
from .transcripts import (
    sample_transcript as sample_transcript,
)
