"""A canary key: it is in no repr, text, error, log, dict, trace or accidental pickle."""

from __future__ import annotations

import base64
import copy
import io
import json
import logging
import pickle
import traceback
from collections.abc import Callable, Iterator
from typing import Any
from urllib.parse import quote

import pytest
from drivers import DRIVERS, INVOKED, Driver, in_every_mode
from file_server import FileServer
from langchain_core.load import dumps
from langchain_core.tracers.run_collector import RunCollectorCallbackHandler
from pydantic import SecretStr
from rich import inspect
from rich.console import Console

from kimi_adapters.local_server import LocalKimi
from kimi_core import (
    Address,
    APIError,
    ConfigError,
    HostSpec,
    KimiClient,
    Message,
    MissingKeyError,
    Options,
    Request,
    make_settings,
)
from kimi_core.transport.clients import library

CANARY = "sk-canary-9f3b1c77e5d24a60"
HEADER = "Bearer-canary-4c1d"


@pytest.fixture(params=INVOKED, ids=[d.framework for d in INVOKED])
def framework(request: pytest.FixtureRequest) -> Driver:
    return request.param


def make(framework: Driver, **more: Any) -> Any:
    return framework.make(api_key=CANARY, default_headers={"X-Gateway-Token": HEADER}, **more)


def deep(value: Any, seen: set[int] | None = None) -> str:
    """Everything that can be read off an object by its attributes, as one text."""
    seen = seen if seen is not None else set()
    if id(value) in seen or isinstance(value, type):
        return ""
    seen.add(id(value))
    if isinstance(value, dict):
        return " ".join(deep(v, seen) for pair in value.items() for v in pair)
    if isinstance(value, list | tuple | set):
        return " ".join(deep(v, seen) for v in value)
    return repr(value) + " " + deep(getattr(value, "__dict__", {}), seen)


@pytest.mark.parametrize(
    "words",
    [
        {"api_key": [CANARY]},
        {"api_key": CANARY.encode()},
        {"api_key": lambda: CANARY},
        {"default_headers": [("Authorization", CANARY)]},
        {"extra_headers": [("Authorization", CANARY)]},
        {"extra_headers": CANARY},
    ],
)
def test_what_is_no_key_and_no_headers_is_not_quoted(framework: Driver, words: dict[str, Any]) -> None:
    """A clear error, and nothing of what was given: it is a secret in another form."""
    with pytest.raises(ValueError, match="api_key|eaders") as raised:
        framework.make(**{"api_key": "k", **words})
    assert CANARY not in "".join(traceback.format_exception(raised.value))


@pytest.mark.parametrize("word", ["api_key", "default_headers"])
def test_not_in_the_error_when_a_frozen_field_is_set(framework: Driver, word: str) -> None:
    model = framework.make(api_key="k")
    with pytest.raises(ConfigError, match=f"{word} is frozen") as raised:
        setattr(model, word, CANARY if word == "api_key" else {"X-Gateway-Token": CANARY})
    assert CANARY not in "".join(traceback.format_exception(raised.value))


def test_not_in_repr_str_or_dicts(framework: Driver) -> None:
    model = make(framework)
    dumped = model.model_dump()
    texts = [repr(model), str(model), f"{model!r}", repr(dumped), json.dumps(dumped, default=str)]
    texts += [model.to_json() if framework.framework == "llama_index" else dumps(model)]
    if framework.framework == "llama_index":
        texts += [json.dumps(model.to_dict(), default=str), json.dumps(model.to_payload(), default=str)]
    else:
        texts += [str(model._identifying_params), str(model.asdict()), str(model._get_ls_params())]
    for text in texts:
        assert CANARY not in str(text)
        assert HEADER not in str(text)


def test_not_in_the_clients_repr() -> None:
    client = KimiClient(api_key=CANARY, default_headers={"X-Gateway-Token": HEADER})
    for text in (repr(client), repr(client.settings), repr(vars(client))):
        assert CANARY not in text
        assert HEADER not in text


