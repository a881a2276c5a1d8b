"""Answers for which the client runs the host's own tools: several calls of the model that give one answer.

`ToolLoop` decides and does no I/O; `run` is the loop around it. What a turn of the model led to is kept as a
`ServerToolTurn` and sent again in the same form as in a conversation that is continued later, so that the host's cache
finds the same prefix.
"""

from __future__ import annotations

from collections.abc import AsyncGenerator, Awaitable, Callable, Mapping, Sequence
from dataclasses import replace
from typing import TYPE_CHECKING

from kimi_core import errors as err
from kimi_core.endpoints.server_tools import BUILTIN
from kimi_core.events import (
    Event,
    Finished,
    ReasoningDelta,
    RefusalDelta,
    ResponseBuilder,
    ServerToolCall,
    ServerToolResult,
    ServerToolTurnEnded,
    Started,
    TextDelta,
    ToolCallDelta,
)
from kimi_core.quoting import in_short, listed
from kimi_core.transport.waiting import BEGUN
from kimi_core.types import Message, Request, Response, ServerCall, ServerToolTurn, TextPart, ToolCall, ToolChoice
from kimi_core.usage import bill_of, billed

if TYPE_CHECKING:
    from kimi_core.transport.drivers import Driver

_CUT = frozenset({"length", "content_filter"})
"""Ends of a turn after which its calls may be incomplete."""

_FINAL = (err.AuthenticationError, err.PermissionDeniedError, err.QuotaExceededError)
"""Refusals that have nothing to do with the one tool: asking the model again would fail alike."""


class ToolLoop:
    """One answer in the making.

    Attributes:
        request: What to ask next.
        due: The server tools that the last turn called and that are to be run.
    """

    def __init__(self, request: Request, owners: Mapping[str, str]) -> None:
        """Begin an answer.

        Args:
            request: The user's request, its formulas replaced by their functions.
            owners: Who runs a function: a formula's URI or `BUILTIN`, by the name of the function.
        """
        self.request = request
        self.owners = owners
        self.due: list[ToolCall] = []
        self._asked = request
        self._ran = 0
        self._builder = ResponseBuilder()
        self._began = False
        self._spent: Finished | None = None
        self._new_turn()

    def _new_turn(self) -> None:
        self._places: list[int] = []
        self._served: dict[int, tuple[ToolCallDelta, list[str]]] = {}
        self._announced = False

    @property
    def response(self) -> Response:
        """The answer, when it has ended."""
        return self._builder.response()

    @property
    def partial(self) -> Response | None:
        """What has come so far, and what it has cost; None before anything has come."""
        if not self._began:
            return None
        came, spent = self._builder.response(), self._spent
        if self._served and not self._announced:  # the turn broke off within its calls
            unfinished = tuple(ServerCall(call.call, position=call.position) for call in self._calls())
            came = replace(came, steps=(*came.steps, ServerToolTurn(calls=unfinished, open=True)))
        if spent is None or came.finish_reason is not None:
            return came
        return billed(came, bill_of(spent))

    def broken(self, turn: Response | None) -> Response | None:
        """Return what has come when something failed; `turn` has what this turn has cost, if it was the turn."""
        came = self.partial
        if came is None or turn is None or self._announced:  # counted at the end of the turn
            return came
        return billed(came, bill_of(came) + bill_of(turn))

    def feed(self, event: Event) -> Event | None:
        """Take in an event of the model's turn, and return it for the user; None when it is not for the user."""
        if type(event) is ToolCallDelta:
            if event.index == len(self._places):
                self._place(event)
            if event.index in self._served:
                self._served[event.index][1].append(event.arguments)
                return None
            event.index = self._places[event.index]
        elif type(event) is Started and self._began:
            return None
        return self._seen(event)

    def _place(self, delta: ToolCallDelta) -> None:
        """Note whose call it is; the user's are counted 0, 1, 2, … whatever is between."""
        self._places.append(len(self._places) - len(self._served))
        if delta.name in self.owners:
            self._served[delta.index] = (delta, [])

    def _seen(self, event: Event) -> Event:
        self._began = True
        self._builder.add(event)
        return event

    def end(self, finished: Finished) -> list[ServerToolCall]:
        """End the model's turn; return its calls of server tools, which are `due` unless the turn was cut.

        Raises:
            ServerRoundsError: If server tools were run as often as they may.
        """
        self._spent = summed_ends(self._spent, finished)
        calls, self._announced = self._calls(), True
        self.due = [] if finished.reason in _CUT else [event.call for event in calls]
        for event in calls:
            self._seen(event)
        if self.due and self._ran >= self._asked.max_server_rounds:
            raise self._too_many()
        self._ran += bool(self.due)
        return calls

    def _calls(self) -> list[ServerToolCall]:
        return [
            ServerToolCall(ToolCall(delta.id or "", delta.name or "", "".join(pieces), delta.type), position)
            for position, (delta, pieces) in self._served.items()
        ]

    def _too_many(self) -> err.ServerRoundsError:
        names = listed(dict.fromkeys(call.name for call in self.due))
        error = err.ServerRoundsError(
            f"{in_short(self.request.model)} called server tools in more than {self._ran} turns of one answer "
            f"({names} at last): max_server_rounds={self._asked.max_server_rounds}. Raise it, or go on from "
            "`.partial.message`.",
            text=self.response.text,
            finish_reason="tool_calls",
        )
        error.partial = self.partial
        return error

    def answered(self, call: ToolCall, output: str, *, failed: bool) -> Event:
        """Return the event for a server tool that was run."""
        return self._seen(ServerToolResult(call.id, call.name, output, failed))

    def close(self) -> ServerToolTurnEnded | Finished:
        """End the turn: `ServerToolTurnEnded` if `request` is to be asked next, `Finished` if this is the answer."""
        total = self._spent or Finished(None, None)
        if not self.due or len(self._places) > len(self._served):
            self._seen(total)
            total.response = self.response
            return total
        ended = ServerToolTurnEnded(total.usage, total.cost_usd, total.cost_is_estimate, total.reasoning_details)
        self._seen(ended)
        messages = _continued(self._asked.messages, self.response.steps)
        choice = _settled(self.request.tool_choice, self.owners)
        self.request = replace(self.request, messages=messages, tool_choice=choice)
        self._new_turn()
        return ended


