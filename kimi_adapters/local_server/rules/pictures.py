"""Describes pictures and videos by what their bytes tell."""

from __future__ import annotations

from typing import Any

from kimi_adapters.local_server.files import FileStore
from kimi_adapters.local_server.media import Picture, data_of, picture, url_of, video_type

JsonObject = dict[str, Any]


def described(parts: list[JsonObject], files: FileStore) -> str:
    """Return one sentence for each picture or video."""
    lines = [_line(part, files) for part in parts]
    if len(lines) == 1:
        return lines[0]
    return "\n".join(f"{at}. {line}" for at, line in enumerate(lines, 1))


def _line(part: JsonObject, files: FileStore) -> str:
    what = part["type"].removesuffix("_url")
    if url_of(part).startswith(("http://", "https://")):
        return f"This is {'an' if what == 'image' else 'a'} {what} at an address, which nobody fetched."
    data = _bytes(url_of(part), files)
    if part["type"] == "video_url":
        return f"This is a video ({video_type(data) or 'unknown container'}, {len(data)} bytes)."
    found = picture(data)
    return f"This is an image of {len(data)} bytes." if found is None else _picture(found)


def _bytes(url: str, files: FileStore) -> bytes:
    return files.get(url.removeprefix("ms://")).data if url.startswith("ms://") else data_of(url)


def _picture(found: Picture) -> str:
    size = f" of {found.size[0]} x {found.size[1]} pixels" if found.size else ""
    colour = f", mostly {found.colour} ({found.hex})" if found.colour else ""
    return f"This is a {found.format.upper()} image{size}{colour}."
