from ._common_garbling import Garbling as Garbling, common_garbling as common_garbling
from ._guarantees import guarantee as guarantee
from ._induced_actions import (
    closeness as closeness,
    estimation_error as estimation_error,
    identical_induced_distribution as identical_induced_distribution,
    induced_actions as induced_actions,
)
from ._market_alignment import fit_outcomes as fit_outcomes, market_alignment as market_alignment
from ._misalignment import misalignment as misalignment
from ._proposition_3 import proposition_3 as proposition_3, providers_needed as providers_needed
from ._shared_utility import (
    SharedUtility as SharedUtility,
    revealed_utility as revealed_utility,
    shared_utility as shared_utility,
)
from ._strong_program import (
    StrongFits as StrongFits,
    Utilities as Utilities,
    strong_fits as strong_fits,
)
from .agreement import (
    ConversationPromises as ConversationPromises,
    agreement_rounds as agreement_rounds,
    conversation_promises as conversation_promises,
    information_substitutes as information_substitutes,
)
from .bound import Bound as Bound
from .conversation import (
    Conversation as Conversation,
    conversation_utility as conversation_utility,
    converse as converse,
)
from .lemmas import (
    corollary_1 as corollary_1,
    corollary_2 as corollary_2,
    lemma_1 as lemma_1,
    lemma_2 as lemma_2,
    proposition_2 as proposition_2,
)
from .many_user_alignment import (
    LeastLoss as LeastLoss,
    StrongMarketAlignment as StrongMarketAlignment,
    WeakMarketAlignment as WeakMarketAlignment,
    least_loss as least_loss,
    strong_market_alignment as strong_market_alignment,
    weak_market_alignment as weak_market_alignment,
)
from .market_guarantees import MarketPromises as MarketPromises, market_promises as market_promises
from .market_theorems import (
    market_bounds as market_bounds,
    market_theorem_3_1 as market_theorem_3_1,
    market_theorem_4_3 as market_theorem_4_3,
    market_theorem_4_4 as market_theorem_4_4,
    market_theorem_5_1 as market_theorem_5_1,
)
from .report import BoundReport as BoundReport, bounds as bounds
from .theorems import (
    corollary_3 as corollary_3,
    theorem_1 as theorem_1,
    theorem_2 as theorem_2,
    theorem_5 as theorem_5,
    theorem_6 as theorem_6,
)
from .transcripts import (
    ConversationRules as ConversationRules,
    InducedDistribution as InducedDistribution,
    Transcripts as Transcripts,
    conversation_rules as conversation_rules,
    decide as decide,
    induced_distribution as induced_distribution,
    sample_transcript as sample_transcript,
)
from .welfare.efficiency import Efficiency as Efficiency, EfficiencyShares as EfficiencyShares, efficiency as efficiency
