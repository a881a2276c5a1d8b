"""The groups of facts that a host's spec is made of, one per subject. Each default fits a plain compatible server."""

from kimi_core.hosts.groups.address import Address
from kimi_core.hosts.groups.batches import BatchRules
from kimi_core.hosts.groups.endpoints import Endpoints
from kimi_core.hosts.groups.errors import ErrorMapping, ErrorRule
from kimi_core.hosts.groups.limits import RateLimits, Tier
from kimi_core.hosts.groups.media import MediaRules
from kimi_core.hosts.groups.messages import MessageRules, PartialRules
from kimi_core.hosts.groups.model_ids import ModelIds, Retirement
from kimi_core.hosts.groups.reasoning import DETAILS, ReasoningRules
from kimi_core.hosts.groups.sampling import SamplingRules
from kimi_core.hosts.groups.structured import OutputRules
from kimi_core.hosts.groups.thinking import Patch, ThinkingRules
from kimi_core.hosts.groups.timeouts import Timeouts
from kimi_core.hosts.groups.tools import ALL_CHOICES, MOONSHOT_NAMES, OPENAI_NAMES, ChoiceMode, ToolRules
from kimi_core.hosts.groups.usage import Price, UsageRules

__all__ = [
    "ALL_CHOICES",
    "DETAILS",
    "MOONSHOT_NAMES",
    "OPENAI_NAMES",
    "Address",
    "BatchRules",
    "ChoiceMode",
    "Endpoints",
    "ErrorMapping",
    "ErrorRule",
    "MediaRules",
    "MessageRules",
    "ModelIds",
    "OutputRules",
    "PartialRules",
    "Patch",
    "Price",
    "RateLimits",
    "ReasoningRules",
    "Retirement",
    "SamplingRules",
    "ThinkingRules",
    "Tier",
    "Timeouts",
    "ToolRules",
    "UsageRules",
]
