"""Media and documents as people have them, in the one form that hosts take."""

from __future__ import annotations

import base64
import textwrap
from collections.abc import Callable
from typing import Any
from urllib.parse import quote

import pytest
from hypothesis import given
from hypothesis import strategies as st

from kimi_core import DocumentPart, ImagePart, Message, TextPart, VideoPart
from kimi_core.media import documents, parts
from kimi_core.media.data_urls import MediaError

# With all that base64 differs in: both signs of the URL-safe alphabet, and padding.
PNG = base64.b64decode("iVBORw0KGgo=") + b"\xfb\xef\xbe\xff\xff\xfe" * 30 + b"\0"
PNG64 = base64.b64encode(PNG).decode()
PNG_URL = f"data:image/png;base64,{PNG64}"
MP4 = b"\0\0\0\x18ftypmp42" + b"\0" * 17
MP4_URL = f"data:video/mp4;base64,{base64.b64encode(MP4).decode()}"
PDF = b"%PDF-1.4 \0 x"
PDF64 = base64.b64encode(PDF).decode()
PDF_URL = f"data:application/pdf;base64,{PDF64}"


def b64(text: str | bytes) -> str:
    return base64.b64encode(text.encode() if isinstance(text, str) else text).decode()


def normalized(part: Any, role: Any = "user") -> Any:
    (message,) = parts.normalized([Message(role, (part,))])
    assert not isinstance(message.content, str)
    return message.content[0]


SPELLINGS: dict[str, Callable[[str], str]] = {
    "as hosts take it": lambda e: f"data:image/png;base64,{e}",
    "in capitals": lambda e: f"DATA:Image/PNG;BASE64,{e}",
    "with parameters": lambda e: f"data:image/png;name=a.png;base64,{e}",
    "with spaces around": lambda e: f"  data:image/png;base64, {e}\n",
    "in lines": lambda e: f"data:image/png;base64,{textwrap.fill(e, 76)}",
    "in lines of mail": lambda e: f"data:image/png;base64,{textwrap.fill(e, 76)}\n".replace("\n", "\r\n"),
    "without padding": lambda e: f"data:image/png;base64,{e.rstrip('=')}",
    "in the alphabet of URLs": lambda e: f"data:image/png;base64,{e.translate(str.maketrans('+/', '-_'))}",
    "escaped as in URLs": lambda e: f"data:image/png;base64,{quote(e, safe='')}",
    "not in base64 at all": lambda e: f"data:image/png,{quote(base64.b64decode(e), safe='')}",
    "of another type": lambda e: f"data:image/jpeg;base64,{e}",
    "of no type": lambda e: f"data:;base64,{e}",
    "of the type of anything": lambda e: f"data:application/octet-stream;base64,{e}",
    "bare": lambda e: e,
    "bare, in lines, without padding": lambda e: textwrap.fill(e.rstrip("="), 60),
    "encoded twice": lambda e: f"data:image/png;base64,{b64(e)}",
    "encoded twice, the first time in lines": lambda e: f"data:image/png;base64,{b64(textwrap.fill(e, 76))}",
    "a URL that was encoded": lambda e: f"data:image/png;base64,{b64(f'data:image/png;base64,{e}')}",
    "a URL in the field for base64": lambda e: f"data:image/png;base64,{e}",
}


@pytest.mark.parametrize("spelling", SPELLINGS)
def test_a_picture_is_sent_in_one_form_however_its_base64_is_written(spelling: str) -> None:
    assert normalized(ImagePart(SPELLINGS[spelling](PNG64))) == ImagePart(PNG_URL)


@given(st.binary(max_size=400), st.sampled_from(sorted(SPELLINGS)))
def test_no_byte_is_lost_in_any_spelling(rest: bytes, spelling: str) -> None:
    data = PNG[:8] + rest
    made = normalized(ImagePart(SPELLINGS[spelling](b64(data))))
    assert made == ImagePart(f"data:image/png;base64,{b64(data)}")
    assert normalized(made) is made


@pytest.mark.parametrize("url", [PNG_URL, "https://example.com/a.png", "ms://file-abc", "s3://bucket/a.png"])
def test_what_needs_nothing_stays_as_it_is(url: str) -> None:
    messages = [Message("user", (ImagePart(url), TextPart("?"))), Message("assistant", "A dot.")]
    assert parts.normalized(messages) is messages


def test_a_video_is_recognised_by_its_bytes_too() -> None:
    assert normalized(VideoPart(f"data:video/webm;base64,{b64(MP4)}")) == VideoPart(MP4_URL)


def test_bytes_of_no_known_type_are_of_the_type_that_is_given() -> None:
    assert normalized(VideoPart("data:video/mov;base64,AQID")) == VideoPart("data:video/quicktime;base64,AQID")
    assert normalized(ImagePart("data:image/heif;base64,AQID")) == ImagePart("data:image/heif;base64,AQID")


@pytest.mark.parametrize("mime", ["image/png", "image/jpg", "image/webp", "image/gif"])
def test_a_picture_whose_format_always_begins_alike_has_to(mime: str) -> None:
    with pytest.raises(MediaError, match="does not begin as one: it is broken, or something else"):
        normalized(ImagePart(f"data:{mime};base64,AQID"))


