import base64
import io
import tracemalloc
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image

from kimi_core.media.data_urls import (
    IMAGE_TYPES,
    VIDEO_TYPES,
    MediaError,
    guess_mime,
    load,
    sniff,
    split_data_url,
    to_data_url,
)


def picture(encoding: str) -> bytes:
    """Return a small picture that Pillow has written."""
    file = io.BytesIO()
    Image.new("RGB", (4, 3), "red").save(file, encoding)
    return file.getvalue()


def box(brand: bytes) -> bytes:
    """Return the first box of a file of the MPEG-4 family."""
    return b"\0\0\0\x18ftyp" + brand + b"\0\0\2\0isomiso2"


ASF = bytes.fromhex("3026b2758e66cf11a6d900aa0062ce6c")
WEBM = bytes.fromhex("1a45dfa39f4286810142f7810142f2810442f381084282847765626d")
MATROSKA = bytes.fromhex("1a45dfa3a34286810142f7810142f2810442f381084282886d6174726f736b61")
SAMPLES = {
    "image/png": picture("PNG"),
    "image/jpeg": picture("JPEG"),
    "image/webp": picture("WEBP"),
    "image/gif": picture("GIF"),
    "image/bmp": picture("BMP"),
    "image/heic": box(b"heic"),
    "image/heif": box(b"mif1"),
    "video/mp4": box(b"isom"),
    "video/mpeg": b"\x00\x00\x01\xba\x44\x00\x04\x00\x04\x01",
    "video/quicktime": box(b"qt  "),
    "video/x-msvideo": b"RIFF\x24\x10\x00\x00AVI LIST",
    "video/x-flv": b"FLV\x01\x05\x00\x00\x00\x09",
    "video/webm": WEBM,
    "video/x-ms-wmv": ASF,
    "video/3gpp": box(b"3gp5"),
}
SVG = b'<?xml version="1.0"?>\n<!-- drawn by hand -->\n<svg xmlns="http://www.w3.org/2000/svg"/>'


def kind_of(mime: str) -> str:
    return mime.partition("/")[0]


def other_kind(mime: str) -> str:
    return "video" if mime in IMAGE_TYPES else "image"


# --- telling what it is -----------------------------------------------------------------------------------------


def test_there_is_a_sample_of_every_type():
    assert SAMPLES.keys() == IMAGE_TYPES.keys() | VIDEO_TYPES.keys()


@pytest.mark.parametrize("mime", SAMPLES)
def test_the_first_bytes_decide_the_type(mime):
    assert sniff(SAMPLES[mime]) == mime


@pytest.mark.parametrize(
    ("data", "mime"),
    [
        (box(b"mp42"), "video/mp4"),
        (box(b"M4V "), "video/mp4"),
        (box(b"heix"), "image/heic"),
        (box(b"3g2a"), "video/3gpp"),
        (b"\0\0\0\x08wide\0\0\0\0mdat", "video/quicktime"),
        (b"\x00\x00\x01\xb3\x14\x00\xf0", "video/mpeg"),
    ],
)
def test_variants_are_known_too(data, mime):
    assert sniff(data) == mime


@pytest.mark.parametrize("data", [b"", b"plain text", b"BMW is no bitmap", SVG, MATROSKA, box(b"avif"), b"%PDF-1.7"])
def test_what_kimi_does_not_take_has_no_type(data):
    assert sniff(data) is None


@given(st.binary(max_size=600))
def test_any_bytes_can_be_looked_at(data):
    assert sniff(data) in {None, *SAMPLES}


@pytest.mark.parametrize(("mime", "endings"), (IMAGE_TYPES | VIDEO_TYPES).items())
def test_the_name_suggests_the_type(mime, endings):
    assert {guess_mime(f"a.b{ending.upper()}") for ending in endings} == {mime}


@pytest.mark.parametrize(
    ("name", "mime"),
    [
        ("a.svg", "image/svg+xml"),
        ("https://example.com/a/b.jpg?size=1#top", "image/jpeg"),
        (Path("dir.png/clip.MOV"), "video/quicktime"),
        ("png", None),
        ("", None),
    ],
)
def test_a_name_of_any_kind_can_be_looked_at(name, mime):
    assert guess_mime(name) == mime


