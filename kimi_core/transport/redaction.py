"""Keeps keys and headers out of what a host sends back: errors, bodies of services, ids and headers of answers."""

from __future__ import annotations

import base64
import binascii
import html
import re
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import fields, is_dataclass, replace
from functools import cached_property, lru_cache
from typing import TYPE_CHECKING, Any, TypeVar
from urllib.parse import unquote

from kimi_core.errors import APIError
from kimi_core.events import Finished, Started
from kimi_core.headers import revealed_value
from kimi_core.settings import Settings

if TYPE_CHECKING:
    from kimi_core.transport.reply import Reply

T = TypeVar("T")

MASK = "[redacted]"
"""What replaces a secret."""
SHORTEST = 6
"""Characters. A shorter key is a placeholder, and would be found in ordinary text."""
_LONG = 12
"""Characters from which on a part of a header may be a secret of its own, and a beginning of one gives it away."""

_PUBLIC = {
    *("accept", "accept-charset", "accept-encoding", "accept-language", "cache-control", "connection", "content-type"),
    *("anthropic-version", "http-referer", "openai-beta", "origin", "pragma", "referer", "user-agent", "x-title"),
}
"""Headers about what a program is or accepts. Their values are ordinary words, which answers may have as well."""
_STALE = ("content-encoding", "content-length", "transfer-encoding")
_FOREIGN = ("set-cookie", "set-cookie2")
"""Headers of a response that are credentials themselves."""


class Redactor:
    """Removes the secrets of a connection, or of one call, from what comes back."""

    def __init__(self, settings: Settings, headers: Mapping[str, Any] | None = None) -> None:
        """Collect the secrets.

        Args:
            settings: Hold the key and headers, those of the host's spec and of the user's HTTP client included.
            headers: The headers of one call.
        """
        self._settings = settings
        facts = (settings.host.address.headers, settings.overrides.get("address.headers"))
        groups = (settings.default_headers, *facts, headers)
        own = (getattr(client, "headers", None) for client in (settings.http_client, settings.http_async_client))
        sent = {settings.api_key.get_secret_value()} if settings.api_key else set()
        for group in (*groups, *own):
            sent.update(*(_parts(name, revealed_value(v)) for name, v in (group or {}).items()))
        found = (secret for secret in sent if _is_long_enough(secret) and secret not in settings.base_url)
        self._secrets = tuple(sorted(found, key=lambda secret: (-len(secret), secret)))

    def of_call(self, headers: Mapping[str, Any]) -> Redactor:
        """Return a redactor for a call with headers of its own."""
        return Redactor(self._settings, headers)

    @cached_property
    def _signs(self) -> tuple[str, ...]:
        return tuple(sign.lower() for secret in self._secrets for sign in _signs(secret))

    def finds(self, value: str) -> bool:
        """Return whether a text may hold a secret. This is quick, since hardly any text does."""
        if not self._signs:
            return False
        views = (value.lower(), _decoded(value).lower()) if _ENCODED.search(value) else (value.lower(),)
        return any(sign in view for view in views for sign in self._signs)

    def text(self, value: str) -> str:
        """Return a text without secrets, in whatever encoding they are in it."""
        return _pattern(self._secrets).sub(MASK, value) if self.finds(value) else value

    def clean(self, value: T) -> T:
        """Return a JSON value, or a dataclass of the core, without secrets."""
        try:
            return self._cleaned(value) if self._secrets else value
        except RecursionError:  # no answer is nested like that
            return MASK  # type: ignore[return-value]

    def _cleaned(self, value: Any) -> Any:
        match value:
            case str():
                return self.text(value)
            case Mapping():
                return {self._cleaned(k): self._cleaned(v) for k, v in value.items()}
            case list() | tuple():
                return type(value)(self._cleaned(v) for v in value)
        if is_dataclass(value) and not isinstance(value, type):
            known = {f.name: getattr(value, f.name) for f in fields(value) if f.init}
            return replace(value, **{name: self._cleaned(v) for name, v in known.items()})
        return value

    def event(self, event: Started | Finished) -> None:
        """Remove secrets, in place, from the ids, headers and extra fields of an answer; all else stays as it is."""
        fields: tuple[str, ...] = ()
        group = "extra"
        if isinstance(event, Started):
            fields, group = ("id", "model", "system_fingerprint"), "headers"
        texts = [getattr(event, name) for name in fields]
        texts += [f"{name} {value}" for name, value in getattr(event, group).items()]
        if self.finds(" ".join(map(str, texts))):
            for name in (*fields, group):
                known = getattr(event, name)
                if (cleaned := self._cleaned(known)) != (dict(known) if name == group else known):
                    setattr(event, name, cleaned)

    def scrub(self, made: APIError) -> APIError:
        """Remove secrets, in place, from an error and its attributes, since hosts and proxies echo them; return it."""
        made.message = self.text(made.message)
        made.args = (made.message,)
        for name in ("body", "type", "code", "param", "request_id", "partial"):
            setattr(made, name, self.clean(getattr(made, name)))
        return made

    def error(self, made: APIError, request: Any, reply: Reply | None = None) -> APIError:
        """Give an error the `request` and `response` that frameworks look for on the SDK's, without secrets.

        The real ones hold the authorization in many places, and servers echo wrong keys. So the error gets a bare
        request (method and address) and a copy of the response (status, headers, body).
        """
        self.scrub(made)
        if request is not None:
            made.__dict__["request"] = request = type(request)(request.method, request.url)
        if reply is not None:
            made.__dict__["response"] = self._bare(reply, request)
        return made

    def _bare(self, reply: Reply, request: Any) -> Any:
        headers = {k: self.text(v) for k, v in reply.headers.items() if k.lower() not in (*_STALE, *_FOREIGN)}
        if "location" in headers:
            headers["location"] = re.split("[?#]", headers["location"])[0]
        written = [(k.encode(), v.encode()) for k, v in headers.items()]  # a host may write any bytes into them
        content = self.text(reply.text).encode()
        made = type(reply.response)(reply.status, headers=written, content=content, request=request)
        made.encoding = "utf-8"  # whatever its headers say
        return made


