"""Pictures and other media in messages, by their blocks."""

from __future__ import annotations

import base64
import binascii
import os
from pathlib import PurePath
from typing import Any

from kimi_adapters.notebook.entries import Note, Part, Picture
from kimi_adapters.notebook.wording import in_short

_LONGEST = 60_000_000
"""Most characters of a picture's base64."""


def picture(*, data: Any = None, path: Any = None, url: Any = None) -> Picture:
    """Return a picture of bytes (or their base64), a path object, or an address; only `data:` addresses are read."""
    if path is not None and isinstance(path, os.PathLike):
        file = PurePath(os.fspath(path))
        from pathlib import Path

        return Picture(path=Path(file), about=f"picture {file.name}")
    if data is not None:
        return Picture(data=decoded(data))
    if isinstance(url, str) and url[:5].lower() == "data:":
        return Picture(data=decoded(url.partition(",")[2]))
    return Picture(about=f"picture {in_short(str(url))}" if url else "picture")


def other(kind: str, *names: Any) -> Note:
    """Return the text about a video, a document, or anything else."""
    name = next((str(name) for name in names if isinstance(name, str | os.PathLike)), "")
    shown = "" if name[:5].lower() == "data:" else f" {in_short(name)}" if name else ""
    return Note(f"{in_short(kind)}{shown}")


def decoded(data: Any) -> bytes | None:
    """Return the bytes of base64 (as text or bytes); None when it is none."""
    if not isinstance(data, str | bytes) or len(data) > _LONGEST:
        return None
    try:
        return base64.b64decode(data, validate=True)
    except (ValueError, binascii.Error):
        return None


def of_core(part: Any) -> Part:
    """Return a part of a message of the core that is no text."""
    kind = type(part).__name__.removesuffix("Part").lower()
    if kind == "image":
        return picture(url=part.url)
    if kind == "file" and part.kind == "image":
        return picture(path=part.path)
    return other(getattr(part, "kind", kind), getattr(part, "filename", None), getattr(part, "path", None))
