"""Pictures and videos as the `data:` URLs that Kimi takes.

Moonshot takes no http URLs ("unsupported image url"): media travel inside the request, or as files uploaded before
(`kimi_core.attachments.attachments` fetches and uploads).
A file's first bytes decide its type. The server goes by them too and answers 400 `unsupported image format:
text/plain; charset=utf-8` for an SVG, whatever it is called. The standard library can no longer detect it (`imghdr` is
gone), and the libraries that can are not worth a dependency for sixteen formats.
"""

from __future__ import annotations

import codecs
import mimetypes
import re
from binascii import a2b_base64, b2a_base64
from os import PathLike, fspath
from pathlib import PurePath
from typing import Final, Literal, TypeAlias
from urllib.parse import unquote, unquote_to_bytes

from kimi_core.errors import MessageError
from kimi_core.hosts import addresses
from kimi_core.quoting import in_short, quoted

Kind: TypeAlias = Literal["image", "video"]

# Formats: Moonshot's vision guide ("png, jpeg, webp, gif", "mp4, mpeg, mov, avi, x-flv, mpg, webm, wmv, 3gpp") and
# model page (bmp, heic, heif). MIME types: what MoonshotAI/kimi-cli sends for them. File endings: IANA.
IMAGE_TYPES: Final[dict[str, tuple[str, ...]]] = {
    "image/png": (".png",),
    "image/jpeg": (".jpg", ".jpeg", ".jpe", ".jfif"),
    "image/webp": (".webp",),
    "image/gif": (".gif",),
    "image/bmp": (".bmp", ".dib"),
    "image/heic": (".heic",),
    "image/heif": (".heif", ".hif"),
}
"""The pictures that Kimi takes, with their file endings."""

VIDEO_TYPES: Final[dict[str, tuple[str, ...]]] = {
    "video/mp4": (".mp4", ".m4v"),
    "video/mpeg": (".mpeg", ".mpg", ".mpe"),
    "video/quicktime": (".mov", ".qt"),
    "video/x-msvideo": (".avi",),
    "video/x-flv": (".flv",),
    "video/webm": (".webm",),
    "video/x-ms-wmv": (".wmv", ".asf"),
    "video/3gpp": (".3gp", ".3gpp"),
}
"""The videos that Kimi takes, with their file endings."""

_TYPES: Final[dict[Kind, dict[str, tuple[str, ...]]]] = {"image": IMAGE_TYPES, "video": VIDEO_TYPES}
_BY_ENDING: Final = {e: mime for table in _TYPES.values() for mime, endings in table.items() for e in endings}
_ALIASES: Final = {
    "image/jpg": "image/jpeg",
    "image/pjpeg": "image/jpeg",
    "image/x-ms-bmp": "image/bmp",
    "video/mov": "video/quicktime",
    "video/avi": "video/x-msvideo",
    "video/wmv": "video/x-ms-wmv",
    "video/x-ms-asf": "video/x-ms-wmv",
    "video/mpg": "video/mpeg",
    "video/x-m4v": "video/mp4",
    "video/3gp": "video/3gpp",
}

_UNMISTAKABLE: Final = ("image/png", "image/jpeg", "image/webp", "image/gif")
"""Formats that always begin alike. Files of other formats may begin differently."""

_HEAD: Final = 512
_HEAD_BASE64: Final = 1024
# Each pattern is anchored to the first byte. Files of the MPEG-4 family name themselves in their `ftyp` box.
_MAGIC: Final = tuple(
    (re.compile(pattern, re.DOTALL), mime)
    for pattern, mime in (
        (rb"\x89PNG\r\n\x1a\n", "image/png"),
        (rb"\xff\xd8\xff", "image/jpeg"),
        (rb"RIFF....WEBP", "image/webp"),
        (rb"GIF8[79]a", "image/gif"),
        (rb"BM.{4}\0{4}", "image/bmp"),
        (rb"....ftyp(heic|heix|heim|heis|hevc|hevx)", "image/heic"),
        (rb"....ftyp(mif1|msf1|heif)", "image/heif"),
        (rb"....ftypqt  |[\0-\x08]...(moov|mdat|wide|pnot)", "video/quicktime"),
        (rb"....ftyp3g[pgrs2]", "video/3gpp"),
        (rb"....ftyp(iso.|mp4[12v]|avc1|M4V |dash|MSNV|mmp4|f4v |cmfc)", "video/mp4"),
        # Cameras write brands of their own, and behind them (in fours) those that they are compatible with.
        (rb"\0\0\0.ftyp(?!avi[fs]|M4[AB] ).{8}(.{4}){0,12}?(iso[m2-9]|mp4[12]|avc1)", "video/mp4"),
        (rb"RIFF....AVI ", "video/x-msvideo"),
        (rb"FLV\x01", "video/x-flv"),
        (rb"\x1a\x45\xdf\xa3.{0,60}webm", "video/webm"),
        (rb"\x30\x26\xb2\x75\x8e\x66\xcf\x11\xa6\xd9\x00\xaa\x00\x62\xce\x6c", "video/x-ms-wmv"),
        (rb"\x00\x00\x01[\xba\xb3]", "video/mpeg"),
    )
)