ECHO = f"Incorrect API key provided: {CANARY}"
HOW: dict[str, Any] = {
    "refused": {"json": {"error": {"message": ECHO, "type": "invalid_authentication_error"}}, "status": 401},
    "refused with it everywhere": {
        "json": {"error": {"message": "m", "code": CANARY, "param": CANARY, "type": CANARY, CANARY: 1}},
        "status": 401,
    },
    "refused with a page": {"raw": f"<html>{CANARY}</html>".encode(), "content_type": "text/html", "status": 502},
    "a page": {"raw": f"<html>{CANARY}</html>".encode(), "content_type": "text/html"},
    "an error in the body": {"json": {"error": {"message": ECHO}}},
    "an error in the stream": {"sse": [{"error": {"message": ECHO}}]},
    "a frame that is not JSON": {"sse": [f"data: {{{CANARY}\n\n"]},
}
NOWHERE = {"unreachable": "http://127.0.0.1:9/v1", "a name that cannot be looked up": f"http://{'a' * 64}.test/v1"}


@in_every_mode
@pytest.mark.parametrize("how", [*HOW, *NOWHERE])
def test_not_in_errors_or_what_hangs_on_them(driver: Driver, how: str) -> None:
    with LocalKimi(api_key=CANARY) as kimi:
        base_url = kimi.base_url
        if how in NOWHERE:
            base_url = NOWHERE[how]
        else:
            kimi.enqueue(**HOW[how])
        with pytest.raises(APIError) as caught:
            driver.ask(driver.make(api_key=CANARY, base_url=base_url, max_retries=0, host="moonshot"), "Hello")
    error = caught.value
    said = "".join(traceback.format_exception(error))
    for text in (str(error), repr(error), said, deep(error), str(pickle.dumps(error))):
        assert CANARY not in text


def test_errors_survive_pickling(kimi: LocalKimi) -> None:
    client = KimiClient(host="moonshot", base_url=kimi.base_url, api_key=CANARY)
    with pytest.raises(APIError) as caught:
        client.models()
    again = pickle.loads(pickle.dumps(caught.value))
    assert type(again) is type(caught.value)
    assert (str(again), again.status_code, again.host) == (str(caught.value), 401, "moonshot")


def test_not_in_logs(framework: Driver, kimi: LocalKimi, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.DEBUG)
    with pytest.raises(APIError):
        framework.ask(make(framework, base_url=kimi.base_url), "Hello")
    assert CANARY not in caplog.text
    assert caplog.text, "there was something to leak into"


def test_not_in_langchains_traces(kimi: LocalKimi) -> None:
    model = make(INVOKED[0], base_url=kimi.base_url)
    runs = RunCollectorCallbackHandler()
    with pytest.raises(APIError):
        model.invoke("Hello", config={"callbacks": [runs]})
    assert runs.traced_runs
    text = " ".join(str(run.model_dump() if hasattr(run, "model_dump") else run.dict()) for run in runs.traced_runs)
    assert CANARY not in text
    assert HEADER not in text


@pytest.mark.parametrize("mode", ["invoke", "stream"])
def test_a_key_for_one_call_is_not_in_langchains_traces(kimi: LocalKimi, mode: str) -> None:
    model = INVOKED[0].make(base_url=kimi.base_url, host="moonshot", api_key="")
    runs = RunCollectorCallbackHandler()
    call = {"api_key": kimi.api_key, "default_headers": {"X-Gateway-Token": HEADER}, "config": {"callbacks": [runs]}}
    result = getattr(model, mode)("Hello", **call)
    assert result if mode == "invoke" else list(result)
    text = " ".join(str(run.model_dump() if hasattr(run, "model_dump") else run.dict()) for run in runs.traced_runs)
    assert "Hello" in text
    assert kimi.api_key not in text
    assert HEADER not in text


def test_a_key_of_the_environment_is_not_pickled_but_read_again(
    framework: Driver, monkeypatch: pytest.MonkeyPatch, kimi: LocalKimi
) -> None:
    monkeypatch.setenv("MOONSHOT_API_KEY", CANARY)
    pickled = pickle.dumps(framework.make(host="moonshot", base_url=kimi.base_url))
    assert CANARY.encode() not in pickled
    monkeypatch.setenv("MOONSHOT_API_KEY", kimi.api_key)
    assert framework.ask(pickle.loads(pickled), "Hello").text


