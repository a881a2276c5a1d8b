"""LlamaIndex's image, video and document blocks as what the core takes: a data URL, or an address as it is."""

from __future__ import annotations

from binascii import a2b_base64
from io import IOBase
from pathlib import PurePosixPath
from typing import Any
from urllib.parse import unquote, urlsplit

from llama_index.core.base.llms.types import DocumentBlock, ImageBlock, VideoBlock

from kimi_core import documents, media
from kimi_core.errors import MessageError, warn
from kimi_core.media import Kind
from kimi_core.types import DocumentPart, ImagePart, VideoPart

# What LlamaIndex calls a document that has no title.
_UNTITLED = "input_document"


def image_part(block: ImageBlock) -> ImagePart:
    """A picture for the core."""
    _without(detail=block.detail)
    return ImagePart(_address(block, block.image, "image", block.image_mimetype))


def video_part(block: VideoBlock) -> VideoPart:
    """A video for the core."""
    _without(detail=block.detail, fps=block.fps)
    return VideoPart(_address(block, block.video, "video", block.video_mimetype))


def document_part(block: DocumentBlock) -> DocumentPart:
    """A document for the core. Its text is taken where the host is known."""
    title = block.title if block.title != _UNTITLED else None
    data, mime = block.data, block.document_mimetype
    if data is not None:
        return documents.load(a2b_base64(data) if isinstance(data, bytes) else _read(data), title, mime)
    if block.path is not None:
        return documents.load(block.path, title, mime)
    url = _url(block, "document")
    if url.startswith("file:"):
        return documents.load(url, title, mime)
    return DocumentPart(url, title or _last(url), mime)


def _address(block: ImageBlock | VideoBlock, data: bytes | IOBase | None, kind: Kind, mime: str | None) -> str:
    if isinstance(data, bytes):
        return media.inline(data.decode(), kind, mime)  # the block has the file in base64 already
    if data is not None:
        return media.load(_read(data), kind, mime)
    if block.path is not None:
        return media.load(block.path, kind, mime)
    url = _url(block, kind)
    return media.load(url, kind, mime) if url.startswith("file:") else url


def _url(block: ImageBlock | VideoBlock | DocumentBlock, kind: str) -> str:
    if block.url is None:
        field = "data" if kind == "document" else kind
        raise MessageError(f"A block of type {kind!r} needs one of {field}, path or url; this one has none.")
    return str(block.url)


def _last(url: str) -> str | None:
    """What an address ends in, as a name."""
    return None if url.startswith("data:") else unquote(PurePosixPath(urlsplit(url).path).name) or None


def _read(stream: Any) -> bytes:
    stream.seek(0)
    return bytes(stream.read())


def _without(**wishes: Any) -> None:
    for name, value in wishes.items():
        if value is not None:
            warn(f"{name}={value!r} of a block is not sent: no host of Kimi has such a setting.")
