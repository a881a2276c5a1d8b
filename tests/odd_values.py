"""What a host may write that no host should: odd values at any place of a body, a frame or an error."""

from __future__ import annotations

import copy
import json
from collections.abc import Iterator
from typing import Any

from drivers import Answer, Driver

from kimi_adapters.local_server import LocalKimi
from kimi_core import KimiError

HUGE = "«a number of 5,000 digits»"
"""Stands for a number that Python neither reads nor writes as text."""
DEEP = "«100,000 lists in each other»"
NESTED = "«500 lists in each other, with half a character»"
SPELLED = {
    HUGE: "1" + 5_000 * "0",
    DEEP: 100_000 * "[" + 100_000 * "]",
    NESTED: 500 * '["\\ud83d",' + "1" + 500 * "]",
}
ODD: list[Any] = [
    *(None, True, 0, -1, 1.5, float("nan"), float("inf"), -float("inf"), 10**30, 10**400, HUGE),
    *(
        "",
        "x",
        "²³",
        "\ud83d",
        "7",
        5_000 * "9",
        [],
        {},
        [1],
        [None],
        {"a": 1},
        [[]],
        [{}],
        {"a": [None]},
        DEEP,
        NESTED,
    ),
]


def spelled(value: Any) -> str:
    text = json.dumps(value)
    for name, said in SPELLED.items():
        text = text.replace(json.dumps(name), said)
    return text


def frame(delta: dict[str, Any], finish: str | None = None, index: int = 0, **more: Any) -> dict[str, Any]:
    choice = {"index": index, "delta": delta, "finish_reason": finish, "logprobs": None}
    return {
        "id": "c",
        "object": "chat.completion.chunk",
        "created": 1,
        "model": "kimi-k2.6",
        "choices": [choice],
        **more,
    }


def body(message: dict[str, Any], **more: Any) -> dict[str, Any]:
    made = frame({}, "stop", **more)
    made["choices"][0]["message"] = {"role": "assistant", **message}
    del made["choices"][0]["delta"]
    return {**made, "object": "chat.completion"}


CALL = {"index": 0, "id": "look:0", "type": "function", "function": {"name": "look", "arguments": "{}"}}
TOKEN = {"token": "a", "logprob": -0.1, "bytes": [97], "top_logprobs": [{"token": "a", "logprob": -0.1, "bytes": [97]}]}
USAGE = {
    "prompt_tokens": 5,
    "completion_tokens": 3,
    "total_tokens": 8,
    "prompt_tokens_details": {"cached_tokens": 1},
    "completion_tokens_details": {"reasoning_tokens": 1},
}
FULL = body(
    {
        "content": "there",
        "reasoning_content": "Hm.",
        "reasoning_details": [{"type": "reasoning.text", "text": "Hm.", "index": 0}],
        "refusal": None,
        "tool_calls": [CALL],
    },
    usage=USAGE,
    system_fingerprint="f",
    cost=0.1,
    other={"a": 1},
)
FULL["choices"][0]["logprobs"] = {"content": [TOKEN]}


def paths(value: Any, at: tuple[Any, ...] = ()) -> Iterator[tuple[Any, ...]]:
    yield at
    for step in value if isinstance(value, dict) else range(len(value)) if isinstance(value, list) else ():
        yield from paths(value[step], (*at, step))


def with_value(whole: Any, path: tuple[Any, ...], odd: Any) -> Any:
    if not path:
        return odd
    made = place = copy.deepcopy(whole)
    for step in path[:-1]:
        place = place[step]
    place[path[-1]] = odd
    return made


def as_chunk(whole: Any) -> Any:
    made = copy.deepcopy(whole)
    if isinstance(made, dict) and isinstance(made.get("choices"), list):
        for choice in made["choices"]:
            if isinstance(choice, dict):
                choice["delta"] = choice.pop("message", None)
                choice["finish_reason"] = None
    return made


def enqueue(driver: Driver, kimi: LocalKimi, whole: Any) -> None:
    """Prepare an answer, or a stream in which it is between a beginning and an end."""
    if driver.streams:
        chunks = [frame({"role": "assistant", "content": "Hello "}), as_chunk(whole), frame({}, "stop", usage=USAGE)]
        kimi.enqueue(sse=[f"data: {spelled(chunk)}\n\n" for chunk in chunks], unchecked=True)
    else:
        kimi.enqueue(raw=spelled(whole).encode(), content_type="application/json", unchecked=True)


def ask(driver: Driver, kimi: LocalKimi, **given: Any) -> Answer | KimiError:
    try:
        return driver.ask(driver.make(base_url=kimi.base_url, api_key=kimi.api_key, max_retries=0, **given), "Hello")
    except KimiError as error:
        return error
