"""The openai SDK's clients: made when first needed, shared by all model objects, one set for each event loop.

Both major versions (2.x on httpx, 3.x on httpx2) are used through what they have in common; neither HTTP library is
imported here.
"""

from __future__ import annotations

import asyncio
import atexit
import contextlib
import os
import sys
import threading
import weakref
from collections import OrderedDict
from collections.abc import AsyncIterator, Callable, Iterator, Mapping
from functools import cache, lru_cache
from typing import TYPE_CHECKING, Any, TypeAlias

from kimi_core._version import __version__
from kimi_core.errors import ConfigError
from kimi_core.quoting import in_short, quoted
from kimi_core.settings import Settings
from kimi_core.transport.cookies import keep_sendable
from kimi_core.transport.reply import AsyncBoundedClient, BoundedClient

if TYPE_CHECKING:
    from openai import AsyncOpenAI, OpenAI

CACHED = 64
"""How many clients are kept in a process, and in each event loop."""

_AGENT = {"User-Agent": f"kimi-adapters/{__version__}"}

_lock = threading.Lock()
_Key: TypeAlias = tuple[str, str | None, str | None, int | None]
_clients: OrderedDict[_Key, Any] = OrderedDict()
_loops: weakref.WeakKeyDictionary[asyncio.AbstractEventLoop, OrderedDict[_Key, Any]] = weakref.WeakKeyDictionary()
_closers: weakref.WeakKeyDictionary[asyncio.AbstractEventLoop, AsyncIterator[None]] = weakref.WeakKeyDictionary()


def client(settings: Settings) -> OpenAI:
    """Return the sync client for these settings."""
    import openai

    with _lock:
        return _cached(_clients, settings, lambda: _make(openai.OpenAI, settings, settings.http_client))  # type: ignore[no-any-return]


async def async_client(settings: Settings) -> AsyncOpenAI:
    """Return the async client for these settings in the running event loop; it is closed with the loop."""
    import openai

    loop = asyncio.get_running_loop()
    dead: list[AsyncOpenAI] = []
    with _lock:  # other threads have loops of their own in the same dictionaries
        known = loop in _loops
        if not known:
            dead = _forget_closed_loops()
            _loops[loop] = OrderedDict()
            _closers[loop] = _close_with_loop(loop)
        clients: OrderedDict[_Key, Any] = _loops[loop]
        closer = _closers[loop]
    for forgotten in dead:
        # Otherwise the SDK would do so when the client is deleted, in a task whose error nobody reads.
        with contextlib.suppress(RuntimeError):  # its sockets cannot be closed without their loop
            await forgotten.close()
    if not known:
        await anext(closer)
    return _cached(clients, settings, lambda: _make(openai.AsyncOpenAI, settings, _async_http_client(settings)))  # type: ignore[no-any-return]


def _async_http_client(settings: Settings) -> Any:
    """Return the HTTP client for asynchronous calls; None for the SDK's own."""
    if settings.http_async_client is not None or settings.async_transport is None:
        return settings.http_async_client
    import openai

    try:
        return openai.DefaultAioHttpClient()
    except (ImportError, RuntimeError):  # the SDK raises the one or the other, by its version
        raise ConfigError('async_transport="aiohttp" needs aiohttp: pip install "kimi-adapters[aiohttp]".') from None


def _cached(cache: OrderedDict[_Key, Any], settings: Settings, make: Callable[[], Any]) -> Any:
    own = settings.http_async_client if cache is not _clients else settings.http_client
    secret = settings.api_key.get_secret_value() if settings.api_key else None
    key = (settings.base_url, secret, settings.async_transport, id(own) if own is not None else None)
    found = cache.get(key)
    if found is None:
        with _building(own):
            found = cache[key] = make()
        if len(cache) > CACHED:
            cache.popitem(last=False)
    else:
        cache.move_to_end(key)
    return found


_FILES = ("SSL_CERT_FILE", "SSL_CERT_DIR", "SSLKEYLOGFILE")
_PROXIES = ("http_proxy", "https_proxy", "all_proxy")


@contextlib.contextmanager
def _building(own: Any = None) -> Iterator[None]:
    """Turn an error in making a client into a ConfigError that names the setting to blame."""
    try:
        yield
    except ConfigError:
        raise
    except Exception as error:
        raise ConfigError(_why(error, own)) from None


def _why(error: Exception, own: Any) -> str:
    fault = f"{type(error).__name__}: {in_short(error, 500)}"
    if own is not None:
        return (
            f"The HTTP client of type {type(own).__name__} cannot be used ({fault}). Give as http_client what "
            "openai.OpenAI takes under that name, and as http_async_client what openai.AsyncOpenAI takes."
        )
    if isinstance(error, OSError):
        named = [name for name in _FILES if os.environ.get(name)]
        missing = [name for name in named if not os.path.exists(os.environ[name])]
        files = " and ".join(f"{name}={quoted(os.environ[name])}" for name in missing or named)
        return (
            f"No HTTP client could be made ({fault}). It reads {files or 'the certificates of the system'}: check it."
        )
    proxies = " and ".join(name for name in os.environ if name.lower() in _PROXIES) or "the proxies of the system"
    # Anything else quotes the proxy's address, which may hold a password.
    fault = fault if isinstance(error, ImportError) else type(error).__name__
    return f"No HTTP client could be made ({fault}). It reads the address in {proxies}: check it."