# What people try and Kimi does not take, with advice on what to do instead.
_REFUSED: Final = tuple(
    (re.compile(pattern, re.DOTALL | re.IGNORECASE), advice)
    for pattern, advice in (
        (
            rb"(\xef\xbb\xbf)?\s*(<\?xml.*?)?(<!--.*?-->\s*)?(<!doctype svg.*?)?<svg",
            "an SVG (the server: `unsupported image format`); convert it to PNG",
        ),
        (rb"%PDF-", "a PDF; upload it with purpose `file-extract`, or send it as a document or its pages as pictures"),
        (rb"ID3|\xff[\xfb\xf3\xf2]|RIFF....WAVE|OggS|fLaC|....ftypM4A ", "audio, which Kimi does not hear"),
        (rb"II\*\0|MM\0\*", "a TIFF; convert it to PNG"),
        (rb"....ftypavi[fs]", "an AVIF; convert it to PNG or JPEG"),
    )
)


_PRINTED: Final = re.compile(rb"[\t\n\r\x20-\x7e\x80-\xff]+\Z")


UPLOAD: Final = "ms://"
"""Prefix of the id of a file that was uploaded to the host."""
_FILE_ID: Final = re.compile(r"[A-Za-z0-9._~-]{1,200}")


class MediaError(MessageError):
    """A picture, video or document that cannot be sent. Raised before the model's host is asked."""


def sniff(data: bytes) -> str | None:
    """Return the MIME type by the first bytes, if it is one of those Kimi takes."""
    head = data[:_HEAD]
    return next((mime for pattern, mime in _MAGIC if pattern.match(head)), None)


def guess_mime(name: str | PathLike[str]) -> str | None:
    """Return the MIME type that a file's name suggests, whether Kimi takes it or not."""
    text = fspath(name)
    path = addresses.last_name(text) if "://" in text else text
    known = _BY_ENDING.get(PurePath(path).suffix.lower())
    return known or mimetypes.guess_type(path)[0]


def to_data_url(data: bytes, mime: str) -> str:
    """Return the bytes as a `data:` URL."""
    url = f"data:{mime};base64,"
    for at in range(0, len(data), _SLICE):  # see `with_base64`
        url += b2a_base64(data[at : at + _SLICE], newline=False).decode("ascii")
    return url


def with_base64(encoded: bytes, mime: str) -> str:
    """Return bytes that are in base64 as a `data:` URL; what is no ASCII in them is replaced.

    It is put together slice by slice: CPython lengthens a text that nobody else holds where it stands. So there is one
    copy of it, which takes a fraction of the time that two take.
    """
    url = f"data:{mime};base64,"
    for at in range(0, len(encoded), _SLICE):
        url += encoded[at : at + _SLICE].decode("ascii", "replace")
    return url


_SLICE: Final = 3 << 16
"""Bytes; a multiple of three, of which base64 makes four."""


def check_address(url: str) -> None:
    """Refuse a text that names a file of this machine.

    Raises:
        MediaError: If the text has no scheme, has the scheme of files, or begins with a drive.
    """
    scheme = _SCHEME.match(url)
    if scheme is None or scheme[1].lower() == "file":
        raise MediaError(
            f"{quoted(url)} is no address, and no base64 of a known format. A file of this machine is named by a path "
            "object (`pathlib.Path`; in LlamaIndex the field `path`, in a user's message), since text in a message may "
            "be anybody's."
        )


_SCHEME: Final = re.compile(r"([a-zA-Z][a-zA-Z0-9+.-]+):")


