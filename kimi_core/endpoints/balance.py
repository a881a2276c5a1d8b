"""What an account has."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from kimi_core.codecs.error_mapping import MALFORMED
from kimi_core.endpoints.paths import path_of
from kimi_core.errors import DecodeError, make
from kimi_core.hosts.profile import Profile
from kimi_core.quoting import in_short


@dataclass(frozen=True, slots=True, kw_only=True)
class Balance:
    """What an account can still spend, in its own currency (Moonshot: dollars on `.ai`, yuan on `.cn`).

    Attributes:
        available: Cash and vouchers together. At 0 or below, calls answer with `QuotaExceededError`.
        voucher: Given by the host; never below 0.
        cash: Paid in; below 0 when something is owed.
    """

    available: float
    voucher: float
    cash: float


def balance_path(profile: Profile) -> str:
    """Return the path at which a host is asked for the balance.

    Raises:
        UnsupportedError: If the host has no endpoint for the balance.
    """
    return path_of("balance", profile, "has no endpoint for the balance")


def balance(body: Any, profile: Profile) -> Balance:
    """Return the balance in the host's answer.

    Raises:
        DecodeError: If the host answered something else.
    """
    data: Any = body.get("data") if isinstance(body, Mapping) else None
    try:
        available, voucher, cash = (float(data[f"{kind}_balance"]) for kind in ("available", "voucher", "cash"))
    except MALFORMED:
        text = f"{profile.where} answered something that is no balance: {in_short(body)!r}."
        raise make(DecodeError, text, host=profile.host.name, body=body) from None
    return Balance(available=available, voucher=voucher, cash=cash)
