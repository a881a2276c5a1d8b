"""What the bytes of a picture or a video show: format, size, and for PNG the main colour."""

from __future__ import annotations

import binascii
import struct
import zlib
from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any

#: Magic bytes of the pictures that Kimi reads (Moonshot docs, vision): offset, bytes, format.
_IMAGES = (
    (0, b"\x89PNG\r\n\x1a\n", "png"),
    (0, b"\xff\xd8\xff", "jpeg"),
    (0, b"GIF8", "gif"),
    (8, b"WEBP", "webp"),
    (0, b"BM", "bmp"),
    (4, b"ftypheic", "heic"),
    (4, b"ftypheix", "heic"),
    (4, b"ftypmif1", "heif"),
    (4, b"ftypheif", "heif"),
)
_VIDEOS = (
    (4, b"ftypqt", "QuickTime (mov)"),
    (4, b"ftyp3g", "3GPP"),
    (4, b"ftyp", "MP4"),
    (0, b"\x1a\x45\xdf\xa3", "WebM/Matroska"),
    (8, b"AVI ", "AVI"),
    (0, b"FLV", "FLV"),
    (0, b"\x00\x00\x01\xba", "MPEG"),
    (0, b"\x30\x26\xb2\x75", "WMV"),
)
#: Plain names for colours.
_COLOURS = {
    "black": (0, 0, 0), "white": (255, 255, 255), "grey": (128, 128, 128), "red": (255, 0, 0),
    "green": (0, 160, 0), "blue": (0, 0, 255), "yellow": (255, 255, 0), "orange": (255, 165, 0),
    "purple": (128, 0, 128), "pink": (255, 192, 203), "brown": (139, 69, 19), "cyan": (0, 255, 255),
    "magenta": (255, 0, 255), "lime": (0, 255, 0), "navy": (0, 0, 128), "teal": (0, 128, 128),
}  # fmt: skip
#: Pictures with more pixels are described without their colour.
_MOST_PIXELS = 4_000_000

Rgb = tuple[int, int, int]


@dataclass(frozen=True, slots=True)
class Picture:
    """What is known of a picture.

    Attributes:
        format: ``png``, ``jpeg`` …
        size: Width and height in pixels, when the header has it.
        colour: The name of the most frequent colour, for 8-bit PNGs.
        hex: The same as ``#rrggbb``.
    """

    format: str
    size: tuple[int, int] | None
    colour: str | None = None
    hex: str | None = None


def url_of(part: dict[str, Any]) -> str:
    """Return the URL of a media part, in either of its two forms; empty when there is none."""
    given = part.get(part["type"])
    url = given.get("url") if isinstance(given, dict) else given
    return url if isinstance(url, str) else ""


def data_of(url: str) -> bytes:
    """Return the bytes of a ``data:`` URL.

    Raises:
        ValueError: If the URL holds no valid base64.
    """
    head, _, data = url.partition(",")
    if not head.endswith(";base64") or not data:
        raise ValueError("no base64 data")
    return binascii.a2b_base64(data, strict_mode=True)


def image_type(data: bytes) -> str | None:
    """Return the format of a picture, or None when Kimi does not read it."""
    return _match(data, _IMAGES)


def video_type(data: bytes) -> str | None:
    """Return the container of a video, or None when it is unknown."""
    return _match(data, _VIDEOS)


def _match(data: bytes, table: tuple[tuple[int, bytes, str], ...]) -> str | None:
    return next((kind for at, magic, kind in table if data[at : at + len(magic)] == magic), None)


def picture(data: bytes) -> Picture | None:
    """Return everything that is known of a picture, or None when the data is no picture."""
    kind = image_type(data)
    if kind is None:
        return None
    try:
        size = _SIZES[kind](data) if kind in _SIZES else None
        rgb = _main_colour(data) if kind == "png" else None
    except (struct.error, zlib.error, IndexError, ValueError):
        return Picture(kind, None)
    if rgb is None:
        return Picture(kind, size)
    return Picture(kind, size, colour_name(rgb), "#{:02x}{:02x}{:02x}".format(*rgb))


def colour_name(rgb: Rgb) -> str:
    """Return the nearest plain name of a colour."""
    return min(_COLOURS, key=lambda name: sum((a - b) ** 2 for a, b in zip(_COLOURS[name], rgb, strict=True)))


