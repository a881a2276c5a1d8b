"""A local Kimi server: as strict as the real hosts, with rules in place of a model.

It needs the extra ``kimi-adapters[local-server]``.
"""

from kimi_adapters.local_server.log import RecordedRequest
from kimi_adapters.local_server.server import KimiServer

try:
    from kimi_adapters.local_server.app import create_app
    from kimi_adapters.local_server.local import LocalKimi, serve
except ModuleNotFoundError as missing:
    raise ModuleNotFoundError(
        f"the local Kimi server needs {missing.name}: pip install 'kimi-adapters[local-server]'", name=missing.name
    ) from missing

__all__ = ["KimiServer", "LocalKimi", "RecordedRequest", "create_app", "serve"]