def test_a_key_of_the_environment_is_not_sent_to_an_unknown_address(
    driver: Driver, kimi: LocalKimi, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("MOONSHOT_API_KEY", kimi.api_key)
    unsure = "only when you give the host too, for instance host='moonshot'"
    with pytest.raises(MissingKeyError, match=unsure):
        driver.make(base_url=kimi.base_url)
    model = driver.make(base_url=kimi.base_url, api_key="")
    for keyless in (model, pickle.loads(pickle.dumps(model))):
        with pytest.raises(MissingKeyError, match=unsure):
            driver.ask(keyless, "Hello")
    assert kimi.requests == []
    assert driver.ask(driver.make(host="moonshot", base_url=kimi.base_url), "Hello").text


def test_an_address_of_another_known_host_is_refused(framework: Driver) -> None:
    with pytest.raises(ValueError, match="use host='moonshot-cn'"):
        framework.make(host="moonshot", base_url="https://api.moonshot.cn/v1", api_key=CANARY)


def test_a_key_that_was_given_travels_with_a_model_that_is_pickled_on_purpose(
    framework: Driver, kimi: LocalKimi
) -> None:
    model = framework.make(base_url=kimi.base_url, api_key=kimi.api_key)
    framework.ask(model, "Hello")
    assert framework.ask(pickle.loads(pickle.dumps(model)), "Hello").text
    assert framework.ask(copy.deepcopy(model), "Hello").text


@in_every_mode
def test_a_key_is_never_taken_to_another_host(driver: Driver, kimi: LocalKimi, aimlapi: LocalKimi) -> None:
    model = driver.make(api_key=CANARY, base_url=kimi.base_url)
    with pytest.raises(ValueError, match="No API key for AI/ML API"):
        driver.ask(model, "Hello", host="aimlapi", base_url=aimlapi.base_url)
    assert aimlapi.requests == []


def test_a_key_is_never_taken_to_a_known_address_of_another_host(driver: Driver, kimi: LocalKimi) -> None:
    model = driver.make(api_key=CANARY, base_url=kimi.base_url)
    with pytest.raises(ValueError, match="No API key for AI/ML API"):
        driver.ask(model, "Hello", base_url="https://api.aimlapi.com/v1")


@pytest.mark.parametrize("key", ["sk-canary-1\u00e9", "sk-canary-\n1"])
def test_a_key_that_cannot_be_sent_raises_without_being_quoted(framework: Driver, kimi: LocalKimi, key: str) -> None:
    with pytest.raises(ValueError, match="characters that cannot be sent") as caught:
        framework.make(base_url=kimi.base_url, api_key=key)
    assert "canary" not in repr(caught.value)


def test_white_space_around_a_key_is_no_part_of_it(driver: Driver, kimi: LocalKimi) -> None:
    assert driver.ask(driver.make(base_url=kimi.base_url, api_key=f" {kimi.api_key}\n"), "Hello").text


def test_a_header_that_cannot_be_sent_raises_without_being_quoted(driver: Driver, kimi: LocalKimi) -> None:
    model = driver.make(base_url=kimi.base_url, api_key=kimi.api_key)
    for word in ("default_headers", "extra_headers"):
        with pytest.raises(ValueError, match="'X-Token' has characters") as caught:
            driver.ask(model, "Hello", **{word: {"X-Token": "canary\u00e9"}})
        assert "canary" not in repr(caught.value)


def test_headers_of_a_model_do_not_go_to_another_host(driver: Driver, kimi: LocalKimi, aimlapi: LocalKimi) -> None:
    model = driver.make(base_url=kimi.base_url, api_key=kimi.api_key, extra_headers={"X-Gateway": HEADER})
    there = {"host": "aimlapi", "base_url": aimlapi.base_url, "api_key": aimlapi.api_key}
    driver.ask(model, "Hello", **there, extra_headers={"X-Own": "own"})
    driver.ask(model.model_copy(update=there), "Hello")
    driver.ask(model.model_copy(update={"max_tokens": 500}), "Hello", timeout=20)
    assert "x-gateway" not in aimlapi.requests[0].headers
    assert aimlapi.requests[0].headers["x-own"] == "own"
    assert "x-gateway" not in aimlapi.requests[1].headers
    assert "x-gateway" in kimi.requests[-1].headers


def test_a_password_in_an_address_raises_without_being_quoted(framework: Driver) -> None:
    with pytest.raises(ValueError, match="user name or a password") as caught:
        framework.make(base_url="http://me:canary@127.0.0.1:9/v1", api_key="sk-x")
    assert "canary" not in repr(caught.value)


def test_a_key_of_the_environment_is_not_sent_over_plain_http(
    framework: Driver, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("MOONSHOT_API_KEY", CANARY)
    with pytest.raises(MissingKeyError, match="only when you give the host too"):
        framework.make(base_url="http://api.moonshot.ai/v1")


# ------------------------------------------------------------------------------------- what a host sends back

TOKEN = "gw-canary/7d+41c9=e5b0"
CALL = "canary-of-one-call-83"
PAIR = base64.b64encode(b"me:pass-canary-55").decode()
SAID: dict[str, Callable[[str], str]] = {
    "as it is": lambda secret: secret,
    "as a bearer token": lambda secret: f"Bearer {secret}",
    "in capitals": str.upper,
    "percent-encoded": lambda secret: quote(secret, safe=""),
    "percent-encoded twice": lambda secret: quote(quote(secret, safe=""), safe=""),
    "percent-encoded throughout": lambda secret: "".join(f"%{ord(c):02x}" for c in secret),
    "in base64": lambda secret: base64.b64encode(secret.encode()).decode(),
    "in base64 with a name": lambda secret: base64.b64encode(f"user:{secret}".encode()).decode(),
    "in base64 for addresses": lambda secret: base64.urlsafe_b64encode(f"u:{secret}?".encode()).decode(),
    "in hex": lambda secret: secret.encode().hex(),
    "as JSON in a text": lambda secret: json.dumps(json.dumps(secret)),
    "with escaped slashes": lambda secret: secret.replace("/", "\\/"),
    "as escapes": lambda secret: "".join(f"\\u{ord(c):04x}" for c in secret),
    "on a page": lambda secret: "".join(f"&#{ord(c)};" for c in secret),
    "cut": lambda secret: secret[:15],
}


SECRETS = (CANARY, TOKEN, CALL, "pass-canary-55")


@pytest.fixture(scope="module")
def _guarded() -> Iterator[LocalKimi]:
    with LocalKimi(api_key=CANARY) as kimi:
        yield kimi


@pytest.fixture
def guarded(_guarded: LocalKimi) -> LocalKimi:
    """A local server with the canary for its key."""
    _guarded.reset()
    return _guarded


def echoing(said: str) -> dict[str, Any]:
    """An error that has a text wherever a host could put one."""
    error = {"message": f"No: {said}.", "type": said, "code": said, "param": said, said: [said]}
    return {"status": 400, "json": {"error": error}, "headers": {"x-request-id": said, "x-echo": said}}


@pytest.mark.parametrize("how", SAID)
def test_nothing_that_a_host_echoes_hangs_on_an_error(framework: Driver, guarded: LocalKimi, how: str) -> None:
    said = [SAID[how](secret) for secret in SECRETS]
    guarded.enqueue(**echoing(" and ".join(said)), unchecked=True)
    headers = {"X-Gateway-Token": TOKEN, "Proxy-Authorization": f"Basic {PAIR}"}
    model = make(framework, base_url=guarded.base_url, host="moonshot").model_copy(update={"default_headers": headers})
    with pytest.raises(APIError) as caught:
        framework.ask(model, "Hello", extra_headers={"X-Call": f"Token {CALL}"})
    error = caught.value
    response: Any = error.response  # type: ignore[attr-defined]
    texts = [str(error), repr(error), deep(error), repr(pickle.loads(pickle.dumps(error)).__dict__), response.text]
    texts += [repr(pickle.dumps(error)), str(error.request_id), *response.headers.values()]
    for text in texts:
        for secret in (*said, *SECRETS):
            assert secret.lower() not in text.lower()
    assert "[redacted]" in str(error)


def test_nothing_of_the_sdk_hangs_on_an_error(driver: Driver, kimi: LocalKimi) -> None:
    """Neither its error, whose request has the key in its headers, nor the frames that held it."""
    with pytest.raises(APIError) as caught:
        driver.ask(driver.make(api_key=CANARY, base_url=kimi.base_url, host="moonshot", max_retries=0), "Hello")
    error: BaseException | None = caught.value
    assert error is not None
    assert (error.__cause__, error.__context__) == (None, None)
    frames = [frame for frame, _ in traceback.walk_tb(error.__traceback__)]
    assert all("openai" not in frame.f_globals["__name__"] for frame in frames)
    for frame in frames:
        if frame.f_globals["__name__"].startswith(("kimi_core", "langchain_kimi", "llama_index_kimi")):
            assert CANARY not in repr(frame.f_locals)


@in_every_mode
def test_not_in_the_frames_of_an_error_of_the_users_own_client(driver: Driver, kimi: LocalKimi) -> None:
    """Tools that report a traceback, and rich, show what its frames hold."""

    def broken(request: Any) -> Any:
        raise RuntimeError("This transport is broken.")

    async def broken_too(request: Any) -> Any:
        broken(request)

    own = {
        "http_client": library().Client(transport=library().MockTransport(broken)),
        "http_async_client": library().AsyncClient(transport=library().MockTransport(broken_too)),
    }
    model = driver.make(api_key=CANARY, base_url=kimi.base_url, default_headers={"X-Gateway-Token": HEADER}, **own)
    with pytest.raises(RuntimeError, match="is broken") as caught:
        driver.ask(model, "Hello")
    held = [repr(frame.f_locals) for frame, _ in traceback.walk_tb(caught.value.__traceback__)]
    assert len(held) > 10, "the frames of the call are there"
    assert not [text for text in held if CANARY in text or HEADER in text]


def test_what_is_no_secret_stays_in_an_error(framework: Driver, kimi: LocalKimi) -> None:
    kimi.enqueue(**echoing("application/json of my application on moonshot, 12345 on"), unchecked=True)
    headers = {"Content-Type": "application/json", "X-Title": "my application", "X-On": "on", "X-Team": "12345"}
    with pytest.raises(APIError, match="application/json of my application on moonshot, 12345 on"):
        framework.ask(
            framework.make(base_url=kimi.base_url, host="moonshot", api_key=kimi.api_key, default_headers=headers),
            "Hello",
        )


def test_not_in_what_had_come_of_a_broken_stream(guarded: LocalKimi) -> None:
    frame = {"id": CANARY, "choices": [{"index": 0, "delta": {"content": f"You sent {HEADER}."}}]}
    guarded.enqueue(sse=[frame], cut=True, unchecked=True)
    driver = next(d for d in DRIVERS if d.mode == "stream")
    model = make(driver, base_url=guarded.base_url, host="moonshot")
    with pytest.raises(APIError) as caught:
        driver.ask(model, "Hello")
    assert caught.value.partial is not None
    assert caught.value.partial.text == "You sent [redacted]."
    assert CANARY not in deep(caught.value) + str(pickle.dumps(caught.value))


@pytest.mark.parametrize("said", [CANARY, quote(f"Bearer {CANARY}"), base64.b64encode(CANARY.encode()).decode()])
def test_not_in_the_metadata_of_an_answer(driver: Driver, guarded: LocalKimi, said: str) -> None:
    """Its text is the model's and stays as it is."""
    delta = {"role": "assistant", "content": f"It is {HEADER}."}
    choice = {"index": 0, "finish_reason": "stop", "message": delta, "delta": delta}
    body = {"id": said, "model": said, "system_fingerprint": said, "choices": [choice]}
    headers = {"x-request-id": said, "x-echo": HEADER}
    if driver.streams:
        guarded.enqueue(sse=[body], headers=headers, unchecked=True)
    else:
        guarded.enqueue(json=body, headers=headers, unchecked=True)
    shown = {"include_response_headers": True} if driver.framework == "langchain" else {}
    answer = driver.ask(make(driver, base_url=guarded.base_url, host="moonshot", **shown), "Hello")
    assert answer.text == f"It is {HEADER}."
    metadata = deep(getattr(answer.native, "response_metadata", None) or answer.native.raw)
    assert said not in metadata.replace(answer.text, "")
    assert HEADER not in metadata.replace(answer.text, "")


def test_headers_are_read_in_any_case_although_a_host_echoes_the_key_beside_them(guarded: LocalKimi) -> None:
    delta = {"role": "assistant", "content": "Hi."}
    body = {"id": CANARY, "choices": [{"index": 0, "finish_reason": "stop", "message": delta}]}
    guarded.enqueue(json=body, headers={"X-Sign": "\u00e9"})
    client = KimiClient(base_url=guarded.base_url, host="moonshot", api_key=CANARY)
    response = client.complete(QUESTION)
    assert response.id == "[redacted]"
    assert response.headers["Content-Type"] == response.headers["content-type"]


SERVICES: dict[str, tuple[str, Callable[[Any], Any]]] = {
    "models": ("/v1/models", lambda client: client.models()),
    "balance": ("/v1/users/me/balance", lambda client: client.balance()),
    "list": ("/v1/files", lambda client: client.files.list()),
    "retrieve": ("/v1/files/f1", lambda client: client.files.retrieve("f1")),
    "upload": ("/v1/files", lambda client: client.files.upload(b"a", purpose="file-extract", filename="a.txt")),
    "search": ("/v1/search", lambda client: client.search("kimi")),
    "formula": ("/v1/formulas/a/b:c/tools", lambda client: client.formula_tools("a/b:c")),
    "run": ("/v1/formulas/a/b:c/fibers", lambda client: client.run_formula("a/b:c", "f", {})),
    "count": ("/v1/tokenizers/estimate-token-count", lambda client: client.count_tokens(QUESTION)),
}
QUESTION = Request(messages=[Message("user", "Hello")], model="kimi-k2.6")


@pytest.mark.parametrize("status", [200, 400])
@pytest.mark.parametrize("what", SERVICES)
def test_not_in_what_comes_of_other_calls(what: str, status: int) -> None:
    path, ask = SERVICES[what]
    echo = {"error": {"message": CANARY}, "data": [{"id": CANARY, "bytes": HEADER}], "id": CANARY, HEADER: CANARY}
    with FileServer() as server:
        data = json.dumps(echo).encode()
        server.add(path, data, status=status, headers={"Content-Type": "application/json", "x-request-id": CANARY})
        client = KimiClient(
            host="moonshot",
            base_url=server.url("/v1"),
            api_key=CANARY,
            max_retries=0,
            default_headers={"X-Gateway-Token": HEADER},
        )
        try:
            found = deep(ask(client))
        except Exception as error:
            found = deep(error) + str(pickle.dumps(error)) + "".join(traceback.format_exception(error))
        assert server.requests
    assert CANARY not in found
    assert HEADER not in found


# ----------------------------------------------------------------------------------------- what is kept hidden


def secretive(framework: Driver) -> Any:
    there = {"host": "aimlapi", "api_key": CANARY, "default_headers": {"X-There": CANARY}}
    return framework.make(
        host="moonshot",
        api_key=CANARY,
        default_headers={"X-Gateway-Token": CANARY},
        extra_headers={"X-More": SecretStr(CANARY)},
        overrides={"address.headers": {"X-Fact": CANARY}},
        fallback_hosts=[{**there, "overrides": {"address.headers": {"X-Fact": CANARY}}}],
    )


def test_nothing_secret_is_seen_by_looking_into_a_model(framework: Driver) -> None:
    model = secretive(framework)
    console = Console(file=io.StringIO(), width=200)
    inspect(model, console=console, private=True)
    client = model._client
    inspect(client.settings, console=console, private=True)
    texts = [repr(vars(model)), repr(model.fallback_hosts), repr(client.settings), repr(vars(client))]
    texts += [repr(model.model_dump()), console.file.getvalue()]  # type: ignore[attr-defined]
    for text in texts:
        assert CANARY not in text


def test_hidden_headers_are_sent(framework: Driver, kimi: LocalKimi) -> None:
    given = {"base_url": kimi.base_url, "host": "moonshot", "api_key": kimi.api_key}
    headers = {"default_headers": {"X-One": "1"}, "extra_headers": {"x-two": SecretStr("2")}}
    model = framework.make(**given, **headers, overrides={"address.headers": {"X-Three": "3", "X-One": "0"}})
    for one in (model, pickle.loads(pickle.dumps(model)), model.model_copy(update={"max_tokens": 900})):
        framework.ask(one, "Hello", extra_headers={"X-TWO": "4"})
        sent = kimi.requests[-1].headers
        assert (sent["x-one"], sent["x-two"], sent["x-three"]) == ("1", "4", "3")


def test_headers_that_are_set_later_are_hidden_and_sent(framework: Driver, kimi: LocalKimi) -> None:
    model = framework.make(base_url=kimi.base_url, host="moonshot", api_key=kimi.api_key)
    model.extra_headers = {"X-Token": HEADER}
    copied = model.model_copy(update={"extra_headers": {"X-Token": HEADER}})
    for one in (model, copied):
        assert HEADER not in repr(vars(one))
        framework.ask(one, "Hello")
        assert kimi.requests[-1].headers["x-token"] == HEADER


def test_a_spec_of_ones_own_hides_its_headers() -> None:
    spec = HostSpec(
        name="mine", title="Mine", address=Address(base_url="https://a.example/v1", headers={"X-Token": CANARY})
    )
    settings = make_settings(host=spec, api_key=CANARY)
    for text in (repr(spec), repr(settings), repr(Options(extra_headers={"X-Token": CANARY}))):
        assert CANARY not in text


MISNAMED: list[dict[str, Any]] = [
    {"openai_api_key": CANARY},
    {"headers": {"X-Token": CANARY}},
    {"model_kwargs": {"api_key": CANARY, "extra_headers": {"X-Token": CANARY}}},
    {"client_kwargs": {"moonshot_api_key": CANARY}},
    {"overrides": {"headers": {"X-Token": CANARY}}},
    {"overrides": {"address": {"headers": {"X-Token": CANARY}}}},
    {"host": {"name": "own", "title": "Own", "address": {"headers": {"X-Token": CANARY}}}},
]


@pytest.mark.parametrize("mode", ["invoke", "stream"])
@pytest.mark.parametrize("call", MISNAMED, ids=lambda call: next(iter(call)))
def test_a_secret_under_a_name_that_is_an_error_is_in_no_trace(
    kimi: LocalKimi, mode: str, call: dict[str, Any]
) -> None:
    model, runs = INVOKED[0].make(base_url=kimi.base_url, api_key=kimi.api_key), RunCollectorCallbackHandler()
    bound = model.bind(**call)
    for asked, options in ((model, call), (bound, {})):
        with pytest.raises(ConfigError, match="There is no (option|fact)"):
            list(getattr(asked, mode)("Hello", config={"callbacks": [runs]}, **options))
    seen = [str(run.model_dump() if hasattr(run, "model_dump") else run.dict()) for run in runs.traced_runs]
    assert len(seen) == 2
    for text in (*seen, repr(bound), dumps(bound)):
        assert CANARY not in text


def headed(kimi: LocalKimi) -> list[dict[str, Any]]:
    """Facts with a header in them, as a call is given them: of the host, and about it."""
    return [
        {"overrides": {"address.headers": {"X-Token": HEADER}}},
        {
            "host": HostSpec(
                name="own", title="Own", address=Address(base_url=kimi.base_url, headers={"X-Token": HEADER})
            )
        },
        {
            "host": {
                "name": "own",
                "title": "Own",
                "address.base_url": kimi.base_url,
                "address.headers": {"X-Token": HEADER},
            }
        },
    ]


@pytest.mark.parametrize("mode", ["invoke", "stream"])
@pytest.mark.parametrize("at", [0, 1, 2], ids=["overrides", "spec", "mapping"])
def test_headers_in_the_facts_of_a_call_are_hidden_and_sent(kimi: LocalKimi, mode: str, at: int) -> None:
    model, runs = INVOKED[0].make(base_url=kimi.base_url, api_key=kimi.api_key), RunCollectorCallbackHandler()
    call = {**headed(kimi)[at], "api_key": kimi.api_key}
    bound = model.bind(**call)
    for asked, options in ((model, call), (bound, {})):
        result = getattr(asked, mode)("Hello", config={"callbacks": [runs]}, **options)
        assert result if mode == "invoke" else list(result)
        assert kimi.requests[-1].headers["x-token"] == HEADER
    runs_seen = [str(run.model_dump() if hasattr(run, "model_dump") else run.dict()) for run in runs.traced_runs]
    for text in (*runs_seen, repr(bound), str(vars(bound)), dumps(bound), model._get_llm_string(**call)):
        assert HEADER not in text


def test_what_is_bound_to_a_model_is_hidden_and_sent(kimi: LocalKimi) -> None:
    model = INVOKED[0].make(base_url=kimi.base_url, host="moonshot", api_key="sk-other")
    bound = model.bind_tools([]).bind(stop=["x"]).bind(api_key=kimi.api_key, extra_headers={"X-Token": HEADER})
    chain = bound.with_config(tags=["a"]) | (lambda message: message)
    for text in (repr(bound), str(vars(bound)), dumps(bound), repr(chain), dumps(chain)):
        assert kimi.api_key not in text
        assert HEADER not in text
    assert chain.invoke("Hello").text
    assert kimi.requests[-1].headers["x-token"] == HEADER
    assert json.loads(dumps(bound))["id"][-1] == "RunnableBinding"


# ---------------------------------------------------------------------------------- what cannot be sent at all


@pytest.mark.parametrize("word", ["default_headers", "extra_headers"])
@pytest.mark.parametrize(
    "name",
    [
        *("", "X-\u00e9", "X Token", "X-Token ", "X-Token\r\nX-Other", "X-Token:", "\u30ad\u30fc", "X\0", 7, None),
        *("Content-Length", "content-length", "Host", "Transfer-Encoding", "Connection", "TE", "Upgrade", "Expect"),
    ],
)
def test_a_header_with_a_name_that_cannot_be_sent_raises(framework: Driver, word: str, name: Any) -> None:
    with pytest.raises(ConfigError, match="header") as caught:
        framework.make(host="moonshot", api_key=CANARY, **{word: {name: "canary"}})
    assert "canary" not in str(caught.value)


@pytest.mark.parametrize("word", ["default_headers", "extra_headers"])
def test_a_header_of_a_call_is_looked_at_as_well(driver: Driver, kimi: LocalKimi, word: str) -> None:
    model = driver.make(base_url=kimi.base_url, api_key=kimi.api_key, host="moonshot")
    for headers in ({"Host": "a.example"}, {"X-\u00e9": "1"}, {"X-A": " 1"}, {"X-A": "1", "x-a": "2"}, {"X-A": 1}):
        with pytest.raises(ConfigError, match="header"):
            driver.ask(model, "Hello", **{word: headers})
    assert kimi.requests == []


def test_a_name_with_a_value_in_it_is_not_quoted(framework: Driver) -> None:
    with pytest.raises(ConfigError, match="begins with 'Authorization' has ':' in it") as caught:
        framework.make(host="moonshot", api_key=CANARY, default_headers={f"Authorization: Bearer {CANARY}": ""})
    assert CANARY not in str(caught.value)


def test_a_header_wins_over_another_spelling_of_its_name(framework: Driver, kimi: LocalKimi) -> None:
    model = framework.make(base_url=kimi.base_url, host="moonshot", api_key="sk-other")
    framework.ask(model, "Hello", default_headers={"authorization": f"Bearer {kimi.api_key}", "user-agent": "mine/1"})
    assert kimi.requests[-1].headers["user-agent"] == "mine/1"


@pytest.mark.parametrize("end", ["?key=canary", "#canary", "?", "?a=canary#b"])
def test_an_address_with_a_query_or_fragment_raises_without_quoting_it(
    framework: Driver, end: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    for given in ({"base_url": f"https://a.example/v1{end}"}, {"fallback_hosts": [{"base_url": f"https://a.b/{end}"}]}):
        with pytest.raises(ConfigError, match="query or fragment") as caught:
            framework.make(host="moonshot", api_key="sk-x", **given)
        assert "canary" not in str(caught.value)
    monkeypatch.setenv("MOONSHOT_BASE_URL", f"https://a.example/v1{end}")
    with pytest.raises(ConfigError, match="query or fragment"):
        framework.make(host="moonshot", api_key="sk-x")
