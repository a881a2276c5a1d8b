"""LlamaIndex's image, video and document blocks as the core's: a data URL, an address as it is, or a file's path."""

from __future__ import annotations

from io import IOBase
from pathlib import Path
from typing import Any

from llama_index.core.base.llms.types import DocumentBlock, ImageBlock, VideoBlock

from kimi_core.errors import MessageError, warn
from kimi_core.hosts import addresses
from kimi_core.media import data_urls, left_out
from kimi_core.media.data_urls import Kind
from kimi_core.quoting import quoted
from kimi_core.types import DocumentPart, FilePart, ImagePart, LeftOutPart, Part, VideoPart

# What LlamaIndex calls a document that has no title.
_UNTITLED = "input_document"


def image_part(block: ImageBlock) -> ImagePart | FilePart:
    """A picture for the core."""
    _without(detail=block.detail)
    if block.image is None and block.path is not None:
        return FilePart(block.path, "image")
    return ImagePart(_address(block, block.image, "image", block.image_mimetype))


def video_part(block: VideoBlock) -> VideoPart | FilePart:
    """A video for the core."""
    _without(detail=block.detail, fps=block.fps)
    if block.video is None and block.path is not None:
        return FilePart(block.path, "video")
    return VideoPart(_address(block, block.video, "video", block.video_mimetype))


def document_part(block: DocumentBlock) -> DocumentPart | FilePart:
    """A document for the core. Its text is taken where the host is known."""
    title = block.title if block.title != _UNTITLED else None
    data, mime = block.data, block.document_mimetype
    if data is not None:
        return DocumentPart(_inline(data, mime), title, mime)
    if block.path is not None:
        return FilePart(Path(block.path), "document", title, mime)
    url = _url(block, "document")
    return DocumentPart(url, title or _last(url), mime)


def named(part: FilePart) -> Part:
    """A file that is not to be read, by its name alone."""
    name = str(part.path)
    if part.kind == "document":
        return DocumentPart(name, part.filename, part.mime)
    return ImagePart(name) if part.kind == "image" else VideoPart(name)


def stand_in(block: Any) -> LeftOutPart:
    """What the model is told instead of a block that cannot be sent."""
    kind = block.block_type
    title = getattr(block, "title", None)
    given = block.path or block.url if kind in _MIMES else None
    return left_out.stand_in(
        _NAMES.get(kind, f"a block of type {kind}"),
        title if title != _UNTITLED else None,
        getattr(block, _MIMES.get(kind, ""), None),
        None if given is None else str(given),
    )


_NAMES = {"image": "an image", "video": "a video", "audio": "audio", "document": "a document"}
_MIMES = {
    "image": "image_mimetype",
    "video": "video_mimetype",
    "audio": "format",
    "document": "document_mimetype",
}


def _address(block: ImageBlock | VideoBlock, data: bytes | IOBase | None, kind: Kind, mime: str | None) -> str:
    return _url(block, kind) if data is None else _inline(data, mime)


def _inline(data: Any, mime: str | None) -> str:
    """A file as a `data:` URL. Bytes of a block are in base64 already; the core looks at what they are."""
    if isinstance(data, bytes):
        return f"data:{mime or ''};base64,{data.decode('ascii', 'replace')}"
    return data_urls.to_data_url(_read(data), mime or "")


def _url(block: ImageBlock | VideoBlock | DocumentBlock, kind: str) -> str:
    if block.url is None:
        field = "data" if kind == "document" else kind
        raise MessageError(f"A block of type {quoted(kind)} needs one of {field}, path or url; this one has none.")
    return str(block.url)


def _last(url: str) -> str | None:
    """What an address ends in, as a name."""
    return None if url.startswith("data:") else addresses.last_name(url) or None


def _read(stream: Any) -> bytes:
    stream.seek(0)
    return bytes(stream.read())


def _without(**wishes: Any) -> None:
    for name, value in wishes.items():
        if value is not None:
            warn(f"{name}={quoted(value)} of a block is not sent: no host of Kimi has such a setting.")
