"""LlamaIndex's image and video blocks as what a host takes: a data URL, or an address as it is."""

from __future__ import annotations

from io import IOBase
from typing import Any

from llama_index.core.base.llms.types import ImageBlock, VideoBlock

from kimi_core import media
from kimi_core.errors import MessageError
from kimi_core.media import Kind
from kimi_core.types import ImagePart, VideoPart


def image_part(block: ImageBlock) -> ImagePart:
    """A picture for the core."""
    return ImagePart(_address(block, block.image, "image", block.image_mimetype))


def video_part(block: VideoBlock) -> VideoPart:
    """A video for the core."""
    return VideoPart(_address(block, block.video, "video", block.video_mimetype))


def _address(block: ImageBlock | VideoBlock, data: bytes | IOBase | None, kind: Kind, mime: str | None) -> str:
    if isinstance(data, bytes):
        return media.inline(data.decode(), kind, mime)  # the block has the file in base64 already
    if data is not None:
        return media.load(_read(data), kind, mime)
    if block.path is not None:
        return media.load(block.path, kind, mime)
    if block.url is None:
        raise MessageError(f"An {kind} block needs one of {kind}, path or url; this one has none.")
    url = str(block.url)
    return media.load(url, kind, mime) if url.startswith("file:") else url


def _read(stream: Any) -> bytes:
    stream.seek(0)
    return bytes(stream.read())
