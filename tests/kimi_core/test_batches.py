"""Batches by the client: submitted, followed, continued after a death, and read like any answer."""

from __future__ import annotations

import asyncio
import base64
import inspect
import json
import logging
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import pytest

from kimi_adapters.local_server import LocalKimi
from kimi_core import (
    APIConnectionError,
    AsyncKimiClient,
    BadRequestError,
    BatchError,
    Budget,
    BudgetExceededError,
    ConfigError,
    DecodeError,
    ImagePart,
    InternalServerError,
    KimiClient,
    Message,
    MessageError,
    NotFoundError,
    Options,
    OverloadedError,
    RateLimitError,
    Request,
    TextPart,
    Thinking,
    Tool,
    UnsupportedError,
)
from kimi_core.client.batch_lines import fingerprint
from kimi_core.errors import make

CANARY = "sk-canary-9f3b1c77e5d24a60"
PNG = base64.b64decode(
    "iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAYAAAAfFcSJAAAADUlEQVR42mP8z8BQDwAEhQGAhKmMIQAAAABJRU5ErkJggg=="
)


def ask(text: str, **options: Any) -> Request:
    return Request(messages=[Message("user", text)], model="kimi-k2.6", options=Options(**options))


def code(number: int) -> Request:
    return ask(f"The code is {number}. What is the code?")


CODES = [code(number) for number in range(4711, 4715)]


@pytest.fixture(params=[KimiClient, AsyncKimiClient], ids=["sync", "async"])
def call(request: pytest.FixtureRequest, kimi: LocalKimi) -> Callable[..., Any]:
    """Calls a method of the batches of a client of either kind."""

    def call(name: str, *args: Any, settings: dict[str, Any] | None = None, **kwargs: Any) -> Any:
        given = {"base_url": kimi.base_url, "api_key": kimi.api_key, "max_retries": 0, **(settings or {})}
        method = getattr(request.param(**given).batches, name)
        if name == "run":
            kwargs = {"poll_interval": 0, "progress": False, **kwargs}

        async def awaited() -> Any:
            found = method(*args, **kwargs)
            return await found if inspect.isawaitable(found) else found

        return method(*args, **kwargs) if request.param is KimiClient else asyncio.run(awaited())

    return call


@pytest.fixture
def run(kimi: LocalKimi) -> Callable[..., Any]:
    """Answers requests in batches."""

    def run(requests: Sequence[Any] = CODES, client: KimiClient | None = None, **kwargs: Any) -> Any:
        asked = client or KimiClient(base_url=kimi.base_url, api_key=kimi.api_key, max_retries=0)
        return asked.batches.run(requests, **{"poll_interval": 0, "progress": False, **kwargs})

    return run


def created(kimi: LocalKimi) -> int:
    return sum(one.method == "POST" and one.path == "/v1/batches" for one in kimi.requests)


def texts(outcomes: Sequence[Any]) -> list[Any]:
    return [type(one) if isinstance(one, Exception) else one.text for one in outcomes]


ANSWERS = [f"The code is {number}." for number in range(4711, 4715)]

# ------------------------------------------------------------------------------------------------------ the endpoint


def test_a_batch_is_submitted_looked_at_and_read(kimi: LocalKimi, call: Callable[..., Any]) -> None:
    made = call("submit", CODES, completion_window="3d", metadata={"job": "nightly"})
    assert (made.status, made.completion_window, made.metadata["job"]) == ("validating", "3d", "nightly")
    kimi.step_batches(3)
    batch = call("get", made.id)
    assert (batch.status, batch.total, batch.completed, batch.failed) == ("completed", 4, 4, 0)
    assert batch.is_over
    assert texts(call("results", made.id, CODES)) == ANSWERS
    assert {line.custom_id for line in call("lines", made.id)} == {f"input-{n}" for n in range(4)}


