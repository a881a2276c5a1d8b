"""What is wrong when a call fails: from the error, and from what else can be asked about it, to the cause."""

from __future__ import annotations

import difflib
import os
import re
import socket
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any
from urllib.parse import urlsplit
from urllib.request import getproxies

from kimi_core import HOSTS, HostSpec, KimiClient, Settings
from kimi_core import errors as err
from kimi_core.hosts import addresses

_TLS_TIME = re.compile(r"certificate (is not yet valid|has expired)", re.IGNORECASE)
_TLS = re.compile(r"CERTIFICATE_VERIFY_FAILED", re.IGNORECASE)
_MISPLACED = (301, 302, 303, 307, 308, 405)
"""How a web site answers to a call that is not meant for it."""


@dataclass(frozen=True, slots=True)
class Check:
    """Something that was looked at.

    Attributes:
        name: What.
        text: What was found.
        cause: Why calls fail, one of the words of `kimi-adapters doctor --help`; None when this is in order.
        advice: What to do about it.
    """

    name: str
    text: str
    cause: str | None = None
    advice: str = ""

    def as_json(self) -> dict[str, Any]:
        """Return it as JSON."""
        return {"name": self.name, "text": self.text, "cause": self.cause, "advice": self.advice}


@dataclass(frozen=True, slots=True)
class Place:
    """Where calls go: settings and model."""

    settings: Settings
    model: str

    @property
    def spec(self) -> HostSpec:
        """The host's spec."""
        return self.settings.host

    @property
    def variable(self) -> str | None:
        """The environment variable that the key is from."""
        if not self.settings.key_from_env:
            return None
        return next((name for name in self.spec.address.key_env if os.environ.get(name, "").strip()), None)

    def client(self, **changes: Any) -> KimiClient:
        """Return a client that goes there, or elsewhere with the same patience."""
        patience = {"timeout": self.settings.timeout, "max_retries": 0}
        return KimiClient(**patience, **changes) if changes else KimiClient(self.settings)


def of_call(error: err.KimiError, place: Place) -> Check:
    """Return why the call failed."""
    status = getattr(error, "status_code", None)
    match error:
        case err.QuotaExceededError():
            return Check("call", str(error), "balance", "Recharge the account in the host's console, or use another.")
        case err.AuthenticationError():
            return _refused_key(error, place)
        case err.NotFoundError() | err.BadRequestError() if found := _not_there(error, place):
            return found
        case err.APITimeoutError():
            advice = "A slow host, or a firewall that lets nothing back: call again, or from elsewhere."
            return Check("call", str(error), "network", advice + _proxy())
        case err.APIConnectionError():
            return _unreachable(error, place)
        case err.DecodeError():
            return _wrong_address(error, place)
        case err.APIStatusError() if status in _MISPLACED:
            return _wrong_address(error, place)
    return Check("call", str(error), "other", "The host's own words are above; docs: Troubleshooting.")


# ---------------------------------------------------------------------------------------------------------- keys


def no_key(place: Place, error: err.MissingKeyError) -> Check:
    """Return what to do without a key: where one is expected, and for whom there is one."""
    variables = place.spec.address.key_env
    steps = [f"Create one in the host's console, then: export {variables[0]}=…" if variables else "Give api_key=…"]
    if others := [f"--host {spec.name} ({name})" for spec, name in _keys_of_others(place)]:
        steps.append(f"There is a key for: {', '.join(others[:3])}.")
    steps.append("Without a key: kimi-adapters demo, kimi-adapters serve.")
    return Check("key", str(error), "no-key", " ".join(steps))


def _keys_of_others(place: Place) -> Iterator[tuple[HostSpec, str]]:
    own = set(place.spec.address.key_env)
    for spec in HOSTS.values():
        name = next((name for name in spec.address.key_env if os.environ.get(name, "").strip()), None)
        if name and name not in own and spec.address.key_required:
            yield spec, name