def normalized(url: str, kind: Kind) -> str:
    """Return the address of a picture or video as hosts take it: base64 becomes one strict `data:` URL.

    Args:
        url: An address, a `data:` URL in any spelling, or bare base64. The type of its bytes overrides its MIME type.
        kind: Whether it is to be an image or a video.

    Raises:
        MediaError: If the url names a file of this machine, is not base64, or is nothing that Kimi takes as that kind.
    """
    if url.startswith(UPLOAD):
        _check_id(url.removeprefix(UPLOAD))
        return url
    if _is_as_sent(url, kind):
        return url
    if is_inline(url):
        mime, encoded = take_apart(url)
    elif sniff(beginning(url)):
        mime, encoded = "", _strict(url)
    else:
        check_address(url)
        return url
    head = beginning(encoded)
    if sniff(head) is None and (wrapped := unwrapped(head, encoded)):
        return normalized(wrapped, kind)
    if not encoded:
        raise MediaError(f"The {kind} is empty.")
    made = f"data:{_checked(head, mime, kind, f'The {kind}')};base64,{encoded}"
    return url if made == url else made


_USUAL: Final = re.compile(r"data:([a-z]+/[a-z0-9]+);base64,")


def is_usual(url: str) -> bool:
    """Return whether an address that `normalized` returned is a `data:` URL in which JSON has nothing to escape."""
    return _USUAL.match(url) is not None


def _is_as_sent(url: str, kind: Kind) -> bool:
    """Return whether a `data:` URL is already as hosts take it. Nearly all are, and none of them is copied for that."""
    usual = _USUAL.match(url)
    if usual is None:
        return False
    begin = usual.end()
    head = beginning(url[begin : begin + _HEAD_BASE64 + 4])
    return usual[1] in _TYPES[kind] and sniff(head) == usual[1] and _is_strict(url, begin)


def _check_id(id: str) -> None:
    if not _FILE_ID.fullmatch(id):
        raise MediaError(
            f"{quoted(id)} is no id of an uploaded file. An address or a `data:` URL is given as the block's url, what "
            "is in base64 as its base64."
        )


def is_inline(url: str) -> bool:
    """Return whether an address holds the file itself, not its place."""
    return url.lstrip()[:5].lower() == "data:"


def take_apart(url: str) -> tuple[str, str]:
    """Return the MIME type of a `data:` URL with its parameters, as it is written, and its content in strict base64.

    Raises:
        MediaError: If the URL has no content, or its content is labelled as base64 and is not.
    """
    head, comma, content = url.partition(",")
    if not comma:
        raise MediaError(f"{quoted(url)} is not a `data:<mime>;base64,…` URL.")
    mime, *parameters = head.partition(":")[2].split(";")
    kept = [parameter for parameter in parameters if parameter.strip().lower() != "base64"]
    if len(kept) == len(parameters):  # escaped instead, as RFC 2397 has it for short texts
        content = b2a_base64(unquote_to_bytes(content), newline=False).decode()
    return ";".join((mime.strip(), *kept)), _strict(content)