def _make(cls: Any, settings: Settings, http_client: Any) -> Any:
    import openai

    made = cls(
        base_url=settings.base_url,
        api_key=settings.api_key.get_secret_value() if settings.api_key else "none",
        http_client=http_client,
        max_retries=0,
    )
    # The SDK reads OPENAI_ORG_ID, OPENAI_PROJECT_ID and OPENAI_CUSTOM_HEADERS: they are not this host's business.
    made.organization = made.project = None
    made._custom_headers = dict(_AGENT)
    keep_sendable(made._client.cookies.jar)
    made._client = (BoundedClient if cls is openai.OpenAI else AsyncBoundedClient)(made._client)
    return made


async def _close_with_loop(
    loop: asyncio.AbstractEventLoop, ending: Callable[[], bool] = sys.is_finalizing
) -> AsyncIterator[None]:
    """Wait until the loop shuts down its asynchronous generators (as `asyncio.run` does), then close its clients.

    Nothing is closed when the interpreter ends before the loop does, as with `nest_asyncio`: this module is empty by
    then.
    """
    try:
        yield
    finally:
        if not ending():
            await _close_clients(loop)


async def _close_clients(loop: asyncio.AbstractEventLoop) -> None:
    with _lock:
        clients = _loops.pop(loop, OrderedDict())
    for (*_, own), made in clients.items():
        if own is None and not made.is_closed():  # the user's own client is the user's to close
            await made.close()


def _forget_closed_loops() -> list[AsyncOpenAI]:
    """Forget loops that were closed without their clients; return these, without the user's own."""
    dead: list[AsyncOpenAI] = []
    for loop in [loop for loop in _loops if loop.is_closed()]:
        dead += [made for (*_, own), made in _loops.pop(loop, OrderedDict()).items() if own is None]
        _closers.pop(loop, None)
    return dead


def _forget_all() -> None:
    """Forget all clients in a forked process, which must not share its parent's connections."""
    global _lock
    _lock = threading.Lock()
    _clients.clear()
    _loops.clear()
    _closers.clear()


@atexit.register
def _close_all() -> None:
    """Close the clients of blocking calls when the program ends: what they hold may be deleted in any order then."""
    for (*_, own), made in list(_clients.items()):  # a thread that was left behind may still make one
        if own is None:
            with contextlib.suppress(Exception):  # nobody would hear of it
                made.close()


if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_forget_all)


@cache
def library() -> Any:
    """Return the HTTP library that the SDK uses: httpx or httpx2."""
    import openai

    module = next(c.__module__ for c in openai.DefaultHttpxClient.__mro__ if c.__module__.startswith("httpx"))
    return sys.modules[module.partition(".")[0]]


def plain_client(*, sync: bool, proxies: bool) -> Any:
    """Return a client of the HTTP library for other servers than the host's: it has no key, cookies or own headers.

    Args:
        sync: Whether it is the blocking client.
        proxies: Whether the environment's proxies are used.
    """
    import openai

    make = openai.DefaultHttpxClient if sync else openai.DefaultAsyncHttpxClient
    direct = None if proxies else {"http://": None, "https://": None}
    with _building():
        return make(headers=_AGENT, follow_redirects=False, mounts=direct)


@cache
def stream_class(*, sync: bool) -> Any:
    """Return the SDK's class for a stream of plain JSON values."""
    import openai

    return openai.Stream[object] if sync else openai.AsyncStream[object]


@lru_cache(maxsize=64, typed=True)  # `20` and `20.0` are two headers
def timeout(seconds: float, silence: float | None = None) -> Any:
    """Return the SDK's timeout of so many seconds, of which connecting gets ten at most, and one read `silence`."""
    import openai

    read = seconds if silence is None else silence
    return openai.Timeout(seconds, connect=min(seconds, 10.0), read=read)


def timeout_of(parts: Mapping[str, float | None]) -> Any:
    """Return the SDK's timeout from a mapping of its arguments."""
    import openai

    return openai.Timeout(**parts)


def with_silence(patience: Any, silence: float) -> Any:
    """Return a timeout (seconds or an `openai.Timeout`) with its read timeout set to `silence` seconds."""
    import openai

    parts = {name: getattr(patience, name, patience) for name in ("connect", "write", "pool")}
    return openai.Timeout(**parts, read=silence)


def omitted() -> Any:
    """Return the SDK's marker for a header that is not to be sent."""
    import openai

    return openai.Omit()
