"""The state of one local Kimi server: its behaviour, its script, its log, its files."""

from __future__ import annotations

from collections import deque
from collections.abc import Collection, Mapping, Sequence
from typing import Any, Literal

from kimi_adapters.local_server.aimlapi import AIMLAPI
from kimi_adapters.local_server.allowance import Allowance
from kimi_adapters.local_server.batches import BatchStore, LineScript
from kimi_adapters.local_server.cache import PrefixCache
from kimi_adapters.local_server.dialect import Dialect
from kimi_adapters.local_server.exchange import Frame
from kimi_adapters.local_server.files import FileStore
from kimi_adapters.local_server.fireworks import FIREWORKS
from kimi_adapters.local_server.kimi_code import KIMI_CODE
from kimi_adapters.local_server.llama_cpp import LLAMA_CPP
from kimi_adapters.local_server.log import Log, RecordedRequest
from kimi_adapters.local_server.moonshot import MOONSHOT
from kimi_adapters.local_server.openrouter import OPENROUTER
from kimi_adapters.local_server.random_faults import RandomFaults
from kimi_adapters.local_server.refusal import Refusal
from kimi_adapters.local_server.reply import CallsAs, ReasoningAs, Reply
from kimi_adapters.local_server.runware import RUNWARE
from kimi_adapters.local_server.script import FAULT_MESSAGES, Canned, Fault, Script, StreamFault, canned_calls
from kimi_adapters.local_server.vllm import SGLANG, VLLM
from kimi_adapters.local_server.work import Work

DialectName = Literal[
    "moonshot", "aimlapi", "kimi-code", "openrouter", "fireworks", "vllm", "sglang", "llama-cpp", "runware"
]
_DIALECTS = (MOONSHOT, AIMLAPI, KIMI_CODE, OPENROUTER, FIREWORKS, VLLM, SGLANG, LLAMA_CPP, RUNWARE)
DIALECTS: dict[str, Dialect] = {dialect.name: dialect for dialect in _DIALECTS}