def beginning(encoded: str) -> bytes:
    """Return the first bytes of a text in base64; no bytes when it is not base64."""
    text = "".join(encoded[:_HEAD_BASE64].split()).translate(_STANDARD).rstrip("=")
    text = text[: len(text) // 4 * 4] if len(encoded) > _HEAD_BASE64 else text + "=" * (-len(text) % 4)
    try:
        return a2b_base64(text, strict_mode=True)
    except ValueError:
        return b""


def unwrapped(head: bytes, encoded: str) -> str | None:
    """Return the decoded text where it is itself a `data:` URL or base64 of a known format, else None.

    LlamaIndex takes bytes that are not strict base64 for the file, and encodes them once more.
    """
    text = head.decode("ascii", "replace")
    if is_inline(text) or sniff(beginning(text)):
        return a2b_base64(encoded).decode("ascii", "replace")
    return None


_STANDARD: Final = str.maketrans("-_", "+/")
_ALPHABET: Final = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/"


def _strict(encoded: str) -> str:
    """Return base64 in one line of the standard alphabet and with padding; the same object when it is so already.

    Raises:
        MediaError: If the text is not base64.
    """
    if _is_strict(encoded):
        return encoded
    text = unquote(encoded) if "%" in encoded else encoded
    text = "".join(text.split()).translate(_STANDARD).rstrip("=")
    text += "=" * (-len(text) % 4)
    if not _is_strict(text):
        raise MediaError(f"{quoted(encoded)} is not base64.")
    return text


_PIECE: Final = 1 << 16


def _is_strict(text: str, begin: int = 0) -> bool:
    """Return whether a text is base64 as `_strict` returns it, from a place on. Looks at it piece by piece."""
    rest = b""
    for at in range(begin, len(text), _PIECE):
        rest += text[at : at + _PIECE].encode("utf-8", "replace").translate(None, _ALPHABET)
        if len(rest) > 2:
            return False
    return (len(text) - begin) % 4 == 0 and rest in (b"", b"=", b"==") and text.endswith(rest.decode())


def split_data_url(url: str) -> tuple[str, str]:
    """Return the MIME type and the base64 text of a `data:` URL.

    Raises:
        MediaError: If the text is not a `data:` URL, or not in base64.
    """
    head, comma, payload = url.partition(",")
    scheme, _, rest = head.partition(":")
    mime, *parameters = rest.split(";")
    if scheme.lower() != "data" or not comma or "base64" not in (parameter.strip().lower() for parameter in parameters):
        raise MediaError(f"{quoted(url)} is not a `data:<mime>;base64,…` URL.")
    return mime.strip().lower() or "text/plain", payload


def from_data_url(url: str) -> tuple[str, bytes]:
    """Return the MIME type and the bytes of a `data:` URL.

    Raises:
        MediaError: If the text is not a `data:` URL, or not in base64.
    """
    mime, payload = split_data_url(url)
    try:
        return mime, a2b_base64(payload)
    except ValueError as error:
        raise MediaError(f"{quoted(url)} is not base64: {error}.") from None


def load(data: bytes, kind: Kind, mime: str | None = None, name: str | None = None) -> str:
    """Return the bytes of a picture or video as a `data:` URL, of the type that the bytes have.

    Args:
        data: The bytes.
        kind: Whether they are to be an image or a video.
        mime: Their MIME type, for bytes whose type is not recognised.
        name: What errors call them.

    Raises:
        MediaError: If the bytes are empty, or nothing that Kimi takes as that kind.
    """
    name = in_short(name) if name else f"The {kind}"
    if not data:
        raise MediaError(f"{name} is empty.")
    return to_data_url(data, _checked(data, mime, kind, name))


def _checked(data: bytes, hint: str | None, kind: Kind, name: str) -> str:
    """Return the MIME type to send; raise for what the host would refuse."""
    head = data[:_HEAD]
    refused = next((advice for pattern, advice in _REFUSED if pattern.match(head)), None)
    if refused:
        raise MediaError(f"{name} is {refused}.")
    hint = hint.partition(";")[0].strip().lower() if hint else None
    mime = sniff(head) or _ALIASES.get(hint or "", hint)
    if mime in _TYPES[kind] and sniff(head) is None and _is_text(head):
        # Moonshot answers 400 `unsupported image format: text/plain; charset=utf-8`, whatever it is called.
        raise MediaError(
            f"{name} is called {in_short(mime)} and is text, which is no {kind}: send it as text or as a document."
        )
    if mime in _UNMISTAKABLE and sniff(head) is None:
        raise MediaError(f"{name} is called {mime} and does not begin as one: it is broken, or something else.")
    if mime is None:
        raise MediaError(
            f"{name} is of no known format. Kimi takes {_list(kind)} as {_an(kind)}; bytes that do not show what they "
            "are need their MIME type."
        )
    if mime in _TYPES[kind]:
        return mime
    other: Kind = "video" if kind == "image" else "image"
    if mime in _TYPES[other]:
        raise MediaError(f"{name} is {mime}: send it as {_an(other)}, not as {_an(kind)}.")
    raise MediaError(f"{name} is {in_short(mime)}, which Kimi does not take as {_an(kind)}: it takes {_list(kind)}.")


def _is_text(head: bytes) -> bool:
    if not _PRINTED.match(head):
        return False
    try:
        codecs.utf_8_decode(head, "strict", False)  # what follows may complete the last character
    except UnicodeDecodeError:
        return False
    return True


def _list(kind: Kind) -> str:
    return ", ".join(_TYPES[kind])


def _an(kind: Kind) -> str:
    return "an image" if kind == "image" else "a video"