def _png_size(data: bytes) -> tuple[int, int]:
    width, height = struct.unpack(">II", data[16:24])
    return width, height


def _gif_size(data: bytes) -> tuple[int, int]:
    width, height = struct.unpack("<HH", data[6:10])
    return width, height


def _bmp_size(data: bytes) -> tuple[int, int]:
    width, height = struct.unpack("<ii", data[18:26])
    return width, abs(height)


def _webp_size(data: bytes) -> tuple[int, int]:
    kind = data[12:16]
    if kind == b"VP8X":
        return 1 + int.from_bytes(data[24:27], "little"), 1 + int.from_bytes(data[27:30], "little")
    if kind == b"VP8L":
        bits = int.from_bytes(data[21:25], "little")
        return 1 + (bits & 0x3FFF), 1 + (bits >> 14 & 0x3FFF)
    width, height = struct.unpack("<HH", data[26:30])
    return width & 0x3FFF, height & 0x3FFF


def _jpeg_size(data: bytes) -> tuple[int, int] | None:
    """Read the size from the first start-of-frame segment."""
    at = 2
    while at + 9 < len(data) and data[at] == 0xFF:
        marker, length = data[at + 1], struct.unpack(">H", data[at + 2 : at + 4])[0]
        if 0xC0 <= marker <= 0xCF and marker not in (0xC4, 0xC8, 0xCC):
            height, width = struct.unpack(">HH", data[at + 5 : at + 9])
            return width, height
        at += 2 + length
    return None


_SIZES: dict[str, Callable[[bytes], tuple[int, int] | None]] = {
    "png": _png_size,
    "gif": _gif_size,
    "bmp": _bmp_size,
    "webp": _webp_size,
    "jpeg": _jpeg_size,
}


def _main_colour(data: bytes) -> Rgb | None:
    """Return the most frequent colour of an 8-bit PNG; None when it is interlaced, too large or cut off."""
    width, height, depth, kind, _, _, interlaced = struct.unpack(">IIBBBBB", data[16:29])
    channels = {0: 1, 2: 3, 3: 1, 4: 2, 6: 4}.get(kind)
    if depth != 8 or channels is None or interlaced or not 0 < width * height <= _MOST_PIXELS:
        return None
    chunks = list(_png_chunks(data))
    packed = b"".join(body for name, body in chunks if name == b"IDAT")
    size = height * (1 + width * channels)
    raw = zlib.decompressobj().decompress(packed, size)
    if len(raw) < size:
        return None
    palette = next((body for name, body in chunks if name == b"PLTE"), b"")
    counted: Counter[bytes] = Counter()
    for row in _rows(raw, width, channels):
        counted.update(row[at : at + channels] for at in range(0, len(row), channels))
    return _rgb(counted.most_common(1)[0][0], kind, palette)


def _rgb(pixel: bytes, kind: int, palette: bytes) -> Rgb:
    if kind == 3:
        pixel = palette[3 * pixel[0] : 3 * pixel[0] + 3]
    elif kind in (0, 4):
        pixel = pixel[:1] * 3
    return pixel[0], pixel[1], pixel[2]


def _png_chunks(data: bytes) -> Iterator[tuple[bytes, bytes]]:
    at = 8
    while at + 8 <= len(data):
        length = int.from_bytes(data[at : at + 4], "big")
        yield data[at + 4 : at + 8], data[at + 8 : at + 8 + length]
        at += 12 + length


def _rows(raw: bytes, width: int, channels: int) -> Iterator[bytes]:
    """Yield the rows with PNG's prediction filters undone."""
    stride = width * channels
    above = bytes(stride)
    for at in range(0, len(raw), stride + 1):
        row = bytearray(raw[at + 1 : at + 1 + stride])
        if raw[at]:
            _unfilter(row, above, raw[at], channels)
        above = bytes(row)
        yield above


def _unfilter(row: bytearray, above: bytes, kind: int, channels: int) -> None:
    for i in range(len(row)):
        left = row[i - channels] if i >= channels else 0
        corner = above[i - channels] if i >= channels else 0
        row[i] = (row[i] + _predicted(kind, left, above[i], corner)) & 0xFF


def _predicted(kind: int, left: int, up: int, corner: int) -> int:
    if kind == 4:
        guess = left + up - corner
        return min((left, up, corner), key=lambda value: abs(guess - value))
    return {1: left, 2: up, 3: (left + up) // 2}.get(kind, 0)
