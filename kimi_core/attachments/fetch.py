"""Fetching media by http, for hosts that do not do it themselves.

An address in a conversation may come from anybody, so by default only public ones are asked: every name, that of a
redirect as well, is resolved here, judged, and then connected to by the address that was judged. The request carries
nothing of the user's or of the model's host: no key, no headers, no cookies.
"""

from __future__ import annotations

import contextlib
import logging
import re
import socket
import time
from collections.abc import AsyncIterator, Iterable, Iterator
from dataclasses import dataclass
from functools import partial
from typing import Any, Final, Literal, TypeAlias
from urllib.parse import SplitResult, urljoin, urlsplit

from kimi_core.cache import Cache
from kimi_core.codecs.json_values import retry_after
from kimi_core.hosts.addresses import is_public, shown
from kimi_core.media import data_urls, documents
from kimi_core.media.data_urls import Kind, MediaError
from kimi_core.quoting import in_short
from kimi_core.transport import clients, retry
from kimi_core.transport.call import LONGEST_CONNECT, STEPS
from kimi_core.transport.deadlines import DeadlineError
from kimi_core.transport.drivers import Address, Driver

What: TypeAlias = Kind | Literal["document"]

MOST_REDIRECTS: Final = 5
"""Most redirects that are followed."""
PATIENCE: Final = 30.0
"""Seconds without a byte after which a server is given up."""
WHOLE: Final = 300.0
"""Seconds that a whole file may take."""
_ADDRESSES: Final = 4
_REDIRECTS: Final = (301, 302, 303, 307, 308)
_PASSING: Final = (408, 425, 429)

_log = logging.getLogger("kimi_core")
# Every turn of a loop gets the same bytes (the host's cache goes by them); after an hour a changed file is seen.
_fetched: Cache[str] = Cache(128 * 1024 * 1024, len, fresh=3600)


class FetchError(MediaError):
    """A picture, video or document could not be fetched from its address.

    Attributes:
        is_retryable: Whether waiting may help.
        retry_after: Seconds that its server asks to wait, if it does.
    """

    is_retryable = False
    retry_after: float | None = None


@dataclass(frozen=True, slots=True)
class Rules:
    """What may be fetched.

    Attributes:
        anywhere: From any address, and through the environment's proxies; otherwise from public addresses only.
        limit: Most bytes.
        retries: How often it is tried again when waiting may help.
    """

    anywhere: bool
    limit: int
    retries: int = 2


async def fetch(url: str, what: What, rules: Rules, driver: Driver) -> str:
    """Fetch the file of an address, as a `data:` URL.

    Raises:
        FetchError: If it could not be had, or is larger than allowed.
        MediaError: If it is nothing that Kimi takes.
    """
    key = (url, what, rules.anywhere, rules.limit)
    found = _fetched.get(key)
    if found is None:
        data, mime = await retry.call(
            driver, rules.retries, lambda: _downloaded(url, rules, driver), lambda: shown(url)
        )
        found = await driver.compute(_packed, data, mime, what, url)
        _fetched.put(key, found)
    return found


def _packed(data: bytes, mime: str, what: What, url: str) -> str:
    _log.debug("fetched the %s %s: %d bytes", what, shown(url), len(data))
    if what != "document":
        return data_urls.load(data, what, mime, f"The {what} at {shown(url)}")
    if not data:
        raise MediaError(f"The document at {shown(url)} is empty.")
    label = mime if (mime := _media_type(mime)) != documents.UNKNOWN else data_urls.guess_mime(url)
    return data_urls.to_data_url(data, label or documents.UNKNOWN)


def _media_type(header: str) -> str:
    """Return a MIME type with its charset, if it has one, in the form that a `data:` URL allows."""
    kind = re.match(r"\s*([\w.+-]+/[\w.+-]+)", header)
    charset = re.search(r";\s*charset=\"?([\w.:-]+)", header, re.IGNORECASE)
    return (kind[1].lower() if kind else documents.UNKNOWN) + (f";charset={charset[1]}" if charset else "")


# ---------------------------------------------------------------------------------------------------- the way


async def _downloaded(url: str, rules: Rules, driver: Driver) -> tuple[bytes, str]:
    try:
        return await driver.within(WHOLE, partial(_download, url, rules, driver))
    except DeadlineError:  # a server can be slow before its body begins, too
        raise _too_long(url) from None


def _too_long(url: str) -> FetchError:
    return FetchError(f"{shown(url)} could not be fetched within {WHOLE:g} seconds.")


async def _download(url: str, rules: Rules, driver: Driver) -> tuple[bytes, str]:
    with _explained(url):
        http = clients.plain_client(sync=driver.sync, proxies=rules.anywhere)
        async with _closing(http, driver):
            for _ in range(MOST_REDIRECTS + 1):
                target = _target(url)
                place = target.hostname or "", _port(target)
                addresses = None if rules.anywhere else _public(target, await _resolve(place, driver))
                response = await _first_that_connects(http, _requests(http, target, addresses), driver)
                async with _closing(response, driver):
                    onward = _onward(response, url)
                    if onward is None:
                        body = _Body(response, url, rules.limit)
                        async for piece in driver.pieces(response):
                            body.add(piece)
                        return body.whole()
                url = onward
            raise FetchError(f"{shown(url)} is one redirect too many: no more than {MOST_REDIRECTS} are followed.")


