"""What every Kimi integration needs and no framework knows: neutral types, hosts, models, and the client.

Names that lead to I/O are resolved when first used, so that importing this package stays cheap.
"""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING, Any

from kimi_core._version import __version__
from kimi_core.budget import Budget, Spent
from kimi_core.call_options import AgentSwarm, Options, Thinking
from kimi_core.errors import (
    APIConnectionError,
    APIError,
    APIStatusError,
    APITimeoutError,
    AuthenticationError,
    BadRequestError,
    BatchError,
    BudgetExceededError,
    ConfigError,
    ConflictError,
    ContentFilterError,
    ContextOverflowError,
    DecodeError,
    FormulaError,
    InternalServerError,
    KimiError,
    KimiWarning,
    LimitsError,
    MessageError,
    MissingKeyError,
    NotFoundError,
    OutputError,
    OverloadedError,
    PermissionDeniedError,
    QuotaExceededError,
    RateLimitError,
    RefusedError,
    RepetitionError,
    RequestTooLargeError,
    ServerRoundsError,
    StreamError,
    StructuredOutputError,
    ToolNotCalledError,
    TruncatedError,
    UnknownHostError,
    UnknownOptionError,
    UnsupportedError,
)
from kimi_core.events import (
    Event,
    Finished,
    ReasoningDelta,
    RefusalDelta,
    ResponseBuilder,
    ServerToolCall,
    ServerToolResult,
    ServerToolTurnEnded,
    Started,
    TextDelta,
    ToolCallDelta,
)
from kimi_core.hosts.groups import (
    Address,
    BatchRules,
    Endpoints,
    ErrorMapping,
    ErrorRule,
    MediaRules,
    MessageRules,
    ModelIds,
    OutputRules,
    PartialRules,
    Price,
    RateLimits,
    ReasoningRules,
    Retirement,
    SamplingRules,
    ThinkingRules,
    Tier,
    Timeouts,
    ToolRules,
    UsageRules,
)
from kimi_core.hosts.models import MODELS, ModelSpec
from kimi_core.hosts.profile import Profile, resolve
from kimi_core.hosts.registry import HOSTS
from kimi_core.hosts.spec import HostSpec
from kimi_core.limits import Limits
from kimi_core.openai_shapes import formula, web_search
from kimi_core.settings import Settings, make_settings
from kimi_core.types import (
    DocumentPart,
    FilePart,
    ImagePart,
    Message,
    OutputFormat,
    Reasoning,
    Request,
    Response,
    ServerCall,
    ServerToolTurn,
    TextPart,
    Tool,
    ToolCall,
    ToolChoice,
    Usage,
    VideoPart,
)

if TYPE_CHECKING:
    from kimi_core.client.async_client import AsyncKimiClient
    from kimi_core.client.client import KimiClient
    from kimi_core.codecs.runware.options import RunwareOptions

__all__ = [
    "HOSTS",
    "MODELS",
    "APIConnectionError",
    "APIError",
    "APIStatusError",
    "APITimeoutError",
    "Address",
    "AgentSwarm",
    "AsyncKimiClient",
    "AuthenticationError",
    "BadRequestError",
    "BatchError",
    "BatchRules",
    "Budget",
    "BudgetExceededError",
    "ConfigError",
    "ConflictError",
    "ContentFilterError",
    "ContextOverflowError",
    "DecodeError",
    "DocumentPart",
    "Endpoints",
    "ErrorMapping",
    "ErrorRule",
    "Event",
    "FilePart",
    "Finished",
    "FormulaError",
    "HostSpec",
    "ImagePart",
    "InternalServerError",
    "KimiClient",
    "KimiError",
    "KimiWarning",
    "Limits",
    "LimitsError",
    "MediaRules",
    "Message",
    "MessageError",
    "MessageRules",
    "MissingKeyError",
    "ModelIds",
    "ModelSpec",
    "NotFoundError",
    "Options",
    "OutputError",
    "OutputFormat",
    "OutputRules",
    "OverloadedError",
    "PartialRules",
    "PermissionDeniedError",
    "Price",
    "Profile",
    "QuotaExceededError",
    "RateLimitError",
    "RateLimits",
    "Reasoning",
    "ReasoningDelta",
    "ReasoningRules",
    "RefusalDelta",
    "RefusedError",
    "RepetitionError",
    "Request",
    "RequestTooLargeError",
    "Response",
    "ResponseBuilder",
    "Retirement",
    "RunwareOptions",
    "SamplingRules",
    "ServerCall",
    "ServerRoundsError",
    "ServerToolCall",
    "ServerToolResult",
    "ServerToolTurn",
    "ServerToolTurnEnded",
    "Settings",
    "Spent",
    "Started",
    "StreamError",
    "StructuredOutputError",
    "TextDelta",
    "TextPart",
    "Thinking",
    "ThinkingRules",
    "Tier",
    "Timeouts",
    "Tool",
    "ToolCall",
    "ToolCallDelta",
    "ToolChoice",
    "ToolNotCalledError",
    "ToolRules",
    "TruncatedError",
    "UnknownHostError",
    "UnknownOptionError",
    "UnsupportedError",
    "Usage",
    "UsageRules",
    "VideoPart",
    "__version__",
    "formula",
    "make_settings",
    "resolve",
    "web_search",
]


# What is not needed before the first call, or never: importing the package must stay quick.
_LAZY = {
    "KimiClient": "kimi_core.client.client",
    "AsyncKimiClient": "kimi_core.client.async_client",
    "RunwareOptions": "kimi_core.codecs.runware.options",
}


def __getattr__(name: str) -> Any:
    if name in _LAZY:
        return getattr(importlib.import_module(_LAZY[name]), name)
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
