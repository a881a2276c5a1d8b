"""Server tools in messages: the turns in which they were run, as standard blocks and as the core's. Pure.

Messages of blocks hold all of it in their content, in order. Messages of strings keep a record beside their text (see
`kimi_core.server_tool_record`), since LangChain adds the texts of a stream up.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import replace
from typing import Any

from langchain_core.messages import AIMessage

from kimi_core import server_tool_record
from kimi_core.server_tool_record import TURNS
from kimi_core.structured_output import dump
from kimi_core.tool_arguments import parse_arguments
from kimi_core.types import JsonObject, Reasoning, ServerCall, ServerToolTurn, ToolCall

CALL, RESULT = "server_tool_call", "server_tool_result"
"""The types of LangChain's blocks."""

_OWN_CALLS = ("tool_call", "tool_call_chunk", "invalid_tool_call")

# ----------------------------------------------------------------------------------------------------- blocks


def before(steps: Iterable[ServerToolTurn]) -> Iterator[JsonObject]:
    """Yield blocks of the turns before the last."""
    for step in steps:
        if not step.open:
            if step.reasoning:
                yield thought_block(step.reasoning)
            if step.text:
                yield {"type": "text", "text": step.text}
            yield from _of_calls(step.calls)


def within(steps: Iterable[ServerToolTurn]) -> Iterator[JsonObject]:
    """Yield blocks of server tools that were called in the last turn."""
    for step in steps:
        if step.open:
            yield from _of_calls(step.calls)


def _of_calls(calls: Sequence[ServerCall]) -> Iterator[JsonObject]:
    for place, served in enumerate(calls):
        yield call_block(served.call, served.position, place)
    for served in calls:
        if served.output is not None:
            yield result_block(served.call.id, served.output, failed=served.failed)


def thought_block(reasoning: Reasoning) -> JsonObject:
    """Return the reasoning of a turn before the last."""
    origin = server_tool_record.to_origin(reasoning)
    return {"type": "reasoning", "reasoning": reasoning.text, **({"extras": origin} if origin else {})}


def call_block(call: ToolCall, position: int, place: int) -> JsonObject:
    """Return the block of a call; its extras have what blocks have no field for."""
    record = server_tool_record.to_call(call, position, place)
    args = _object(call.arguments)
    extras = {key: record[key] for key in ("arguments", "type", "position") if key in record}
    if dump(args) == call.arguments:
        del extras["arguments"]
    block: JsonObject = {"type": CALL, "id": call.id, "name": call.name, "args": args}
    return {**block, "extras": extras} if extras else block


def result_block(id_: str, output: str, *, failed: bool) -> JsonObject:
    """Return the block of a result."""
    return {"type": RESULT, "tool_call_id": id_, "status": "error" if failed else "success", "output": output}


def of_record(record: Iterable[JsonObject]) -> Iterator[JsonObject]:
    """Yield blocks of what a chunk has of the record."""
    for turn in record:
        for place, call in enumerate(turn.get("calls") or ()):
            yield call_block(server_tool_record.to_tool_call(call), call.get("position", place), place)
        for result in turn.get("results") or ():
            yield result_block(result["id"], result["output"], failed=bool(result.get("failed")))


def _object(arguments: str) -> JsonObject:
    try:
        return parse_arguments(arguments)
    except ValueError:
        return {}


# ------------------------------------------------------------------------------------------------------ steps


