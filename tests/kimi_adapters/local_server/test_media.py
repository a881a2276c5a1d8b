"""What the server sees of pictures and videos."""

from __future__ import annotations

import base64
import io
import struct
import zlib

import pytest
from PIL import Image

from kimi_adapters.local_server import media


def encoded(kind, size=(40, 30), colour=(255, 0, 0), mode="RGB", **options):
    out = io.BytesIO()
    Image.new("RGB", size, colour).convert(mode).save(out, kind, **options)
    return out.getvalue()


def part(data, mime="image/png", kind="image_url"):
    url = f"data:{mime};base64,{base64.b64encode(data).decode()}"
    return {"type": kind, kind: {"url": url}}


def asked(*parts):
    return [{"role": "user", "content": [*parts, {"type": "text", "text": "What is this?"}]}]


@pytest.mark.parametrize(
    ("kind", "options"),
    [
        ("PNG", {}),
        ("JPEG", {}),
        ("JPEG", {"progressive": True}),
        ("GIF", {}),
        ("BMP", {}),
        ("WEBP", {}),
        ("WEBP", {"lossless": True}),
    ],
)
def test_format_and_size_are_read_from_the_header(kind, options):
    found = media.picture(encoded(kind, **options))
    assert (found.format, found.size) == (kind.lower(), (40, 30))


def test_the_size_of_an_extended_webp_is_read():
    out = io.BytesIO()
    Image.new("RGBA", (40, 30), (255, 0, 0, 10)).save(out, "WEBP", exif=b"Exif\0\0")
    assert out.getvalue()[12:16] == b"VP8X"
    assert media.picture(out.getvalue()).size == (40, 30)


@pytest.mark.parametrize("mode", ["RGB", "RGBA", "P"])
@pytest.mark.parametrize(("name", "rgb"), [("red", (255, 0, 0)), ("blue", (0, 0, 255)), ("white", (255, 255, 255))])
def test_the_main_colour_of_a_png_is_named(mode, name, rgb):
    found = media.picture(encoded("PNG", colour=rgb, mode=mode))
    assert (found.colour, found.hex) == (name, "#{:02x}{:02x}{:02x}".format(*rgb))


@pytest.mark.parametrize("mode", ["L", "LA"])
def test_the_main_colour_of_a_grey_png_is_grey(mode):
    assert media.picture(encoded("PNG", colour=(128, 128, 128), mode=mode)).colour == "grey"


@pytest.mark.parametrize("filter_type", range(5))
def test_every_row_filter_is_undone(filter_type):
    width, height = 5, 4
    pixels = [[(10 * x, 20 * y, 7) for x in range(width)] for y in range(height)]
    pixels[1] = pixels[2] = [(200, 30, 30)] * width
    specs, above = [], bytes(3 * width)
    for spec in pixels:
        plain = bytes(value for pixel in spec for value in pixel)
        specs.append(bytes([filter_type]) + filtered(plain, above, filter_type))
        above = plain
    assert media.picture(png(width, height, b"".join(specs))).hex == "#c81e1e"


def filtered(spec, above, kind):
    out = bytearray()
    for at, value in enumerate(spec):
        left = spec[at - 3] if at >= 3 else 0
        corner = above[at - 3] if at >= 3 else 0
        guess = left + above[at] - corner
        nearest = min((left, above[at], corner), key=lambda one: abs(guess - one))
        predicted = [0, left, above[at], (left + above[at]) // 2, nearest][kind]
        out.append((value - predicted) & 0xFF)
    return bytes(out)


def png(width, height, raw):
    def chunk(name, body):
        return struct.pack(">I", len(body)) + name + body + struct.pack(">I", zlib.crc32(name + body))

    head = struct.pack(">IIBBBBB", width, height, 8, 2, 0, 0, 0)
    return b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", head) + chunk(b"IDAT", zlib.compress(raw)) + chunk(b"IEND", b"")


@pytest.mark.parametrize("cut", [9, 20, 30, 60])
def test_a_broken_png_is_still_a_png(cut):
    assert media.picture(encoded("PNG")[:cut]).format == "png"


def test_a_png_that_unpacks_to_too_little_has_no_colour():
    assert media.picture(png(50, 50, b"\0" * 10)).colour is None


def test_a_picture_is_described(moonshot):
    reply = moonshot.chat(asked(part(encoded("PNG"))))
    assert reply.text == "This is a PNG image of 40 x 30 pixels, mostly red (#ff0000)."


def test_several_pictures_are_described_one_by_one(moonshot):
    reply = moonshot.chat(asked(part(encoded("JPEG"), "image/jpeg"), part(encoded("GIF", (5, 6)), "image/gif")))
    assert reply.text == "1. This is a JPEG image of 40 x 30 pixels.\n2. This is a GIF image of 5 x 6 pixels."


def test_a_url_may_be_plain_text(moonshot):
    url = part(encoded("PNG"))["image_url"]["url"]
    assert "PNG image" in moonshot.chat(asked({"type": "image_url", "image_url": url})).text


@pytest.mark.parametrize(
    ("head", "mime", "name"),
    [
        (b"\0\0\0\x18ftypmp42", "video/mp4", "MP4"),
        (b"\0\0\0\x14ftypqt  ", "video/mov", "QuickTime (mov)"),
        (b"\x1a\x45\xdf\xa3", "video/webm", "WebM/Matroska"),
        (b"RIFF\0\0\0\0AVI ", "video/avi", "AVI"),
        (b"????", "video/mpeg", "unknown container"),
    ],
)
def test_a_video_is_described_by_container_and_size(moonshot, head, mime, name):
    data = head + bytes(100)
    reply = moonshot.chat(asked(part(data, mime, "video_url")))
    assert reply.text == f"This is a video ({name}, {len(data)} bytes)."


def test_a_picture_in_a_tool_result_is_described(moonshot, tool):
    call = {"id": "functions.shot:0", "type": "function", "function": {"name": "shot", "arguments": "{}"}}
    messages = [
        {"role": "user", "content": "Take a shot."},
        {"role": "assistant", "content": "", "reasoning_content": "Yes.", "tool_calls": [call]},
        {"role": "tool", "tool_call_id": "functions.shot:0", "content": [part(encoded("PNG"))]},
    ]
    assert "40 x 30" in moonshot.chat(messages, tools=[tool("shot")]).text


def test_a_picture_costs_prompt_tokens_but_not_by_its_bytes(moonshot):
    plain = moonshot.chat("What is this?").json["usage"]["prompt_tokens"]
    shown = moonshot.chat(asked(part(encoded("BMP", (300, 300)), "image/bmp"))).json["usage"]["prompt_tokens"]
    assert shown - plain == 1024


@pytest.mark.parametrize(
    ("rgb", "name"), [((250, 5, 5), "red"), ((0, 250, 5), "lime"), ((5, 5, 5), "black"), ((255, 160, 10), "orange")]
)
def test_a_colour_has_its_nearest_name(rgb, name):
    assert media.colour_name(rgb) == name