class KimiServer:
    """Everything a local Kimi is, apart from the socket that it listens on.

    Attributes:
        dialect: The host that it imitates.
        api_key: The one key that is accepted.
        usage_in_choice: Whether the finish chunk of a stream carries usage in its choice, as Moonshot's does.
        reasoning_as: Where the reasoning of its answers is; the dialect's own place by default.
        admits: Beginnings of user agents that a gated host (Kimi Code) lets in beside those on its list.
        text_before_tools: Whether a sentence comes before tool calls.
        delay: Seconds before each answer.
        chunk_delay: Seconds between the chunks of a stream.
        think: Whether the models think at all.
        coalesce: How many chunks of a stream share one piece on the network.
        polls: How often a queued Runware task is still `processing` when it is polled.
        allowed_hosts: Names to which it answers beside those of this machine, such as that of a container.
        allowance: How many chat requests it takes, by `requests_per_minute` and `concurrency`; more get a 429.
        open_to_network: Whether it may listen on an address that other machines reach, and answers to any address.
        batches: Its batches, and what is to happen to them.
        random_faults: What goes wrong with a share of the chat completions (`fault_rate`; the same for a `fault_seed`).
    """

    def __init__(
        self,
        *,
        dialect: DialectName = "moonshot",
        api_key: str = "sk-local-kimi",
        usage_in_choice: bool | None = None,
        reasoning_as: ReasoningAs | None = None,
        admits: Collection[str] = (),
        text_before_tools: bool = False,
        delay: float = 0.0,
        chunk_delay: float = 0.0,
        think: bool = True,
        coalesce: int = 1,
        polls: int = 1,
        allowed_hosts: Collection[str] = (),
        open_to_network: bool = False,
        fault_rate: float = 0.0,
        fault_seed: int = 0,
        stall: float = 30.0,
        requests_per_minute: int | None = None,
        concurrency: int | None = None,
        minute: float = 60.0,
    ) -> None:
        if dialect not in DIALECTS:
            raise ValueError(f"dialect must be one of {', '.join(DIALECTS)}, not {dialect!r}")
        self.dialect = DIALECTS[dialect]
        self.api_key = api_key
        self.usage_in_choice = self.dialect.usage_in_choice if usage_in_choice is None else usage_in_choice
        self.reasoning_as = reasoning_as or self.dialect.reasoning_as
        self.admits = tuple(admits)
        self.text_before_tools = text_before_tools
        self.delay, self.chunk_delay = delay, chunk_delay
        self.think, self.coalesce, self.polls = think, coalesce, polls
        self.allowed_hosts = tuple(allowed_hosts)
        self.open_to_network = open_to_network
        self.allowance = Allowance(requests_per_minute, concurrency, minute)
        self.work: dict[str, Work] = {}
        self.files = FileStore()
        self.batches = BatchStore()
        self.random_faults = RandomFaults(fault_rate, fault_seed, stall)
        self.cache = PrefixCache()
        self.script = Script()
        self.log = Log()

    @property
    def requests(self) -> list[RecordedRequest]:
        """Every request so far (the last 10,000), in the order of arrival."""
        return list(self.log.entries)

    @property
    def errors(self) -> list[RecordedRequest]:
        """The requests that were answered with a status of 400 or more."""
        return [entry for entry in self.requests if entry.status >= 400]

    def reset(self) -> None:
        """Forget the log, canned answers, faults, the prefix cache, files, queued tasks and batches."""
        self.log.entries.clear()
        self.script.clear()
        self.cache.clear()
        self.files.clear()
        self.work.clear()
        self.batches.clear()
        self.allowance.clear()

    def enqueue(
        self,
        *,
        json: Any = None,
        sse: Sequence[Frame] | None = None,
        raw: bytes | None = None,
        chunks: Sequence[bytes] | None = None,
        text: str | None = None,
        reasoning: str = "",
        tool_calls: Sequence[Mapping[str, Any]] = (),
        finish_reason: str | None = None,
        usage: dict[str, Any] | None = None,
        reasoning_as: ReasoningAs | None = None,
        calls_as: CallsAs = "tool_calls",
        refusal: str = "",
        status: int = 200,
        headers: Mapping[str, str] | None = None,
        content_type: str | None = None,
        done: bool = True,
        cut: bool = False,
        unchecked: bool = False,
    ) -> None:
        """Prepare the answer to one chat request; several are used up in order, before the rules.

        In Runware's dialect each result of a task uses up one. One with a status of 400 or more is a failed result, and
        the fields of ``json`` go into its error object; in whole answers ``{taskUUID}`` is replaced by the task's UUID.

        Args:
            json: A whole body, sent as it is, also to a request with ``stream``.
            sse: Frames of a stream: an object becomes ``data: <json>``, text and bytes go out as they are.
            raw: A whole body of bytes.
            chunks: A body of bytes in exactly these pieces on the network.
            text: The text of a reply that is rendered whole or streamed, as the request asks.
            reasoning: Its reasoning.
            tool_calls: Its tool calls: ``name``, ``arguments`` (object or raw text), optionally ``id``.
            finish_reason: Its finish reason, when not the natural one.
            usage: Its usage, when not the counted one.
            reasoning_as: Where its reasoning is, when not where the dialect has it: ``reasoning_content``,
                ``reasoning``, ``both``, ``details``, ``tags``, ``lone_tag`` or ``tags_and_key``.
            calls_as: ``tokens`` leaves its calls in the text, in the tokens of Kimi's template.
            refusal: Its refusal in place of an answer, in a field of its own (not in Runware's own protocol).
            status: The HTTP status.
            headers: Further headers.
            content_type: The media type, when not the natural one.
            done: Whether ``data: [DONE]`` ends the frames of ``sse``.
            cut: Whether to drop the connection at the end of the body instead of ending properly.
            unchecked: Whether to answer any request; otherwise it is checked as always.
        """
        reply = None
        if json is None and sse is None and raw is None and chunks is None:
            calls = canned_calls(tool_calls)
            reply = Reply(text or "", reasoning, calls, finish_reason, usage, reasoning_as, calls_as, refusal)
        pieces = [raw] if raw is not None and chunks is None else chunks
        self.script.canned.append(
            Canned(json, sse, pieces, reply, status, dict(headers or {}), content_type, done, cut, unchecked)
        )

    def fail(
        self,
        n: int = 1,
        *,
        status: int = 429,
        type: str = "engine_overloaded_error",
        message: str | None = None,
        headers: Mapping[str, str] | None = None,
        path: str | None = None,
    ) -> None:
        """Answer the next ``n`` chat requests with an error, and ``Retry-After: 0`` where hosts send it.

        With a ``path`` (``/v1/tools/search``), the next ``n`` requests to that path get the error instead.
        """
        sentence = message if message is not None else FAULT_MESSAGES.get(type, type)
        faults = self.script.faults if path is None else self.script.elsewhere.setdefault(path, deque())
        faults.extend([Fault(Refusal(status, type, sentence), headers)] * n)

    def script_line(
        self,
        custom_id: str,
        *,
        status: int | None = 200,
        type: str = "server_error",
        message: str | None = None,
        json: Any = None,
        lost: bool = False,
    ) -> None:
        """Prepare what comes of one line of a batch, the next time that a line of this `custom_id` is dealt with.

        Args:
            custom_id: The line's own.
            status: The HTTP status of its response; None for an error of the batch in place of a response.
            type: The host's name of the error.
            message: Its sentence, when not the host's own for this type.
            json: A whole body, sent as it is, in place of the error.
            lost: Whether it is in neither file.
        """
        sentence = message if message is not None else FAULT_MESSAGES.get(type, type)
        error = {"code": type, "message": sentence} if status is None else {"message": sentence, "type": type}
        body = json if json is not None else error if status is None else {"error": error}
        self.batches.scripts[custom_id] = LineScript(status, body, lost)

    def cut_stream_after(self, n_frames: int) -> None:
        """Drop the connection of the next stream after ``n_frames`` frames."""
        self.script.stream_faults.append(StreamFault(n_frames, None))

    def error_in_stream_after(self, n_frames: int, error: Mapping[str, Any] | None = None) -> None:
        """Put an error frame into the next stream after ``n_frames`` frames, and end it there."""
        overloaded = "engine_overloaded_error"
        default = {"message": FAULT_MESSAGES[overloaded], "type": overloaded}
        self.script.stream_faults.append(StreamFault(n_frames, error if error is not None else default))

    def loop_in_stream_after(self, n_frames: int, *, repeat: int = 1, times: int = 1_000) -> None:
        """Let the model fall into a loop in the next stream: the last of its first ``n_frames`` frames come again.

        Args:
            n_frames: The frames before the loop.
            repeat: How many of them, from the last one back, come again and again.
            times: How often they come again; then the stream goes on.
        """
        self.script.stream_faults.append(StreamFault(n_frames, None, repeat, times))
