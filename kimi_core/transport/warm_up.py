"""Opens a connection ahead of the first question."""

from __future__ import annotations

import logging
from importlib import import_module
from typing import Final

from kimi_core.codecs import codec
from kimi_core.transport.clients import AGENT
from kimi_core.transport.transport import Transport

PATIENCE: Final = 10.0
"""Seconds for connecting, and for the host to answer."""

_log = logging.getLogger("kimi_core")


async def connect(transport: Transport) -> bool:
    """Import what a call needs, and open a connection that the next call takes; return whether that worked.

    The host is asked for the head of its address alone, without the key and without any header of the user's. So
    nothing is billed, whatever it answers; and a redirect is not followed.
    """
    settings, driver = transport.settings, transport.driver
    try:
        codec(settings.host.codec)
        import_module("openai")  # the first error would import it
        http = await driver.client(settings)
        request = http.build_request("HEAD", settings.base_url, headers=AGENT, timeout=PATIENCE)
        await driver.result(http.send(request, auth=None, follow_redirects=False))
    except Exception as error:  # the first call says what is wrong, where somebody waits for it
        _log.debug("no connection to %s ahead of the first call: %s", settings.host.name, type(error).__name__)
        return False
    return True