@contextlib.asynccontextmanager
async def _closing(thing: Any, driver: Driver) -> AsyncIterator[None]:
    try:
        yield
    finally:
        await driver.close(thing)


async def _first_that_connects(http: Any, requests: list[Any], driver: Driver) -> Any:
    for request in requests[:-1]:
        with contextlib.suppress(*_unconnected()):
            return await driver.result(http.send(request, stream=True))
    return await driver.result(http.send(requests[-1], stream=True))


def _unconnected() -> tuple[type[Exception], ...]:
    library = clients.library()
    return library.ConnectError, library.ConnectTimeout


# ---------------------------------------------------------------------------------------------- where it leads


def _target(url: str) -> SplitResult:
    """Return the parts of an http address; raise for anything else."""
    try:
        parts = urlsplit(url)
        named = parts.hostname and parts.port != 0  # `port` raises for what is none
    except ValueError:
        named = False
    if not named or parts.scheme not in ("http", "https"):
        raise FetchError(f"{shown(url)} is no http address that could be fetched.")
    return parts


def _port(target: SplitResult) -> int:
    return target.port or (443 if target.scheme == "https" else 80)


async def _resolve(place: Address, driver: Driver) -> Iterable[Any]:
    return await driver.addresses(place)


def _public(target: SplitResult, found: Iterable[Any]) -> list[str]:
    """Return the addresses of a host; raise unless all of them are public."""
    addresses = list(dict.fromkeys(str(info[4][0]) for info in found))
    inner = next((address for address in addresses if not is_public(address)), None)
    if inner is not None:
        raise FetchError(
            f"{shown(target.geturl())} is at {inner}, which is no public address. Only those are fetched from, because "
            "URLs in a conversation may be anybody's; fetch_media=True fetches from everywhere."
        )
    return addresses[:_ADDRESSES]


def _requests(http: Any, target: SplitResult, addresses: list[str] | None) -> list[Any]:
    """Return the request to make, once for each address that was checked."""
    headers = {"Accept": "*/*", "Accept-Encoding": "identity"}
    url = target._replace(fragment="")
    patience = {"timeout": {**dict.fromkeys(STEPS, PATIENCE), "connect": LONGEST_CONNECT}}
    if addresses is None:
        return [http.build_request("GET", url.geturl(), headers=headers, extensions=patience)]
    user, at, _ = target.netloc.rpartition("@")
    name = _ascii(target.hostname or "")
    headers["Host"] = _place(name, target.port)
    return [
        http.build_request(
            "GET",
            url._replace(netloc=f"{user}{at}{_place(address, target.port)}").geturl(),
            headers=headers,
            extensions={**patience, "sni_hostname": name},  # certificates are checked by the name
        )
        for address in addresses
    ]


def _ascii(name: str) -> str:
    return name if name.isascii() else name.encode("idna").decode()


def _place(host: str, port: int | None) -> str:
    bracketed = f"[{host}]" if ":" in host else host
    return bracketed if port is None else f"{bracketed}:{port}"


def _onward(response: Any, url: str) -> str | None:
    """Return where a redirect leads; None when this is the file."""
    status, headers = response.status_code, response.headers
    if status in _REDIRECTS and "location" in headers:
        return urljoin(url, str(headers["location"]))
    if status == 200:
        return None
    error = FetchError(f"{shown(url)} could not be fetched: its server answered HTTP {status}.")
    error.is_retryable = status in _PASSING or status >= 500
    error.retry_after = retry_after(headers)
    raise error


class _Body:
    """What has come of a file, as long as it is not too much and does not take too long."""

    def __init__(self, response: Any, url: str, limit: int) -> None:
        self._url, self._limit = url, limit
        self._mime = str(response.headers.get("content-type", ""))
        self._pieces: list[bytes] = []
        self._until = time.monotonic() + WHOLE
        announced = response.headers.get("content-length", "")
        self._size = 0
        self._check(int(announced) if announced.isdecimal() else 0)

    def add(self, piece: bytes) -> None:
        self._size += len(piece)
        self._check(self._size)
        self._pieces.append(piece)

    def whole(self) -> tuple[bytes, str]:
        return b"".join(self._pieces), self._mime

    def _check(self, size: int) -> None:
        if size > self._limit:
            raise FetchError(f"{shown(self._url)} is larger than the {self._limit:,} bytes that can be sent.")
        if time.monotonic() > self._until:
            raise _too_long(self._url)


@contextlib.contextmanager
def _explained(url: str) -> Iterator[None]:
    """Raise whatever the HTTP library or the operating system raises as an error of ours."""
    library = clients.library()
    try:
        yield
    except FetchError:
        raise
    except library.TimeoutException:
        raise _failed(url, f"its server did not answer within {PATIENCE:.0f} seconds", passing=True) from None
    except (library.HTTPError, library.InvalidURL, library.StreamError, ValueError, OSError) as error:
        final = socket.gaierror, library.InvalidURL, library.UnsupportedProtocol, ValueError
        raise _failed(url, str(error) or type(error).__name__, passing=not isinstance(error, final)) from None


def _failed(url: str, why: str, *, passing: bool) -> FetchError:
    made = FetchError(f"{shown(url)} could not be fetched: {in_short(why).rstrip('.')}.")
    made.is_retryable = passing
    return made
