"""A chain of reasoning, its published JSON and its text forms."""

from dxtrace.chain.model import DISCLAIMER as DISCLAIMER
from dxtrace.chain.model import DOUBTFUL as DOUBTFUL
from dxtrace.chain.model import Alternative as Alternative
from dxtrace.chain.model import Chain as Chain
from dxtrace.chain.model import Contradiction as Contradiction
from dxtrace.chain.model import Differential as Differential
from dxtrace.chain.model import ModelInfo as ModelInfo
from dxtrace.chain.model import PremiseRef as PremiseRef
from dxtrace.chain.model import Ranked as Ranked
from dxtrace.chain.model import Span as Span
from dxtrace.chain.model import Step as Step
from dxtrace.chain.model import Timing as Timing
from dxtrace.chain.model import register_renderer as register_renderer
from dxtrace.chain.model import step_to_json as step_to_json
from dxtrace.chain.result import Status as Status
from dxtrace.chain.text import EVIDENCE_MARK as EVIDENCE_MARK
from dxtrace.chain.text import HEADLINES as HEADLINES
from dxtrace.chain.text import Answer as Answer
from dxtrace.chain.text import AnswerStep as AnswerStep
from dxtrace.chain.text import flatten as flatten
from dxtrace.chain.text import parse as parse
from dxtrace.chain.text import status_of as status_of
