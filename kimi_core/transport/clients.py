"""HTTP clients: made when first needed, shared by all model objects, one set for each event loop.

They are of the library that the openai SDK uses: httpx2 from its third major on, httpx before. The SDK itself is not
imported for a call: that takes longer than the call, and only its errors are needed, when one is raised.
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
from collections.abc import AsyncIterator, Callable, Iterator
from functools import cache, lru_cache
from importlib import import_module, metadata
from typing import Any, TypeAlias

from kimi_core._version import __version__
from kimi_core.errors import ConfigError
from kimi_core.quoting import in_short, quoted
from kimi_core.settings import Settings
from kimi_core.transport.cookies import keep_sendable

CACHED = 64
"""How many clients are kept in a process, and in each event loop."""
AGENT = {"User-Agent": f"kimi-adapters/{__version__}"}

_CONNECTIONS = {"max_connections": 1000, "max_keepalive_connections": 100}
"""How many a client opens and keeps at most: what the SDK allows its own."""

_lock = threading.Lock()
_Key: TypeAlias = tuple[str, str | None, str | None, int | None]
_clients: OrderedDict[_Key, Any] = OrderedDict()
_loops: weakref.WeakKeyDictionary[asyncio.AbstractEventLoop, OrderedDict[_Key, Any]] = weakref.WeakKeyDictionary()
_closers: weakref.WeakKeyDictionary[asyncio.AbstractEventLoop, AsyncIterator[None]] = weakref.WeakKeyDictionary()


@cache
def library() -> Any:
    """Return the HTTP library of the installed SDK: httpx or httpx2."""
    try:
        version = metadata.version("openai")
    except metadata.PackageNotFoundError:  # a program that was put into one file may lack it
        version = import_module("openai").__version__
    return import_module("httpx2" if int(version.partition(".")[0]) > 2 else "httpx")


@lru_cache(maxsize=256)
def parsed(kind: Callable[[str], Any], address: str) -> Any:
    """Return an address as a client's library has it: to parse it anew takes as long as to write the request."""
    return kind(address)


def client(settings: Settings) -> Any:
    """Return the blocking client for these settings."""
    with _lock:
        return _cached(_clients, settings, settings.http_client, _blocking)


async def async_client(settings: Settings) -> Any:
    """Return the asynchronous client for these settings in the running event loop; it is closed with the loop."""
    loop = asyncio.get_running_loop()
    dead: list[Any] = []
    with _lock:  # other threads have loops of their own in the same dictionaries
        known = loop in _loops
        if not known:
            dead = _forget_closed_loops()
            _loops[loop] = OrderedDict()
            _closers[loop] = _close_with_loop(loop)
        clients: OrderedDict[_Key, Any] = _loops[loop]
        closer = _closers[loop]
    for forgotten in dead:
        # Otherwise it would be closed when it is deleted, in a task whose error nobody reads.
        with contextlib.suppress(RuntimeError):  # its sockets cannot be closed without their loop
            await forgotten.aclose()
    if not known:
        await anext(closer)
    return _cached(clients, settings, settings.http_async_client, _asynchronous)


def _cached(cache: OrderedDict[_Key, Any], settings: Settings, own: Any, make: Callable[[Settings, Any], Any]) -> Any:
    secret = settings.api_key.get_secret_value() if settings.api_key else None
    key = (settings.base_url, secret, settings.async_transport, id(own) if own is not None else None)
    found = cache.get(key)
    if found is None:
        with _building(own):
            found = cache[key] = make(settings, own)
        keep_sendable(found.cookies.jar)
        if len(cache) > CACHED:
            cache.popitem(last=False)
    else:
        cache.move_to_end(key)
    return found


def _blocking(settings: Settings, own: Any) -> Any:
    """Return the user's own blocking client, or a new one."""
    return _closing("Client")(limits=_limits()) if own is None else _checked(own, "Client")


def _asynchronous(settings: Settings, own: Any) -> Any:
    """Return the user's own asynchronous client, or a new one."""
    if own is not None:
        return _checked(own, "AsyncClient")
    if settings.async_transport is None:
        return _closing("AsyncClient")(limits=_limits())
    try:
        return import_module("openai").DefaultAioHttpClient()
    except (ImportError, RuntimeError):  # the SDK raises the one or the other, by its version
        raise ConfigError('async_transport="aiohttp" needs aiohttp: pip install "kimi-adapters[aiohttp]".') from None


def _limits() -> Any:
    return library().Limits(**_CONNECTIONS)


def _checked(own: Any, kind: str) -> Any:
    """Return a client of the user's own.

    Raises:
        TypeError: If it is not of this kind, in httpx or in httpx2.
    """
    loaded = [sys.modules[name] for name in ("httpx", "httpx2") if name in sys.modules]
    if not isinstance(own, tuple(getattr(module, kind) for module in loaded)):
        raise TypeError(f"it is no httpx.{kind}")
    return own


@cache
def _closing(kind: str) -> Any:
    """Return the library's class of a client, which closes itself when nobody holds it any more, as the SDK's do.

    So one that is no longer kept, because many others were used since, serves its calls to their end and is gone then.
    """

    class Closing(getattr(library(), kind)):  # type: ignore[misc]
        def __del__(self) -> None:
            with contextlib.suppress(Exception):  # nobody would hear of it
                if self.is_closed:
                    return
                if kind == "Client":
                    self.close()
                else:
                    asyncio.get_running_loop().create_task(self.aclose())

    return Closing


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
        if own is None and not made.is_closed:  # the user's own client is the user's to close
            await made.aclose()


def _forget_closed_loops() -> list[Any]:
    """Forget loops that were closed without their clients; return these, without the user's own."""
    dead: list[Any] = []
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


def plain_client(*, sync: bool, proxies: bool) -> Any:
    """Return a client for other servers than the host's: it has no key, cookies or own headers.

    Args:
        sync: Whether it is the blocking client.
        proxies: Whether the environment's proxies are used.
    """
    make = library().Client if sync else library().AsyncClient
    direct = None if proxies else {"http://": None, "https://": None}
    with _building():
        return make(headers=AGENT, follow_redirects=False, mounts=direct, limits=_limits())