def split_turns(message: AIMessage) -> tuple[AIMessage, tuple[ServerToolTurn, ...]]:
    """Return a message with the text and reasoning of its last turn alone, and the turns before.

    Raises:
        MessageError: If it keeps a record that is none.
    """
    content, kwargs = message.content, message.additional_kwargs
    rest = {name: value for name, value in kwargs.items() if name != TURNS}
    if isinstance(content, list) and any(_kind(block) == CALL for block in content):
        steps, last = _of_blocks(content)
        for twice in ("reasoning_content", "reasoning_details"):  # in a message that LangChain made blocks of
            rest.pop(twice, None)
        return message.model_copy(update={"content": last, "additional_kwargs": rest}), steps
    record = server_tool_record.read(kwargs[TURNS], str(message.text), kwargs.get("reasoning_content") or "")
    if any(step.text for step in record.steps):
        content = record.text
    if any(step.reasoning for step in record.steps):
        rest["reasoning_content"] = record.thought
    return message.model_copy(update={"content": content, "additional_kwargs": rest}), record.steps


def is_served(message: AIMessage) -> bool:
    """Return whether server tools were called, in a whole message or in a chunk."""
    content = message.content
    return TURNS in message.additional_kwargs or (
        isinstance(content, list) and any(_kind(block) == CALL for block in content)
    )


def last_text(message: AIMessage) -> str:
    """Return the text of the last turn: the answer, without what came before server tools were called."""
    return str(split_turns(message)[0].text if is_served(message) else message.text)


def _kind(block: Any) -> Any:
    return block.get("type") if isinstance(block, Mapping) else "text"


def _of_blocks(content: Iterable[Any]) -> tuple[tuple[ServerToolTurn, ...], list[Any]]:
    """Return the turns of a message's blocks, and the blocks of its last turn.

    A turn ends with the results of its calls. The user's own calls come before those of server tools when both were
    made in one turn.
    """
    *earlier, last = _grouped(content)
    steps = [_step(*group) for group in earlier]
    blocks, calls, results = last
    if not calls:
        return tuple(steps), blocks
    if len(results) < len(calls) or any(_kind(block) in _OWN_CALLS for block in blocks):
        return (*steps, ServerToolTurn(calls=_served(calls, results), open=True)), blocks
    return (*steps, _step(*last)), []


_Group = tuple[list[Any], list[Any], list[Any]]


def _grouped(content: Iterable[Any]) -> Iterator[_Group]:
    blocks, calls, results = group = ([], [], [])  # type: _Group
    for block in content:
        kind = _kind(block)
        if kind == RESULT:
            results.append(block)
            continue
        if results if kind == CALL else calls:
            yield group
            blocks, calls, results = group = ([], [], [])
        (calls if kind == CALL else blocks).append(block)
    yield group


def _step(blocks: list[Any], calls: list[Any], results: list[Any]) -> ServerToolTurn:
    text = "".join(block if isinstance(block, str) else block.get("text") or "" for block in blocks)
    thoughts = [block for block in blocks if _kind(block) == "reasoning"]
    reasoning = Reasoning("".join(block.get("reasoning") or "" for block in thoughts))
    for block in thoughts:
        known = block.get("extras") or {}
        details = (*reasoning.details, *(known.get("reasoning_details") or ()))
        reasoning = replace(reasoning, key=known.get("reasoning_key") or reasoning.key, details=details)
    known_reasoning = reasoning if reasoning.text or reasoning.details else None
    return ServerToolTurn(text, known_reasoning, _served(calls, results))


def _served(calls: Iterable[JsonObject], results: Iterable[JsonObject]) -> tuple[ServerCall, ...]:
    return server_tool_record.served({"calls": list(map(_call_of, calls)), "results": list(map(_result_of, results))})


def _call_of(block: JsonObject) -> JsonObject:
    extras, args = block.get("extras") or {}, block.get("args") or {}
    text = extras.get("arguments")
    is_current = isinstance(text, str) and _object(text) == args
    kept = {key: extras[key] for key in ("type", "position") if key in extras}
    return {"id": block.get("id"), "name": block.get("name"), "arguments": text if is_current else dump(args), **kept}


def _result_of(block: JsonObject) -> JsonObject:
    output = block.get("output")
    text = output if isinstance(output, str) else dump(output)
    return {"id": block.get("tool_call_id"), "output": text, "failed": block.get("status") == "error"}
