"""The local Kimi server as a process of its own: says where it is, and, when its input is closed, what it was asked."""

from __future__ import annotations

import json
import sys
from collections import Counter, deque
from typing import Any

from kimi_adapters.local_server import LocalKimi


def main(behaviour: str) -> int:
    switches = json.loads(behaviour)
    with LocalKimi(**switches) as kimi:
        kimi.log.entries = deque()  # all of them
        print(json.dumps({"base_url": kimi.base_url, "api_key": kimi.api_key}), flush=True)
        for _ in sys.stdin:
            print(json.dumps(told(kimi)), flush=True)
    return 0


def told(kimi: LocalKimi) -> dict[str, Any]:
    """Return what the log says."""
    asked = [one for one in kimi.requests if one.path.endswith("/chat/completions")]
    answered = Counter(one.body["messages"][-1]["content"] for one in asked if one.status == 200)
    times = sorted(one.at for one in asked)
    return {
        "requests": len(asked),
        "by_status": dict(Counter(str(one.status) for one in asked)),
        "refused_by_limits": sum((one.error or "").find("max ") >= 0 for one in asked if one.status == 429),
        "faults": dict(kimi.random_faults.made),
        "most_at_once": kimi.allowance.most_at_once,
        "most_in_a_minute": most_within(times, 60.0),
        "questions": len(answered),
        "answered_twice": sum(count > 1 for count in answered.values()),
    }


def most_within(times: list[float], span: float) -> int:
    """Return the most of these times, which are sorted, that lie within a span."""
    most = first = 0
    for last, time in enumerate(times):
        while times[first] <= time - span:
            first += 1
        most = max(most, last - first + 1)
    return most


if __name__ == "__main__":
    sys.exit(main(sys.argv[1]))