def _refused_key(error: err.KimiError, place: Place) -> Check:
    """Return whether the key is another platform's, by asking those for which the same variable is meant."""
    variable = place.variable
    if place.settings.api_key is None:
        names = place.spec.address.key_env
        return Check("call", f"None was sent: {error}", "no-key", f"export {names[0]}=…" if names else "Give api_key=…")
    for spec in _platforms_of(variable, place.spec):
        if _accepts(spec, place):
            text = f"{place.spec.title} refuses the key of {variable}: it is a key of {spec.title}."
            advice = f'Use that platform, host="{spec.name}" (--host {spec.name}), or a key of {place.spec.title}.'
            return Check("call", text, "other-platform", advice)
    source = f"the key in {variable}" if variable else "the key"
    advice = f"Look at {source}: whole, without quotes, not deleted in the console? Else create a new one."
    return Check("call", str(error), "wrong-key", advice)


def _platforms_of(variable: str | None, own: HostSpec) -> Iterator[HostSpec]:
    """Yield the other hosts whose spec has the variable: it goes to no one else."""
    for spec in HOSTS.values():
        address = spec.address
        if variable in address.key_env and spec.name != own.name and address.key_required and address.base_url:
            yield spec


def _accepts(spec: HostSpec, place: Place) -> bool:
    """Return whether a host takes the key: it is asked for its list of models, which costs nothing."""
    try:
        place.client(host=spec.name, api_key=place.settings.api_key).models()
    except err.KimiError:
        return False
    return True


# ------------------------------------------------------------------------------------------------ models, addresses


def _not_there(error: err.APIStatusError, place: Place) -> Check | None:
    """Return that the model is not there, or the address; None when both are and the host means something else.

    Some hosts answer 400 to an unknown model, and some have no list: then the host's words tell which it is.
    """
    sent = place.client().profile(place.model).model_id
    meant = re.search(r"\bmodel", str(error.body), re.IGNORECASE) is not None or sent in str(error.body)
    if not meant and isinstance(error, err.BadRequestError):
        return None
    try:
        listed = [str(one.get("id")) for one in place.client().models()]
    except err.KimiError:
        own = place.spec.address.base_url == place.settings.base_url
        return _no_model(sent, [], place) if meant or own else _wrong_address(error, place)
    return None if sent in listed else _no_model(sent, listed, place)


def _no_model(sent: str, listed: list[str], place: Place) -> Check:
    ended = place.spec.models.retired.get(place.model)
    kimi = [id for id in listed if "kimi" in id.lower()] or listed
    near = [ended.instead] if ended and ended.instead else (difflib.get_close_matches(sent, kimi, 3, 0.5) or kimi[:3])
    text = f"{place.spec.title} has no model {sent}." + (f" It was retired on {ended.day}." if ended else "")
    advice = f"Use {' or '.join(near)}." if near else "The host's console or page has its models' ids."
    return Check("call", text, "model", advice)


def _wrong_address(error: err.KimiError, place: Place) -> Check:
    own = place.spec.address.base_url
    same = own is None or own == place.settings.base_url
    advice = "Give the address of the API, mostly one that ends in /v1." if same else f"The host's own is {own}."
    return Check("call", f"{place.settings.base_url} is not the address of this API: {error}", "address", advice)


# --------------------------------------------------------------------------------------------------------- network


def _unreachable(error: err.KimiError, place: Place) -> Check:
    """Return whether it is the clock, the network or the address."""
    text = str(error)
    if _TLS_TIME.search(text):
        advice = "Set the clock of this machine. If it is right, the certificate of the address has run out."
        return Check("call", f"{text} A certificate is judged by this machine's clock.", "clock", advice)
    if _TLS.search(text):
        advice = "A proxy that reads along? Give its certificate: export SSL_CERT_FILE=…"
        return Check("call", text, "network", advice + _proxy())
    url = place.settings.base_url
    if addresses.is_local(url):
        return Check("call", text, "address", f"Nothing listens at {url}: is the server running, is it this port?")
    own = place.spec.address.base_url or HOSTS["moonshot"].address.base_url or ""
    if _name(url) != _name(own) and _resolves(_name(own)):
        return Check("call", text, "address", f"The network works, {_name(url)} does not answer: is it spelled right?")
    return Check("call", text, "network", f"Is this machine online, may it reach {_name(url)}?{_proxy()}")


def _name(url: str) -> str:
    return urlsplit(url).hostname or ""


def _resolves(name: str) -> bool:
    try:
        socket.getaddrinfo(name, 443)
    except (OSError, UnicodeError):
        return False
    return True


def _proxy() -> str:
    """Return a hint at a proxy of the environment, whose address may hold a password."""
    return " A proxy is set (HTTPS_PROXY): does it work?" if getproxies().get("https") else ""