@pytest.mark.parametrize(
    ("url", "words"),
    [
        (f"data:text/csv;base64,{b64('a,b')}", "The image is text/csv, which Kimi does not take as an image"),
        ("data:text/csv,a%2Cb", "is text/csv"),
        (f"data:image/png;base64,{b64('a,b')}", "is called image/png and is text"),
        (f"data:image/png;base64,{b64('ä' * 400)}", "is called image/png and is text, which is no image"),
        (f"data:image/png;base64,{PDF64}", "is a PDF"),
        (PDF64, "no base64 of a known format"),
        (MP4_URL, "is video/mp4: send it as a video"),
        (f"data:image/svg+xml,{quote('<svg/>')}", "is an SVG"),
        ("data:image/png;base64,", "The image is empty"),
        ("data:image/png", "is not a `data:"),
        ("data:image/png;base64,!!!!", "'!!!!' is not base64"),
        ("data:image/png;base64,AAAAA", "is not base64"),
        ("data:image/png;base64,AA==AA==", "is not base64"),
        ("data:image/png;base64,äöü", "is not base64"),
        ("hello", "is no address"),
        ("", "is no address"),
    ],
)
def test_what_is_no_picture_is_refused(url: str, words: str) -> None:
    with pytest.raises(MediaError, match=words):
        normalized(ImagePart(url))


@pytest.mark.parametrize(
    "url",
    ["!" * 10**6, f"data:text/csv,{' ' * 10**6}", f"data:image/png;base64,!{PNG64 * 10**4}", "A" * 10**6],
    ids=["no base64", "a text", "a picture", "base64 of nothing"],
)
@pytest.mark.parametrize("kind", [ImagePart, VideoPart, DocumentPart])
def test_no_error_repeats_the_file(url: str, kind: Any) -> None:
    with pytest.raises(MediaError) as caught:
        documents.text_of(normalized(kind(url)))
    assert len(str(caught.value)) < 500


@pytest.mark.parametrize("role", ["tool", "assistant"])
@pytest.mark.parametrize("url", ["data:image/png;base64,", "data:image/svg+xml,<svg/>", "data:,", "/etc/passwd", "!!"])
def test_what_a_tool_or_a_model_said_becomes_a_text_on_what_is_missing(url: str, role: str) -> None:
    part = normalized(ImagePart(url), role)
    assert isinstance(part, TextPart)
    assert part.text.startswith("[an image was left out: it cannot be read here")


# ------------------------------------------------------------------------------------------------- documents


TEXT_AS_PDF = f"data:application/pdf;base64,{b64('The wide world')}"


@pytest.mark.parametrize(
    ("part", "text"),
    [
        (DocumentPart(TEXT_AS_PDF), "The wide world"),
        (DocumentPart(TEXT_AS_PDF, "a.pdf", "application/pdf"), "Document 'a.pdf':\n\nThe wide world"),
        (DocumentPart(f"data:application/msword;base64,{b64('14 m')}"), "14 m"),
        (DocumentPart(f"data:video/mp2t;base64,{b64('const a = 1')}", "a.ts"), "Document 'a.ts':\n\nconst a = 1"),
        (DocumentPart("DATA:text/plain;BASE64,MTQgb-Q"), None),
        (DocumentPart("DATA:text/plain;charset=latin-1;BASE64,MTQgb-Q"), "14 oä"),
        (DocumentPart("data:,14%20m"), "14 m"),
        (DocumentPart("data:text/plain;charset=utf-8,14%20%C3%A4"), "14 ä"),
        (DocumentPart(f"data:text/plain;base64,{b64(PNG_URL)}"), PNG_URL),
        (DocumentPart(f"data:text/plain;base64,{b64(PDF64)}"), PDF64),
    ],
    ids=str,
)
def test_what_is_text_is_sent_as_text_whatever_it_is_called(part: DocumentPart, text: str | None) -> None:
    if text is None:
        with pytest.raises(MediaError, match="is called text/plain and is no text"):
            documents.text_of(normalized(part))
    else:
        assert documents.text_of(normalized(part)) == text


@pytest.mark.parametrize(
    "part",
    [
        DocumentPart(PDF_URL),
        DocumentPart(f"data:text/plain;base64,{PDF64}"),
        DocumentPart(f"data:;base64,{PDF64}", mime="text/plain"),
        DocumentPart(PDF64),
        DocumentPart(textwrap.fill(PDF64.rstrip("="), 5)),
        DocumentPart(f"data:application/octet-stream;base64,{b64(PDF_URL)}"),
    ],
    ids=str,
)
def test_a_pdf_is_one_whatever_it_is_called(part: DocumentPart) -> None:
    made = normalized(part)
    assert (documents.mime_of(made), documents.text_of(made)) == ("application/pdf", None)
    assert made.url.endswith(f";base64,{PDF64}")


@pytest.mark.parametrize("mime", ["application/pdf", "text/plain", "application/octet-stream", ""])
def test_a_picture_or_video_that_came_as_a_document_is_one(mime: str) -> None:
    assert normalized(DocumentPart(f"data:{mime};base64,{PNG64}", "a.pdf", mime or None)) == ImagePart(PNG_URL)
    assert normalized(DocumentPart(f"data:{mime};base64,{b64(MP4)}")) == VideoPart(MP4_URL)


def test_bare_base64_of_no_known_format_is_refused_as_a_document() -> None:
    with pytest.raises(MediaError, match="no base64 of a known format"):
        normalized(DocumentPart(b64("Is it a text, or a path?")))


@given(st.text(max_size=80))
def test_any_text_stays_the_text_that_it_is(said: str) -> None:
    part = normalized(DocumentPart(f"data:text/plain;base64,{b64(said)}"))
    assert isinstance(part, DocumentPart)
    assert base64.b64decode(part.url.partition(",")[2]).decode() == said
