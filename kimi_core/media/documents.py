"""Documents: which of them are plain text, and how a document's text is put before the model.

Kimi reads neither document parts nor references to text files, only text: that of a text file as it is, that of a PDF
or an office file once it was extracted (Moonshot's files with purpose `file-extract`).
"""

from __future__ import annotations

import codecs
import mimetypes
import re
from dataclasses import replace
from typing import Final

from kimi_core.media import data_urls
from kimi_core.media.data_urls import MediaError
from kimi_core.quoting import in_short
from kimi_core.types import DocumentPart, ImagePart, VideoPart

UNKNOWN: Final = "application/octet-stream"
"""The MIME type of bytes of no known type."""
_TEXT_TYPES: Final = frozenset(
    f"application/{name}"
    for name in (
        "ecmascript", "graphql", "javascript", "json", "sql", "toml", "typescript", "x-javascript", "x-ndjson",
        "x-python", "x-sh", "x-tex", "x-toml", "x-yaml", "xml", "yaml",
    )
)  # fmt: skip
_TEXT_SUFFIXES: Final = ("+json", "+xml", "+yaml")
_MARKS: Final = (
    (codecs.BOM_UTF8, "utf-8-sig"),
    (codecs.BOM_UTF16_LE, "utf-16"),
    (codecs.BOM_UTF16_BE, "utf-16"),
)


def load(data: bytes, filename: str | None = None, mime: str | None = None) -> DocumentPart:
    """Make a part of a document's bytes. For a file there is `kimi_core.FilePart`.

    Args:
        data: The bytes.
        filename: The document's name.
        mime: The document's MIME type; by default the one that the name suggests.

    Raises:
        MediaError: If there are no bytes.
    """
    if not data:
        raise MediaError(f"{in_short(filename or 'The document')} is empty.")
    guessed = data_urls.guess_mime(filename) if filename else None
    return DocumentPart(data_urls.to_data_url(data, mime or guessed or UNKNOWN), filename, mime)


def mime_of(part: DocumentPart) -> str:
    """Return a document's MIME type by the part, its URL or its name; `UNKNOWN` when none of them has it."""
    label = part.mime or (part.url.partition(":")[2].partition(",")[0] if is_inline(part) else "")
    label = label.partition(";")[0].strip().lower()
    if label in ("", UNKNOWN):
        named = part.filename or ("" if is_inline(part) else part.url)
        return (data_urls.guess_mime(named) if named else None) or UNKNOWN
    return label


def is_inline(part: DocumentPart) -> bool:
    """Return whether a part holds the document itself, not its address."""
    return data_urls.is_inline(part.url)


def normalized(part: DocumentPart) -> DocumentPart | ImagePart | VideoPart:
    """Return a document in strict base64; as a picture or video where its bytes are one.

    Labels may be wrong (LangChain's core calls all base64 of an OpenAI block a PDF).

    Raises:
        MediaError: If the document's url names a file of this machine, or is not base64.
    """
    if not is_inline(part):
        if not _is_known(data_urls.beginning(part.url)):
            data_urls.check_address(part.url)
            return part
        part = replace(part, url=f"data:;base64,{part.url}")
    mime, encoded = data_urls.take_apart(part.url)
    head, named = data_urls.beginning(encoded), mime_of(part)
    if not _is_text(named) and not _is_known(head) and (wrapped := data_urls.unwrapped(head, encoded)):
        return normalized(replace(part, url=wrapped))
    if kind := (data_urls.sniff(head) or "").partition("/")[0]:
        url = f"data:{mime};base64,{encoded}"
        return (
            ImagePart(data_urls.normalized(url, "image"))
            if kind == "image"
            else VideoPart(data_urls.normalized(url, "video"))
        )
    if _is_pdf(head) and named != _PDF:
        return replace(part, url=f"data:{_PDF};base64,{encoded}", mime=_PDF)
    made = f"data:{mime};base64,{encoded}"
    return part if made == part.url else replace(part, url=made)


_PDF: Final = "application/pdf"


def _is_pdf(head: bytes) -> bool:
    return head.lstrip(b"\xef\xbb\xbf \t\r\n").startswith(b"%PDF-")


def _is_known(head: bytes) -> bool:
    """Return whether bytes begin like a picture, a video, a PDF or an office file."""
    return (
        bool(data_urls.sniff(head))
        or _is_pdf(head)
        or head.startswith((b"PK\3\4", b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1"))
    )


# No text has these, and nothing else may distinguish a file of another kind from a text.
_CONTROL: Final = re.compile(rb"[\0-\x08\x0e-\x1a\x1c-\x1f]")


def _is_text(mime: str) -> bool:
    return mime.startswith("text/") or mime in _TEXT_TYPES or mime.endswith(_TEXT_SUFFIXES)


def text_of(part: DocumentPart) -> str | None:
    """Return the text of a plain-text document as the model gets it; None for any other, and for an address.

    The bytes decide whether it is text, whatever its label.

    Raises:
        MediaError: If the document is labelled as text and is not, or has no text in it.
    """
    if not is_inline(part):
        return None
    mime = mime_of(part)
    charset = re.search(r";\s*charset=\"?([\w.:-]+)", f"{part.mime};{part.url.partition(',')[0]}", re.IGNORECASE)
    data = data_urls.from_data_url(part.url)[1]
    if not _is_text(mime) and (_is_known(data[:512]) or (mime != UNKNOWN and _CONTROL.search(data))):
        return None
    text = _decoded(data, charset[1] if charset else "utf-8")
    if text is None and _is_text(mime):
        encoding = in_short(charset[1] if charset else "UTF-8")
        raise MediaError(
            f"{shown(part)} is called {in_short(mime)} and is no text in {encoding}. Convert it, or give its MIME type."
        )
    return None if text is None else titled(text, part)


def titled(text: str, part: DocumentPart) -> str:
    """Return a document's text under its name, so that the model can distinguish documents.

    Raises:
        MediaError: If the text is empty.
    """
    if not text.strip():
        raise MediaError(f"{shown(part)} has no text in it.")
    return f"Document {part.filename!r}:\n\n{text}" if part.filename else text


def name_of(part: DocumentPart) -> str:
    """Return the name of a document for errors and hosts."""
    mime = mime_of(part)
    ending = mimetypes.guess_extension(mime) if mime != UNKNOWN else None
    return part.filename or f"document{ending or ''}"


def shown(part: DocumentPart) -> str:
    """Return a document's name for messages, shortened."""
    return in_short(name_of(part))


def _decoded(data: bytes, charset: str) -> str | None:
    encoding = next((encoding for mark, encoding in _MARKS if data.startswith(mark)), charset)
    try:
        text = data.decode(encoding)
    except (UnicodeDecodeError, LookupError):
        return None
    # A PDF may be all ASCII; no text has NULs.
    return None if "\0" in text or text.startswith(("%PDF-", "%!PS", "{\\rtf")) else text
