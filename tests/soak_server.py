"""The local server of `make soak`, in a process of its own: `soak_server.py <behaviour as JSON>`.

Prints its address and its key as JSON, and at the end of its input the faults that it made.
"""

from __future__ import annotations

import json
import logging
import sys

from kimi_adapters.local_server import LocalKimi

if __name__ == "__main__":
    logging.getLogger("asyncio").setLevel(logging.ERROR)  # it tells of every reader that goes away
    with LocalKimi(**json.loads(sys.argv[1])) as kimi:
        print(json.dumps([kimi.base_url, kimi.api_key]), flush=True)
        sys.stdin.read()
        print(json.dumps(kimi.random_faults.made), flush=True)
