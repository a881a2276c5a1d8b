"""What the demonstration works on: a folder of sales reports, and a chart of them."""

from __future__ import annotations

import struct
import zlib
from pathlib import Path
from typing import TypeAlias

Rgb: TypeAlias = tuple[int, int, int]
Pixels: TypeAlias = list[list[Rgb]]

FOLDER = "sales"
_MONTHS = (
    "January", "February", "March", "April", "May", "June",
    "July", "August", "September", "October", "November", "December",
)  # fmt: skip
_QUARTERS = ("first", "second", "third", "fourth")
#: The dip in August is what the memo explains.
_REVENUE = (
    31_480.50, 29_915.00, 34_210.25, 36_002.00, 44_871.75, 47_330.00,
    50_118.40, 28_640.60, 45_907.10, 52_264.80, 55_391.95, 61_730.30,
)  # fmt: skip
TOTAL = round(sum(_REVENUE), 2)

BLUE, ORANGE, WHITE = (20, 60, 200), (255, 165, 0), (255, 255, 255)
_WIDTH, _HEIGHT, _SCALE = 48, 24, 10


def write_reports(root: Path) -> None:
    """Write one report for each quarter into the folder `sales` below a root."""
    folder = root / FOLDER
    folder.mkdir()
    for at, quarter in enumerate(_QUARTERS):
        months = zip(_MONTHS[3 * at : 3 * at + 3], _REVENUE[3 * at : 3 * at + 3], strict=True)
        lines = [f"{name} revenue: {value:,.2f}" for name, value in months]
        text = "\n".join([f"Harbour Coffee, {quarter} quarter (in dollars)", *lines])
        (folder / f"q{at + 1}.txt").write_text(text + "\n", encoding="utf-8")


def chart() -> Pixels:
    """Draw orange bars on blue, one for each month, above a white line."""
    pixels: Pixels = [[BLUE] * _WIDTH for _ in range(_HEIGHT)]
    pixels[-2] = [WHITE] * _WIDTH
    for at, value in enumerate(_REVENUE):
        height = round((_HEIGHT - 4) * value / max(_REVENUE))
        for row in pixels[_HEIGHT - 2 - height : _HEIGHT - 2]:
            row[4 * at + 1 : 4 * at + 3] = [ORANGE] * 2
    return pixels


def write_png(path: Path, pixels: Pixels) -> None:
    """Write pixels as a PNG, each of them ten wide and high."""
    rows = [b"".join(bytes(pixel) * _SCALE for pixel in row) for row in pixels]
    raw = b"".join((b"\0" + row) * _SCALE for row in rows)
    header = struct.pack(">IIBBBBB", len(pixels[0]) * _SCALE, len(pixels) * _SCALE, 8, 2, 0, 0, 0)
    body = _chunk(b"IHDR", header) + _chunk(b"IDAT", zlib.compress(raw, 9)) + _chunk(b"IEND", b"")
    path.write_bytes(b"\x89PNG\r\n\x1a\n" + body)


def _chunk(name: bytes, data: bytes) -> bytes:
    return struct.pack(">I", len(data)) + name + data + struct.pack(">I", zlib.crc32(name + data))