# --- data URLs --------------------------------------------------------------------------------------------------


@given(st.binary(max_size=300), st.sampled_from(sorted(SAMPLES)))
def test_a_data_url_is_taken_apart_as_it_was_put_together(data, mime):
    assert split_data_url(to_data_url(data, mime)) == (mime, base64.b64encode(data).decode())


@pytest.mark.parametrize(
    ("url", "mime"),
    [
        ("data:image/png;base64,AA==", "image/png"),
        ("DATA:Image/PNG;name=a.png;BASE64,AA==", "image/png"),
        ("data:;base64,AA==", "text/plain"),
    ],
)
def test_a_data_url_may_be_written_in_other_ways(url, mime):
    assert split_data_url(url) == (mime, "AA==")


@pytest.mark.parametrize(
    "url", ["https://example.com/a.png", "data:image/png,AA", "data:image/png;base64", "", "ms://x"]
)
def test_what_is_no_data_url_in_base64_is_refused(url):
    with pytest.raises(MediaError, match="is not a `data:"):
        split_data_url(url)


def test_a_long_url_is_not_repeated_in_the_error():
    with pytest.raises(MediaError) as caught:
        split_data_url("data:image/png," + "A" * 10_000)
    assert len(str(caught.value)) < 200


def test_ten_megabytes_are_held_once_beside_their_url():
    data = SAMPLES["image/png"] + bytes(10_000_000)
    tracemalloc.start()
    url = load(data, "image")
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert peak < 1.2 * len(url)


# --- loading ----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("mime", SAMPLES)
def test_bytes_become_a_data_url(mime):
    assert load(SAMPLES[mime], kind_of(mime)) == to_data_url(SAMPLES[mime], mime)


@pytest.mark.parametrize("mime", SAMPLES)
def test_bytes_of_the_other_kind_are_refused(mime):
    with pytest.raises(MediaError, match=f"is {mime}: send it as an? {kind_of(mime)}"):
        load(SAMPLES[mime], other_kind(mime))


def test_what_the_bytes_show_goes_before_the_type_given():
    assert split_data_url(load(SAMPLES["image/png"], "image", "image/gif"))[0] == "image/png"


@pytest.mark.parametrize(
    ("given_mime", "sent"),
    [("video/mp4", "video/mp4"), ("video/mov", "video/quicktime"), ("Video/AVI; codecs=x", "video/x-msvideo")],
)
def test_the_type_given_is_believed_when_the_bytes_do_not_show_it(given_mime, sent):
    assert split_data_url(load(b"\x01\x02\x03", "video", given_mime))[0] == sent


def test_no_bytes_are_refused():
    with pytest.raises(MediaError, match="The image is empty"):
        load(b"", "image")


@pytest.mark.parametrize(
    ("data", "reason"),
    [
        (SVG, "an SVG .*unsupported image format.*convert it to PNG"),
        (b"<svg/>", "an SVG"),
        (b"\xef\xbb\xbf<!DOCTYPE svg PUBLIC><SVG/>", "an SVG"),
        (b"%PDF-1.7\n", "a PDF; upload it"),
        (b"ID3\x04\x00", "audio, which Kimi does not hear"),
        (b"RIFF\x24\x08\x00\x00WAVEfmt ", "audio"),
        (box(b"M4A "), "audio"),
        (picture("TIFF"), "a TIFF"),
        (box(b"avif"), "an AVIF"),
    ],
)
def test_what_people_try_is_refused_with_what_to_do_instead(data, reason):
    with pytest.raises(MediaError, match=reason):
        load(data, "image", "image/png")


def test_a_type_that_kimi_does_not_take_is_refused_with_those_it_takes():
    with pytest.raises(
        MediaError, match="is video/x-matroska, which Kimi does not take as a video: it takes video/mp4"
    ):
        load(MATROSKA, "video", "video/x-matroska")


def test_bytes_of_no_known_format_are_refused():
    with pytest.raises(MediaError, match="of no known format. Kimi takes image/png, .* need their MIME type"):
        load(b"\x01\x02\x03", "image")
