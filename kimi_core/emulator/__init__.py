"""A local Kimi server: as strict as the real hosts, with rules in place of a model.

It needs the extra ``kimi-adapters[emulator]``.
"""

from kimi_core.emulator.emulator import Emulator
from kimi_core.emulator.log import RecordedRequest

try:
    from kimi_core.emulator.app import create_app
    from kimi_core.emulator.local import LocalKimi, serve
except ModuleNotFoundError as missing:
    raise ModuleNotFoundError(
        f"the local Kimi server needs {missing.name}: pip install 'kimi-adapters[emulator]'", name=missing.name
    ) from missing

__all__ = ["Emulator", "LocalKimi", "RecordedRequest", "create_app", "serve"]