def _continued(messages: Sequence[Message], steps: tuple[ServerToolTurn, ...]) -> tuple[Message, ...]:
    """Return the conversation with what the model has done since."""
    *before, last = messages
    if not last.partial:
        return (*messages, Message("assistant", steps=steps))
    # The model went on with a message that the user began: its first turn is that message.
    begun = (
        last.content
        if isinstance(last.content, str)
        else "".join(p.text for p in last.content if isinstance(p, TextPart))
    )
    first = replace(steps[0], text=begun + steps[0].text)
    return (*before, Message("assistant", steps=(*last.steps, first, *steps[1:])))


def _settled(choice: ToolChoice | None, owners: Mapping[str, str]) -> ToolChoice | None:
    """Return the tool choice for the next turn: a server tool was called, so none is forced any more.

    The user's own tool that was named has not been called yet, and stays named.
    """
    forced = choice is not None and (choice.mode == "required" or choice.name in owners)
    return ToolChoice("auto") if forced else choice


def summed_ends(before: Finished | None, last: Finished) -> Finished:
    """Return the end of a turn, with the price of the turns before and the hosts that failed in them."""
    if before is None:
        return last
    return replace(
        billed(last, bill_of(before) + bill_of(last)),
        fallbacks=(*before.fallbacks, *last.fallbacks),
        retries=(*before.retries, *last.retries),
        limits_waited=before.limits_waited + last.limits_waited,
    )


async def events_of(response: Response) -> AsyncGenerator[Event]:
    """Yield a whole answer as the events it could have come in."""
    yield Started(response.id, response.model, response.created, response.system_fingerprint)
    details: tuple[object, ...] = ()
    if reasoning := response.reasoning:
        details = reasoning.details
        if reasoning.text:
            yield ReasoningDelta(reasoning.text, reasoning.key)  # type: ignore[arg-type]
    if response.text:
        yield TextDelta(response.text)
    if response.refusal:
        yield RefusalDelta(response.refusal)
    for index, call in enumerate(response.tool_calls):
        yield ToolCallDelta(index, call.arguments, call.id, call.name, call.type)
    yield Finished(
        response.finish_reason,
        response.raw_finish_reason,
        response.usage,
        response.cost_usd,
        response.cost_is_estimate,
        response.logprobs,
        response.extra,
        details,
        response.alternatives,
        response.host,
        response.fallbacks,
        response.retries,
        response.limits_waited,
    )


async def run(
    loop: ToolLoop,
    ask: Callable[[Request], Awaitable[AsyncGenerator[Event]]],
    run_tool: Callable[[str, ToolCall], Awaitable[str]],
    first: AsyncGenerator[Event],
    driver: Driver,
) -> AsyncGenerator[Event]:
    """Ask the model and run the host's tools, until there is an answer.

    Args:
        loop: The answer.
        ask: Asks the model.
        run_tool: Runs a formula's function and returns what the model is to read.
        first: The first turn, asked for already.
        driver: Runs tools together that were called together, where it can.
    """

    async def ran(call: ToolCall) -> str:
        owner = loop.owners[call.name]
        return call.arguments if owner == BUILTIN else await run_tool(owner, call)

    turn = first
    try:
        yield BEGUN
        while True:
            async for event in turn:
                if type(event) is not Finished:
                    if (shown := loop.feed(event)) is not None:
                        yield shown
                    continue
                for announced in loop.end(event):
                    yield announced
                due = loop.due
                at = 0
                async for outcome in driver.outcomes(ran, due, len(due)):
                    yield _outcome(loop, due[at], outcome)
                    at += 1
                closed = loop.close()
                yield closed
                if type(closed) is ServerToolTurnEnded:
                    break  # what the turn's own end would complain of is not due before the last one
            else:
                return
            await turn.aclose()
            turn = await ask(loop.request)
    except err.APIError as error:
        error.partial = loop.broken(error.partial)
        raise
    finally:
        await turn.aclose()


def _reason(error: err.APIError) -> str:
    """Return the text for the model about a tool that failed.

    Raises:
        APIError: If the error is not the tool's own; it is the error itself.
    """
    if isinstance(error, _FINAL):
        raise error
    return error.reason if isinstance(error, err.FormulaError) else str(error)


def _outcome(loop: ToolLoop, call: ToolCall, outcome: str | BaseException) -> Event:
    if isinstance(outcome, err.APIError):
        return loop.answered(call, _reason(outcome), failed=True)
    if isinstance(outcome, BaseException):
        raise outcome
    return loop.answered(call, outcome, failed=False)
