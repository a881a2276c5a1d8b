"""Thumbnails: small pictures in the page, made of bytes that are at hand. Nothing is fetched."""

from __future__ import annotations

import base64
import html
import io

from kimi_adapters.notebook.entries import Picture
from kimi_adapters.notebook.wording import clean

_SIZE = (240, 160)
_PIXELS = 60_000_000
_FILE = 30_000_000
_AS_IT_IS = 100_000
"""Most bytes of a picture that goes into the page unchanged."""
_KINDS = {b"\x89PNG": "image/png", b"\xff\xd8\xff": "image/jpeg", b"GIF8": "image/gif"}


def render(picture: Picture, *, local_files: bool) -> str:
    """Return a thumbnail as HTML, or the text in its place."""
    about = html.escape(clean(picture.about))
    data = _data(picture, local_files=local_files)
    if data is None or (source := _small(data)) is None:
        return f'<div style="opacity: .7">[{about}]</div>'
    return f'<img src="{source}" alt="{about}" title="{about}" style="max-width: {_SIZE[0]}px; margin: .3em 0">'


def _data(picture: Picture, *, local_files: bool) -> bytes | None:
    if picture.data is not None or picture.path is None or not local_files:
        return picture.data
    try:
        if not picture.path.is_file() or picture.path.stat().st_size > _FILE:
            return None
        return picture.path.read_bytes()
    except (OSError, ValueError):
        return None


def _small(data: bytes) -> str | None:
    """Return a data URL of a small picture; None when it is no picture, or there is nothing to make it smaller with."""
    try:
        from PIL import Image

        with Image.open(io.BytesIO(data), formats=("PNG", "JPEG", "GIF", "WEBP", "BMP")) as picture:
            if picture.width * picture.height > _PIXELS:
                return None
            picture.thumbnail(_SIZE)
            file = io.BytesIO()
            picture.convert("RGBA").save(file, "PNG")
        return _url("image/png", file.getvalue())
    except ModuleNotFoundError:
        kind = next((kind for start, kind in _KINDS.items() if data.startswith(start)), None)
        return _url(kind, data) if kind and len(data) <= _AS_IT_IS else None
    except Exception:  # Pillow has many errors for what is no picture
        return None


def _url(kind: str, data: bytes) -> str:
    return f"data:{kind};base64,{base64.b64encode(data).decode()}"
