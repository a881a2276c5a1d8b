"""The `kimi-adapters` command: a local Kimi server, a demonstration, a probe of hosts, and the tables.

It needs the extra `kimi-adapters[cli]`; the demonstration needs `kimi-adapters[demo]`.
"""

from __future__ import annotations

import sys

from kimi_adapters.cli.extras import needs


def main() -> None:
    """Run the command."""
    for stream in (sys.stdout, sys.stderr):
        if reconfigure := getattr(stream, "reconfigure", None):
            reconfigure(errors="replace")  # a terminal that cannot show a sign shows "?" instead of failing
    with needs("cli"):
        from kimi_adapters.cli.app import app
        from kimi_adapters.cli.output import safe_to_close
    with safe_to_close():
        app(prog_name="kimi-adapters")  # by which shells complete it, however it was started