def test_the_lines_are_what_a_call_sends(kimi: LocalKimi, call: Callable[..., Any]) -> None:
    asked = ask("Hello", max_tokens=50)
    made = call("submit", [asked])
    (line,) = kimi.files.get(made.input_file_id).data.splitlines()
    _, wire = KimiClient(base_url=kimi.base_url, api_key=kimi.api_key).prepare(asked)
    assert json.loads(line) == {
        "custom_id": "input-0",
        "method": "POST",
        "url": "/v1/chat/completions",
        "body": wire.body,
    }


def test_all_batches_are_listed(kimi: LocalKimi, call: Callable[..., Any]) -> None:
    ids = [kimi.batches.add("file", "24h", 86_400, None).id for _ in range(101)]
    assert [one.id for one in call("list")] == ids[::-1]


def test_a_list_that_does_not_end_is_given_up(
    kimi: LocalKimi, call: Callable[..., Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    made = kimi.batches.add("file", "24h", 86_400, None)
    monkeypatch.setattr(kimi.batches, "page", lambda after, limit: ([made], True))
    assert [one.id for one in call("list")] == [made.id]


def test_a_batch_is_cancelled(kimi: LocalKimi, call: Callable[..., Any]) -> None:
    made = call("submit", CODES)
    assert call("cancel", made.id).status == "cancelling"


def test_results_of_a_batch_under_way_are_refused(kimi: LocalKimi, call: Callable[..., Any]) -> None:
    made = call("submit", CODES)
    with pytest.raises(ConfigError, match="is not over yet, but 'in_progress'"):
        call("results", made.id, CODES)


def test_a_batch_that_is_not_there_is_named(call: Callable[..., Any]) -> None:
    with pytest.raises(NotFoundError, match="batch_x not found"):
        call("get", "batch_x")


# ------------------------------------------------------------------------------------------------------ one call


def test_answers_come_in_order(kimi: LocalKimi, call: Callable[..., Any]) -> None:
    answers = call("run", CODES)
    assert texts(answers) == ANSWERS
    assert kimi.errors == []
    assert created(kimi) == 1


def test_an_answer_has_what_that_of_a_call_has(kimi: LocalKimi, run: Callable[..., Any]) -> None:
    (batched,) = run([code(5)])
    called = KimiClient(base_url=kimi.base_url, api_key=kimi.api_key).complete(code(5))
    for name in ("text", "reasoning", "finish_reason", "model", "host"):
        assert getattr(batched, name) == getattr(called, name)


def test_tokens_cost_three_fifths(kimi: LocalKimi, run: Callable[..., Any], caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.INFO, "kimi_core.usage")
    budget = Budget(usd=1.0)
    client = KimiClient(base_url=kimi.base_url, api_key=kimi.api_key, budget=budget)
    (answer,) = run([ask("Hello", max_tokens=100)], client)
    usage = answer.usage
    price = (usage.input_tokens - usage.cached_tokens) * 0.95 + usage.cached_tokens * 0.16 + usage.output_tokens * 4
    assert answer.cost_usd == pytest.approx(0.6 * price / 1_000_000)
    assert budget.spent.usd == pytest.approx(answer.cost_usd)
    assert (budget.spent.steps, budget.spent.tokens) == (1, usage.total_tokens)
    assert [record.cost_usd for record in caplog.records] == [answer.cost_usd]


def test_a_budget_without_room_for_all_is_refused_before_any_io(kimi: LocalKimi, run: Callable[..., Any]) -> None:
    for limit in ({"usd": 0.0001}, {"tokens": 100}, {"steps": 3}):
        client = KimiClient(base_url=kimi.base_url, api_key=kimi.api_key, budget=Budget(**limit))
        with pytest.raises(BudgetExceededError, match="4 requests of a batch may cost up to"):
            run(CODES, client)
    assert kimi.requests == []


def test_a_budget_has_its_room_back_afterwards(kimi: LocalKimi, run: Callable[..., Any]) -> None:
    budget = Budget(tokens=70_000)
    client = KimiClient(base_url=kimi.base_url, api_key=kimi.api_key, budget=budget)
    for _ in range(2):
        run(CODES[:2], client)
    assert budget.spent.steps == 4


def test_one_failed_line_is_one_error_in_its_place(kimi: LocalKimi, run: Callable[..., Any]) -> None:
    kimi.script_line("input-0", status=429)
    kimi.script_line("input-1", status=500, type="server_error")
    kimi.script_line("input-2", status=None, type="internal", message="It broke.")
    kimi.script_line("input-3", lost=True)
    kimi.script_line("input-4", json={"strange": True})
    kimi.script_line("input-5", json={"error": {"message": "busy", "type": "engine_overloaded_error"}})
    kimi.script_line("input-6", status=429, type="engine_overloaded_error")
    outcomes = run([code(n) for n in range(8)])
    kinds = [
        RateLimitError,
        InternalServerError,
        BatchError,
        BatchError,
        DecodeError,
        OverloadedError,
        OverloadedError,
    ]
    assert all(isinstance(one, kind) for one, kind in zip(outcomes, kinds, strict=False))
    assert outcomes[7].text == "The code is 7."
    assert "It broke" in str(outcomes[2])
    assert "in neither of its files" in str(outcomes[3])
    assert outcomes[3].batch_status == "completed"
    assert outcomes[1].request_id
    assert "This is what came of input 1, in batch batch_" in outcomes[1].__notes__[0]


def test_a_request_that_cannot_be_sent_is_an_error_in_its_place(kimi: LocalKimi, run: Callable[..., Any]) -> None:
    wrong = Request(messages=[Message("user", [ImagePart("nonsense")])], model="kimi-k2.6")
    outcomes = run([CODES[0], wrong, ValueError("no input")])
    assert texts(outcomes)[0] == ANSWERS[0]
    assert isinstance(outcomes[1], MessageError)
    assert isinstance(outcomes[2], ValueError)
    kimi.reset()
    with pytest.raises(MessageError):
        run([CODES[0], wrong], only_whole=True)
    assert kimi.requests == []


def test_nothing_is_sent_when_nothing_can_be(kimi: LocalKimi, run: Callable[..., Any]) -> None:
    assert run([]) == []
    assert len(run([ValueError()])) == 1
    assert kimi.requests == []


def test_a_picture_goes_along(kimi: LocalKimi, run: Callable[..., Any]) -> None:
    url = f"data:image/png;base64,{base64.b64encode(PNG).decode()}"
    asked = Request(messages=[Message("user", [TextPart("What size is it?"), ImagePart(url)])], model="kimi-k2.6")
    called = KimiClient(base_url=kimi.base_url, api_key=kimi.api_key).complete(asked)
    assert texts(run([asked])) == [called.text]


def test_names_of_tools_come_back_as_they_were_given(kimi: LocalKimi, run: Callable[..., Any]) -> None:
    tool = Tool(
        name="get weather",
        description="Get the weather of a city.",
        parameters={"type": "object", "properties": {"city": {"type": "string"}}},
    )
    asked = Request(messages=[Message("user", "What is the weather in Oslo?")], model="kimi-k2.6", tools=(tool,))
    (answer,) = run([asked])
    assert [call.name for call in answer.tool_calls] == ["get weather"]


# ---------------------------------------------------------------------------------------------------- what it refuses


@pytest.mark.parametrize(
    ("request_", "message"),
    [
        (
            Request(messages=[Message("user", "x")], model="kimi-k3"),
            "kimi-k3 on moonshot is not served in batches: kimi-k2.6",
        ),
        (ask("x", n=2), "n=2 answers cannot be asked for in a batch"),
        (ask("x", extra_headers={"x-job": "1"}), "extra_headers are of one call"),
        (
            Request(
                messages=[Message("user", "x")],
                model="kimi-k2.6",
                tools=(Tool(name="$web_search", type="builtin_function"),),
            ),
            r"The host's own tools \(\$web_search\)",
        ),
    ],
)
def test_what_no_line_can_ask_for_is_refused_before_any_io(
    kimi: LocalKimi, run: Callable[..., Any], request_: Request, message: str
) -> None:
    with pytest.raises(UnsupportedError, match=message):
        run([request_], only_whole=True)
    assert kimi.requests == []


@pytest.mark.parametrize(
    ("option", "message"),
    [
        ({"completion_window": "1h"}, "completion_window must be 12h to 168h, or in days"),
        ({"completion_window": 24}, "completion_window must be"),
        ({"metadata": {"k": "v" * 513}}, "at most 15 pairs"),
        ({"metadata": {str(n): "" for n in range(16)}}, "at most 15 pairs"),
        ({"poll_interval": -1}, "poll_interval must be a number of seconds"),
        ({"progress": "yes"}, "progress must be True, False or a function"),
    ],
    ids=str,
)
def test_a_wrong_option_is_refused_before_any_io(
    kimi: LocalKimi, run: Callable[..., Any], option: dict[str, Any], message: str
) -> None:
    with pytest.raises(ConfigError, match=message):
        run(**option)
    assert kimi.requests == []


def test_a_host_without_batches_names_those_that_have_them(run: Callable[..., Any]) -> None:
    client = KimiClient(host="fireworks", api_key="k")
    with pytest.raises(
        UnsupportedError, match=r"has no batches. Use host='moonshot' .* overrides=\{'endpoints.batches"
    ):
        run(CODES, client, only_whole=True)


def test_a_host_of_which_nobody_knows_it_is_reached_by_overrides(kimi: LocalKimi, run: Callable[..., Any]) -> None:
    facts = {"endpoints.batches": "/batches", "endpoints.files": "/files"}
    client = KimiClient(host="generic", base_url=kimi.base_url, api_key=kimi.api_key, overrides=facts)
    assert texts(run(CODES[:1], client)) == ANSWERS[:1]
    with pytest.raises(ConfigError, match="completion_window must be 24h on generic"):
        run(CODES[:1], client, completion_window="12h")


def test_results_may_be_longer_than_any_answer(
    kimi: LocalKimi, call: Callable[..., Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("kimi_core.transport.reply.MOST", 1_000)
    assert texts(call("run", CODES)) == ANSWERS
    assert max(len(kimi.files.get(file.id).data) for file in kimi.files.all()) > 1_000


def test_a_line_that_does_not_end_is_given_up(
    kimi: LocalKimi, call: Callable[..., Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("kimi_core.transport.file_lines.MOST", 100)
    with pytest.raises(DecodeError, match="longer than it can be"):
        call("run", CODES)


def test_more_lines_than_there_can_be_are_given_up(kimi: LocalKimi, run: Callable[..., Any]) -> None:
    kimi.batches.by_itself = False
    client = limited(kimi, lines=4)
    made = client.batches.submit(CODES)
    kimi.step_batches(3)
    batch = kimi.batches.get(made.id)
    file = kimi.files.get(batch.output_file_id)
    batch.output_file_id = kimi.files.keep("more", "batch_output", file.data * 3).id
    with pytest.raises(DecodeError, match="longer than it can be"):
        client.batches.results(made.id, CODES)


def test_results_that_break_off_are_fetched_on_and_counted_once(
    kimi: LocalKimi, call: Callable[..., Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    from kimi_core.transport.file_lines import FileLines

    monkeypatch.setattr("kimi_core.transport.repeats._backoff", lambda state: 0)
    read, breaks = FileLines._one, [True]

    def one(self: Any, line: bytes, number: int) -> None:
        if number == 3 and breaks and breaks.pop():
            raise make(APIConnectionError, "It broke off.")
        read(self, line, number)

    monkeypatch.setattr(FileLines, "_one", one)
    budget = Budget(tokens=1_000_000)
    answers = call("run", CODES, settings={"budget": budget, "max_retries": 1})
    assert texts(answers) == ANSWERS
    assert budget.spent.tokens == sum(answer.usage.total_tokens for answer in answers)


# ------------------------------------------------------------------------------------------------------ split, follow


def limited(kimi: LocalKimi, **facts: Any) -> KimiClient:
    overrides = {f"batches.{name}": value for name, value in facts.items()}
    return KimiClient(base_url=kimi.base_url, api_key=kimi.api_key, max_retries=0, overrides=overrides)


def test_requests_are_split_by_the_number_of_lines(kimi: LocalKimi, run: Callable[..., Any]) -> None:
    assert texts(run(CODES, limited(kimi, lines=3))) == ANSWERS
    assert sorted(len(batch.requests) for batch in kimi.batches.all()) == [1, 3]


def test_requests_are_split_by_the_size_of_the_file(kimi: LocalKimi, run: Callable[..., Any]) -> None:
    run(CODES[:1])
    size = len(kimi.files.get(kimi.batches.all()[0].input_file_id).data)
    assert texts(run(CODES, limited(kimi, size=2 * size))) == ANSWERS
    assert [len(batch.requests) for batch in kimi.batches.all()] == [2, 2, 1]
    (error,) = run(CODES[:1], limited(kimi, size=size - 1))
    assert isinstance(error, MessageError)


def test_requests_are_split_by_their_models(kimi: LocalKimi, run: Callable[..., Any]) -> None:
    with pytest.warns(match="does not serve kimi-k2.5 any more"):
        outcomes = run([code(1), Request(messages=[Message("user", "x")], model="kimi-k2.5"), code(2)])
    assert texts(outcomes[::2]) == ["The code is 1.", "The code is 2."]
    assert created(kimi) == 2


def test_one_batch_is_submitted_or_none(kimi: LocalKimi) -> None:
    with pytest.raises(ConfigError, match="4 requests make 2 batches on moonshot"):
        limited(kimi, lines=3).batches.submit(CODES)
    assert kimi.requests == []


def test_progress_is_told(kimi: LocalKimi, run: Callable[..., Any]) -> None:
    kimi.batches.pace = 2
    kimi.script_line("input-0", status=500)
    seen: list[Any] = []
    run(progress=seen.append)
    assert [(one.total, one.completed, one.failed) for one in seen] == [
        (4, 0, 0),
        (4, 1, 1),
        (4, 3, 1),
        (4, 3, 1),
    ]


def test_a_bar_is_shown_on_a_terminal_alone(
    kimi: LocalKimi, run: Callable[..., Any], capfd: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    run(CODES, progress=True)
    assert capfd.readouterr() == ("", "")
    monkeypatch.setattr("sys.stderr.isatty", lambda: True)
    run(CODES, progress=True)
    assert "4/4" in capfd.readouterr().err


def test_a_look_that_fails_is_made_again(kimi: LocalKimi, run: Callable[..., Any]) -> None:
    kimi.batches.by_itself = False

    faults = [2, 0, 0, 19, 0]

    def look(progress: Any) -> None:
        (batch,) = kimi.batches.all()
        if not kimi.script.elsewhere.get(f"/v1/batches/{batch.id}"):
            kimi.step_batches()
            kimi.fail(faults.pop(0), status=503, type="server_unavailable", path=f"/v1/batches/{batch.id}")

    assert texts(run(progress=look)) == ANSWERS


def test_a_host_that_cannot_be_asked_any_more_names_the_batch_that_goes_on(
    kimi: LocalKimi, run: Callable[..., Any], tmp_path: Path
) -> None:
    def look(progress: Any) -> None:
        (batch,) = kimi.batches.all()
        kimi.fail(status=503, type="server_unavailable", path=f"/v1/batches/{batch.id}")

    with pytest.raises(InternalServerError) as caught:
        run(progress=look, state=tmp_path / "state.json")
    (batch,) = kimi.batches.all()
    assert caught.value.__notes__ == [f"Batches that go on: {batch.id}. See `KimiClient.batches`."]
    kimi.script.clear()
    assert texts(run(state=tmp_path / "state.json")) == ANSWERS
    assert created(kimi) == 1


def test_pauses_grow_up_to_the_one_that_is_given(
    kimi: LocalKimi, run: Callable[..., Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    kimi.batches.pace = 1
    pauses: list[float] = []
    monkeypatch.setattr("kimi_core.transport.drivers._pause", pauses.append)
    run([code(n) for n in range(5)], poll_interval=10)
    assert pauses[:4] == [5, 7.5, 10, 10]


def test_a_batch_is_not_created_twice_when_the_answer_is_lost(
    kimi: LocalKimi, run: Callable[..., Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    from kimi_core.client.batch_run import Transport

    monkeypatch.setattr("kimi_core.transport.drivers._pause", lambda seconds: None)
    send, lost = Transport.send, [True]

    async def lose_one(self: Any, wire: Any, *args: Any) -> Any:
        answer = await send(self, wire, *args)
        if wire.path == "/batches" and lost.pop(0) if lost else False:
            raise InternalServerError("The answer was lost.")
        return answer

    monkeypatch.setattr(Transport, "send", lose_one)
    client = KimiClient(base_url=kimi.base_url, api_key=kimi.api_key, max_retries=2)
    assert texts(run(CODES, client)) == ANSWERS
    assert created(kimi) == 1


def test_a_batch_that_fails_says_why(kimi: LocalKimi, run: Callable[..., Any]) -> None:
    kimi.batches.refusal = "The account is not open to batches"
    outcomes = run()
    assert all(isinstance(one, BatchError) for one in outcomes)
    assert "failed as a whole: The account is not open to batches." in str(outcomes[0])
    assert outcomes[0].is_retryable


# --------------------------------------------------------------------------------------------------- the state


def expire(kimi: LocalKimi) -> Callable[[Any], None]:
    def watch(progress: Any) -> None:
        if progress.completed:
            kimi.batches.later = 8 * 24 * 3600

    return watch


def test_what_expired_is_asked_again_by_the_same_call(kimi: LocalKimi, run: Callable[..., Any], tmp_path: Path) -> None:
    state = tmp_path / "state.json"
    kimi.batches.pace = 2
    first = run(state=state, progress=expire(kimi))
    assert texts(first)[:2] == ANSWERS[:2]
    assert all(isinstance(one, BatchError) and one.batch_status == "expired" for one in first[2:])
    assert "which expired (its completion_window was over)" in str(first[2])
    assert texts(run(state=state)) == ANSWERS
    assert [len(batch.requests) for batch in kimi.batches.all()] == [2, 4]
    asked = len(kimi.requests)
    assert texts(run(state=state)) == ANSWERS
    assert {one.method for one in kimi.requests[asked:]} == {"GET"}


def test_what_was_cancelled_is_asked_again_by_the_same_call(
    kimi: LocalKimi, run: Callable[..., Any], tmp_path: Path
) -> None:
    def watch(progress: Any) -> None:
        (batch,) = kimi.batches.all()
        if progress.completed and batch.status == "in_progress":
            kimi.batches.cancel(batch.id)

    state = tmp_path / "state.json"
    kimi.batches.pace = 3
    first = run(state=state, progress=watch)
    assert texts(first)[:3] == ANSWERS[:3]
    assert isinstance(first[3], BatchError)
    assert texts(run(state=state)) == ANSWERS


def test_an_error_that_stays_is_not_asked_again(kimi: LocalKimi, run: Callable[..., Any], tmp_path: Path) -> None:
    state = tmp_path / "state.json"
    kimi.script_line("input-0", status=400, type="content_filter")
    kimi.script_line("input-1", status=429)
    for expected in ([BadRequestError, RateLimitError], [BadRequestError, str]):
        outcomes = [getattr(one, "text", one) for one in run(state=state)]
        assert all(isinstance(one, kind) for one, kind in zip(outcomes, expected, strict=False))
    assert [len(batch.requests) for batch in kimi.batches.all()] == [1, 4]


def test_an_answer_is_counted_once(
    kimi: LocalKimi, run: Callable[..., Any], tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.INFO, "kimi_core.usage")
    for _ in range(2):
        run(state=tmp_path / "state.json")
    assert len(caplog.records) == 4


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda run, state, kimi: run(CODES[:3], state=state), "its number of inputs is 4, not 3"),
        (lambda run, state, kimi: run([*CODES[:3], code(1)], state=state), "its inputs or options are not the same"),
        (
            lambda run, state, kimi: run(
                CODES, KimiClient(host="moonshot-cn", base_url=kimi.base_url, api_key="k"), state=state
            ),
            "its host is 'moonshot', not 'moonshot-cn'",
        ),
    ],
)
def test_the_state_of_another_call_is_refused(
    kimi: LocalKimi, run: Callable[..., Any], tmp_path: Path, change: Any, message: str
) -> None:
    state = tmp_path / "state.json"
    run(state=state)
    kimi.log.entries.clear()
    with pytest.raises(ConfigError, match=message):
        change(run, state, kimi)
    assert kimi.requests == []


@pytest.mark.parametrize(
    ("other", "same"),
    [
        (ask("x", max_tokens=None), True),
        (Request(messages=[Message("user", "x", tool_calls=())], model="kimi-k2.6", tools=()), True),
        (ask("x", max_tokens=5), False),
        (ask("y"), False),
        (Request(messages=[Message("user", "x")], model="kimi-k2.5"), False),
        (ask("x", thinking=Thinking(enabled=False)), False),
    ],
)
def test_requests_are_told_apart_by_what_is_given(other: Request, same: bool) -> None:
    assert (fingerprint([other]) == fingerprint([ask("x")])) is same
    assert fingerprint([ask("x")] * 2) != fingerprint([ask("x")])


@pytest.mark.parametrize("content", ["{}", "[]", '{"version": 1}', "\0", "[" * 100_000])
def test_a_file_that_is_no_state_is_refused(
    kimi: LocalKimi, run: Callable[..., Any], tmp_path: Path, content: str
) -> None:
    state = tmp_path / "state.json"
    state.write_text(content)
    with pytest.raises(ConfigError, match="is no file of a batch's state"):
        run(state=state)
    assert state.read_text() == content
    assert kimi.requests == []


def test_an_empty_file_is_what_a_death_before_the_first_step_leaves(run: Callable[..., Any], tmp_path: Path) -> None:
    state = tmp_path / "state.json"
    state.touch()
    run(state=state)
    assert json.loads(state.read_text())["version"] == 1


def test_a_state_that_cannot_be_written_is_said_before_anything_is_submitted(
    kimi: LocalKimi, run: Callable[..., Any], tmp_path: Path
) -> None:
    with pytest.raises(ConfigError, match="cannot be written"):
        run(state=tmp_path / "nowhere" / "state.json")
    assert kimi.requests == []


def test_no_key_is_in_the_state_nor_in_errors_nor_in_what_is_shown(
    run: Callable[..., Any], tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.DEBUG, "kimi_core")  # the SDK itself shows headers in its own log
    with LocalKimi(api_key=CANARY) as kimi:
        client = KimiClient(base_url=kimi.base_url, api_key=CANARY, default_headers={"x-job": CANARY})
        kimi.script_line("input-0", status=400, type="invalid_request_error", message=f"key {CANARY} is wrong")
        kimi.script_line("input-1", status=None, type="internal", message=f"key {CANARY} is wrong")
        kimi.batches.refusal = ""
        outcomes = run(CODES, client, state=tmp_path / "state.json")
        kimi.batches.refusal = f"key {CANARY} is wrong"
        outcomes += run(CODES, client)
        held = [str(vars(one)) + str(one) for one in outcomes if isinstance(one, Exception)]
    assert len(held) == 6
    shown = [*held, (tmp_path / "state.json").read_text(), caplog.text, repr(client.batches)]
    assert [one[max(0, one.find(CANARY) - 300) : one.find(CANARY) + 50] for one in shown if CANARY in one] == []
    assert [path.name for path in tmp_path.iterdir()] == ["state.json"]
