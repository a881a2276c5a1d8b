"""Checks of the options for the answer, and of the size and content of the whole request."""

from __future__ import annotations

from kimi_adapters.local_server import mfjs
from kimi_adapters.local_server.refusal import Refusal, invalid
from kimi_adapters.local_server.request import ChatRequest, text_of

_FORMATS = ("text", "json_object", "json_schema")
#: A request that contains this is refused as "high risk".
CONTENT_FILTER_MARKER = "[[content_filter]]"


def response_format_is_legal(request: ChatRequest) -> None:
    """Refuse unknown formats, and ``json_schema`` without name or schema or with a ``strict`` that is no boolean."""
    asked = request.body.get("response_format")
    if asked is None:
        return
    if not isinstance(asked, dict) or asked.get("type") not in _FORMATS:
        kind = asked.get("type") if isinstance(asked, dict) else asked
        raise invalid(f"Invalid request: unsupported response_format type: {kind}")
    if asked["type"] != "json_schema":
        return
    wrapper = asked.get("json_schema")
    if not isinstance(wrapper, dict):
        raise invalid("Invalid request: response_format.json_schema is required")
    if not isinstance(wrapper.get("name"), str) or not wrapper["name"]:
        raise invalid("Invalid request: response_format.json_schema.name is required")
    if not isinstance(wrapper.get("schema"), dict):
        raise invalid("Invalid request: response_format.json_schema.schema is required")
    if not isinstance(wrapper.get("strict", True), bool | None):
        raise invalid("Invalid request: response_format.json_schema.strict must be a boolean")


def response_schema_is_moonshot_flavored(request: ChatRequest) -> None:
    """Refuse response schemas outside Moonshot's flavour."""
    if request.response_format.get("type") != "json_schema":
        return
    fault = mfjs.fault(request.response_format["json_schema"]["schema"])
    if fault is not None:
        # Live, vercel/ai fixture "moonshotai-issue-19544-rejected".
        raise invalid(f"Invalid request: response_format.json_schema is {mfjs.NOT_VALID}, details: <{fault}>")


def json_is_not_partial(request: ChatRequest) -> None:
    """Refuse JSON mode together with partial mode."""
    if request.response_format.get("type") == "json_object" and request.messages[-1].get("partial"):
        raise invalid("Invalid request: partial mode cannot be used with response_format json_object")


def stops_are_few_and_short(request: ChatRequest) -> None:
    """Refuse more than five stop strings, and longer ones than 32 bytes."""
    stop = request.body.get("stop")
    stops = stop if isinstance(stop, list) else [] if stop is None else [stop]
    if not all(isinstance(one, str) for one in stops):
        raise invalid("Invalid request: stop must be a string or an array of strings")
    if len(stops) > 5:
        raise invalid("Invalid request: stop exceeds the maximum number of 5")
    if any(len(one.encode(errors="surrogatepass")) > 32 for one in stops):
        raise invalid("Invalid request: each stop must not exceed 32 bytes")


def limit_is_positive(request: ChatRequest) -> None:
    """Refuse a token limit that is no positive integer."""
    for key in ("max_tokens", "max_completion_tokens"):
        limit = request.body.get(key)
        if limit is not None and (not isinstance(limit, int) or isinstance(limit, bool) or limit < 1):
            raise invalid(f"Invalid request: {key} must be a positive integer")


def stream_options_have_a_stream(request: ChatRequest) -> None:
    """Refuse ``stream_options`` without ``stream``.

    That is the contract of Chat Completions, which these hosts claim ("Only set this when you set `stream: true`").
    OpenAI and DeepSeek answer 400; of the hosts here, only vLLM was seen to do so.
    """
    if request.body.get("stream_options") is not None and not request.stream:
        raise invalid("Invalid request: stream_options is only allowed when stream is enabled")


def cache_options_are_known(request: ChatRequest) -> None:
    """Refuse cache options other than the documented ones."""
    options = request.body.get("prompt_cache_options")
    if options is None:
        return
    known = isinstance(options, dict) and options.get("mode", "implicit") == "implicit"
    if not known or options.get("ttl", "5m") not in ("5m", "1h"):
        raise invalid("Invalid request: invalid prompt_cache_options")


def prompt_fits(request: ChatRequest) -> None:
    """Refuse a prompt that is too long, alone or together with the requested token limit."""
    context = request.model.context
    if request.prompt_tokens > context:
        raise invalid(
            f"Invalid request: Your request exceeded model token limit: {context} (requested: {request.prompt_tokens})"
        )
    if request.prompt_tokens + (request.max_tokens or 0) > context:
        raise invalid("Invalid request: prompt tokens + max_tokens exceeds the model specification")


def content_is_harmless(request: ChatRequest) -> None:
    """Refuse messages with the local server's marker for high-risk content."""
    if any(CONTENT_FILTER_MARKER in text_of(message.get("content")) for message in request.messages):
        raise Refusal(400, "content_filter", "The request was rejected because it was considered high risk")
