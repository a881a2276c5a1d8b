"""Checks of the parts that a message's content is made of."""

from __future__ import annotations

from collections.abc import Iterator

from kimi_adapters.local_server.media import data_of, image_type, url_of
from kimi_adapters.local_server.refusal import invalid
from kimi_adapters.local_server.request import ChatRequest, JsonObject

_KINDS = ("text", "image_url", "video_url")
_VIDEOS = (
    "mp4", "mpeg", "quicktime", "mov", "avi", "x-msvideo", "x-flv", "mpg", "webm", "wmv", "x-ms-wmv", "3gpp",
)  # fmt: skip


def parts_are_known(request: ChatRequest) -> None:
    """Refuse content that is no text and no list, unknown part types (audio, file …) and empty text parts."""
    for at, message in enumerate(request.messages):
        content = message.get("content")
        if content is not None and not isinstance(content, str | list):
            raise invalid(f"Invalid request: the content of the message at position {at} is illegal")
        for part in content if isinstance(content, list) else ():
            _check_part(part, at, message["role"])


def _check_part(part: object, at: int, role: str) -> None:
    kind = part.get("type") if isinstance(part, dict) else part
    if not isinstance(part, dict) or kind not in _KINDS:
        # The message in MoonshotAI/kimi-cli#788.
        message = f"the message at position {at} with role '{role}'"
        raise invalid(f"Invalid request: {message} contains an invalid part type: {kind}")
    if "prompt_cache_breakpoint" in part:
        raise invalid("Invalid request: prompt_cache_breakpoint is not supported in content")
    if kind == "text" and (not part.get("text") or not isinstance(part["text"], str)):
        raise invalid("Invalid request: text content is empty")


def media_is_readable(request: ChatRequest) -> None:
    """Refuse pictures and videos by URL, unknown files, bad base64 and formats that no Kimi reads."""
    for part in _media(request):
        kind = str(part["type"])
        url = url_of(part)
        what = kind.removesuffix("_url")
        if url.startswith("ms://"):
            _check_file(request, url.removeprefix("ms://"), what)
        elif url.startswith("data:"):
            _check_data(url, what)
        else:
            raise invalid(f"Invalid request: unsupported {what} url: {url[:64]}")


def _media(request: ChatRequest) -> Iterator[JsonObject]:
    for message in request.messages:
        content = message.get("content")
        yield from (part for part in content if part["type"] != "text") if isinstance(content, list) else ()


def _check_file(request: ChatRequest, id: str, what: str) -> None:
    if id not in request.files:
        raise invalid(f"Invalid request: file {id} not found")
    file = request.files.get(id)
    # Files of text are no parts: their content goes into a system message.
    if file.purpose not in ("image", "video"):
        raise invalid(f"Invalid request: file {id} with purpose '{file.purpose}' cannot be used as {what}")
    if what == "image":
        _check_image(file.data)


def _check_data(url: str, what: str) -> None:
    try:
        data = data_of(url)
    except ValueError:
        raise invalid(f"Invalid request: invalid base64 data in {what} url") from None
    if what == "image":
        _check_image(data)
        return
    declared = url[5:].partition(";")[0]
    if declared.removeprefix("video/") not in _VIDEOS:
        raise invalid(f"Invalid request: unsupported video format: {declared}")


def _check_image(data: bytes) -> None:
    # Live answer to an SVG (vercel/ai fixture "moonshotai-unsupported-svg-error"): the bytes decide.
    if image_type(data) is None:
        kind = "text/plain; charset=utf-8" if _is_text(data) else "application/octet-stream"
        raise invalid(f"Invalid request: unsupported image format: {kind}")


def _is_text(data: bytes) -> bool:
    try:
        return b"\0" not in data[:512] and bool(data[:512].decode("utf-8", "strict"))
    except UnicodeDecodeError:
        return False