def _is_long_enough(secret: str) -> bool:
    """Return whether a secret is long enough to be looked for. Short numbers occur everywhere."""
    return len(secret) >= (SHORTEST + 2 if secret.isdecimal() else SHORTEST)


def _parts(name: str, value: Any) -> Iterator[str]:
    """Yield a header's value, and the secrets in it: tokens, ids of sessions (`session=<id>`), passwords."""
    if name.lower() in _PUBLIC or not isinstance(value, str):
        return
    yield value
    scheme, _, credentials = value.partition(" ")
    if credentials and " " not in credentials:
        yield credentials
    if scheme.lower() == "basic":
        yield from _of_basic(credentials)
    yield from (part for part in re.split(r"[\s;,=\"]+", value) if len(part) >= _LONG and not part.isalpha())


def _of_basic(credentials: str) -> Iterator[str]:
    try:
        plain = base64.b64decode(credentials, validate=True).decode()
    except (binascii.Error, UnicodeDecodeError):
        return
    yield plain
    yield plain.partition(":")[2]


# ------------------------------------------------------------------------------------------------- encodings


_ENCODED = re.compile(r"[%&\\]")
_BACKSLASHED = re.compile(r"\\+(?:(?:u00|x)([0-9a-f]{2}))?", re.IGNORECASE)


def _signs(secret: str) -> Iterator[str]:
    """Yield the strings one of which is in any decoded text that holds the secret."""
    head = secret[:_LONG].replace("\\", "")
    yield head
    if " " in head:
        yield head.replace(" ", "+")
    for core in _base64_cores(secret.encode()):
        yield core
        yield core.replace("+", "-").replace("/", "_")
    yield secret.encode().hex()


def _decoded(value: str) -> str:
    """Return a text with the escapes resolved that may hide a secret; it is searched, never shown."""
    plain = _unescaped(unquote(unquote(value)))
    return _BACKSLASHED.sub(lambda found: chr(int(found[1], 16)) if found[1] else "", plain)


def _unescaped(value: str) -> str:
    try:
        return html.unescape(value)
    except ValueError:  # Python reads no number of more than some 4,300 digits
        return html.unescape(_ENDLESS.sub("&#", value))


_ENDLESS = re.compile(r"&#x?+[0-9a-f]{4000,}+", re.IGNORECASE)


@lru_cache(maxsize=128)
def _pattern(secrets: tuple[str, ...]) -> re.Pattern[str]:
    """Return a pattern that finds the secrets in any of the encodings in which they come back."""
    forms = "|".join(form for secret in secrets for form in _forms(secret))
    # From the middle of a row of backslashes nothing is found that is not found from its beginning.
    return re.compile(rf"(?:(?<!\\)|(?!\\))(?:{forms})", re.IGNORECASE)


def _forms(secret: str) -> Iterable[str]:
    yield _whole_or_cut(secret)
    yield from map(_of_base64, _base64_cores(secret.encode()))
    yield secret.encode().hex()


def _whole_or_cut(secret: str) -> str:
    """Return a pattern for the secret, also where a text was cut inside it."""
    head, rest = secret[:_LONG], secret[_LONG:]
    if not rest:
        return _escaped(head)
    rest_of_word = "" if "://" in secret or " " in secret else r"|[\w.~+/=%\\-]*"
    return f"{_escaped(head)}(?:{_escaped(rest)}{rest_of_word})"


def _escaped(text: str) -> str:
    """Return a pattern for a text whose characters may be escaped as in an address, JSON, a repr or HTML."""
    return "".join(map(_character, _ROW.sub(r"\\", text)))


_ROW = re.compile(r"\\+")
"""Backslashes in a row, of which any number comes back."""


@lru_cache(maxsize=128)
def _character(c: str) -> str:
    code = f"{ord(c):02x}"
    # Rows of backslashes are taken whole and not given back: else a row would be gone through again and again.
    plain = rf"\\*+{re.escape(c)}" if c in "\"'/" else r"\\++" if c == "\\" else re.escape(c)
    forms = [plain, f"%(?:25)*{code}", rf"\\*+(?:u00|x){code}", f"&#(?:0*{ord(c)}|x0*{code});"]
    if (named := html.escape(c)) != c:
        forms.append(named)
    if c == " ":
        forms.append(r"\+")
    return f"(?:{'|'.join(forms)})"


def _base64_cores(data: bytes) -> Iterator[str]:
    """Yield the base64 of data that does not depend on its neighbours, once for each offset in a group of three."""
    for before in range(3):
        coded = base64.b64encode(bytes(before) + data).decode()
        start = (0, 2, 3)[before]
        end = len(coded) if (before + len(data)) % 3 == 0 else len(coded.rstrip("=")) - 1
        yield coded[start:end]


def _of_base64(core: str) -> str:
    either = {"+": r"(?:[+-]|%2b)", "/": r"(?:\\*+[/_]|%2f)"}
    return "".join(either.get(c, c) for c in core)
