"""Moonshot's own tools: formulas, the search of the web, and the model's side of `$web_search`."""

from __future__ import annotations

import json

import pytest

FORMULAS = "/v1/formulas/moonshot"
SEARCH = "/v1/tools/search"
BUILTIN = {"type": "builtin_function", "function": {"name": "$web_search"}}


def run(client, formula, name, /, **arguments):
    body = {"name": name, "arguments": json.dumps(arguments)}
    return client.send("POST", f"{FORMULAS}/{formula}:latest/fibers", body)


@pytest.mark.parametrize(
    ("formula", "names"),
    [
        ("web-search", ["web_search"]),
        ("date", ["date"]),
        ("base64", ["base64_encode", "base64_decode"]),
        ("convert", ["convert"]),
        ("rethink", ["rethink"]),
        ("fetch", ["fetch"]),
    ],
)
def test_a_formula_declares_its_functions(moonshot, formula, names):
    body = moonshot.send("GET", f"{FORMULAS}/{formula}:latest/tools").json
    assert body["object"] == "list"
    assert [(tool["type"], tool["function"]["name"]) for tool in body["tools"]] == [("function", n) for n in names]


def test_the_declared_functions_are_taken_as_tools_of_a_chat(moonshot):
    for formula in ("web-search", "date", "base64", "convert", "rethink", "fetch"):
        tools = moonshot.send("GET", f"{FORMULAS}/{formula}:latest/tools").json["tools"]
        assert moonshot.chat(tools=tools).status == 200


def test_one_formula_declares_a_plugin(moonshot):
    (tool,) = moonshot.send("GET", f"{FORMULAS}/excel:latest/tools").json["tools"]
    assert tool["type"] == "_plugin"


@pytest.mark.parametrize("formula", ["quickjs", "code-runner", "nope"])
def test_a_formula_that_is_not_there_is_not_found(moonshot, formula):
    for reply in (moonshot.send("GET", f"{FORMULAS}/{formula}:latest/tools"), run(moonshot, formula, "run")):
        assert reply.status == 404
        assert reply.json == {"error": {"message": "formula not found", "type": "resource_not_found_error"}}


@pytest.mark.parametrize(
    ("formula", "name", "arguments", "output"),
    [
        ("date", "date", {"operation": "between", "date1": "2026-01-01", "date2": "2026-08-13"}, "224 days"),
        ("date", "date", {"operation": "add", "date": "2026-01-31", "days": 1}, "2026-02-01"),
        ("date", "date", {"operation": "subtract", "date": "2026-01-01", "days": 1}, "2025-12-31"),
        ("date", "date", {"operation": "time", "format": "%Y-%m-%d"}, "2026-06-22"),
        ("base64", "base64_encode", {"data": "Hello, Kimi!"}, "SGVsbG8sIEtpbWkh"),
        ("base64", "base64_decode", {"data": "SGVsbG8sIEtpbWkh"}, "Hello, Kimi!"),
        ("convert", "convert", {"value": 3, "from_unit": "km", "to_unit": "m"}, "3.0 km = 3000.00 m"),
        ("rethink", "rethink", {"thought": "So."}, '{"thought": "So."}'),
    ],
)
def test_a_fiber_succeeds_with_an_output(moonshot, formula, name, arguments, output):
    body = run(moonshot, formula, name, **arguments).json
    assert (body["object"], body["status"], body["formula"]) == ("fiber", "succeeded", f"moonshot/{formula}:latest")
    assert body["context"]["output"] == output
    assert json.loads(body["context"]["input"]) == {"name": name, "arguments": json.dumps(arguments)}


def test_what_a_search_finds_comes_sealed_and_the_model_reads_it(moonshot):
    asked = {"role": "user", "content": "Use web_search: how tall is the lighthouse of Port Amber?"}
    tools = moonshot.send("GET", f"{FORMULAS}/web-search:latest/tools").json["tools"]
    said = moonshot.chat([asked], tools=tools).message
    (call,) = said["tool_calls"]
    context = moonshot.send("POST", f"{FORMULAS}/web-search:latest/fibers", call["function"]).json["context"]
    assert "output" not in context
    assert "41 metres" not in context["encrypted_output"]
    result = {"role": "tool", "tool_call_id": call["id"], "content": context["encrypted_output"]}
    assert "41 metres" in moonshot.chat([asked, said, result], tools=tools).text


def test_a_fetched_page_is_cut_to_the_asked_length(moonshot):
    url = "https://amber.example/ferry"
    whole = run(moonshot, "fetch", "fetch", url=url).json["context"]["output"]
    assert "25 minutes" in whole
    assert run(moonshot, "fetch", "fetch", url=url, max_length=20).json["context"]["output"] == whole[:20]


@pytest.mark.parametrize(
    ("formula", "name", "arguments", "error"),
    [
        ("base64", "base64_decode", {"data": "!"}, "data is not valid base64"),
        ("base64", "base64_encode", {}, "data is required"),
        ("date", "date", {"operation": "between", "date1": "soon", "date2": "2026-01-01"}, "invalid date: soon"),
        ("date", "date", {"operation": "convert"}, "unsupported operation: convert"),
        ("convert", "convert", {"value": 1, "from_unit": "m", "to_unit": "kg"}, "cannot convert 1 from m to kg"),
        ("fetch", "fetch", {"url": "https://nowhere.example"}, "failed to fetch https://nowhere.example"),
        ("web-search", "web_search", {}, "query is required"),
    ],
)
def test_a_run_that_fails_says_so_in_its_context(moonshot, formula, name, arguments, error):
    reply = run(moonshot, formula, name, **arguments)
    assert (reply.status, reply.json["status"]) == (200, "failed")
    assert reply.json["context"]["error"] == error


@pytest.mark.parametrize("arguments", ["{", "[]", "1"])
def test_arguments_that_are_no_object_fail(moonshot, arguments):
    body = {"name": "date", "arguments": arguments}
    context = moonshot.send("POST", f"{FORMULAS}/date:latest/fibers", body).json["context"]
    assert context["error"] == "arguments must be the JSON text of an object"


def test_a_function_that_the_formula_lacks_fails_at_the_top(moonshot):
    assert run(moonshot, "date", "clock").json["error"] == "function clock not found"


@pytest.mark.parametrize("body", [{"name": "date"}, {"arguments": "{}"}, {"name": "date", "arguments": {}}])
def test_a_fiber_needs_a_name_and_the_text_of_its_arguments(moonshot, body):
    reply = moonshot.send("POST", f"{FORMULAS}/date:latest/fibers", body)
    assert (reply.status, reply.error["type"]) == (400, "invalid_request_error")


# -------------------------------------------------------------------------------------------------- search


def test_a_search_result_is_nine_texts(moonshot):
    (best, *_) = moonshot.send("POST", SEARCH, {"text_query": "lighthouse of Port Amber"}).json["search_results"]
    assert set(best) == {"authority", "date", "icon", "mime", "site_name", "snippet", "text", "title", "url"}
    assert all(isinstance(value, str) for value in best.values())
    assert best["title"] == "The lighthouse of Port Amber"
    assert best["text"] == ""


def test_the_text_of_the_pages_comes_when_asked_for(moonshot):
    body = {"text_query": "lighthouse", "include_content": True}
    assert "203 steps" in moonshot.send("POST", SEARCH, body).json["search_results"][0]["text"]


def test_the_same_search_finds_the_same(moonshot):
    first, second = (moonshot.send("POST", SEARCH, {"text_query": "Port Amber"}).data for _ in range(2))
    assert first == second


def test_a_search_finds_no_more_than_asked_for(moonshot):
    for limit in (1, 3):
        found = moonshot.send("POST", SEARCH, {"text_query": "Port Amber", "limit": limit}).json["search_results"]
        assert len(found) == limit


def test_a_search_can_find_nothing(moonshot):
    assert moonshot.send("POST", SEARCH, {"text_query": "xylophone"}).json == {"search_results": []}


@pytest.mark.parametrize(
    "body",
    [
        {},
        {"text_query": ""},
        {"text_query": 1},
        {"text_query": "x", "limit": 0},
        {"text_query": "x", "limit": 21},
        {"text_query": "x", "limit": "5"},
        {"text_query": "x", "timeout_seconds": 0},
        {"text_query": "x", "timeout_seconds": 61},
        {"text_query": "x", "include_content": "yes"},
    ],
)
def test_a_search_refuses_what_it_cannot_do(moonshot, body):
    reply = moonshot.send("POST", SEARCH, body)
    assert (reply.status, reply.error["type"]) == (400, "invalid_request")


@pytest.mark.parametrize("key", ["", "Bearer sk-wrong"])
def test_a_search_without_the_right_key_is_refused_without_a_body(moonshot, key):
    reply = moonshot.send("POST", SEARCH, {"text_query": "x"}, {"authorization": key})
    assert (reply.status, reply.data) == (401, b"")


@pytest.mark.parametrize("path", [f"{FORMULAS}/date:latest/tools", f"{FORMULAS}/date:latest/fibers", SEARCH])
def test_another_host_has_none_of_these(aimlapi, path):
    body = {"name": "date", "arguments": "{}", "text_query": "x"}
    assert aimlapi.send("GET" if path.endswith("tools") else "POST", path, body).status == 404


def test_a_fault_is_for_the_path_that_it_names(moonshot):
    moonshot.kimi.fail(status=429, type="rate_limited", path=SEARCH)
    assert moonshot.chat().status == 200
    refused = moonshot.send("POST", SEARCH, {"text_query": "x"})
    assert (refused.status, refused.error["type"], refused.headers["retry-after"]) == (429, "rate_limited", "0")
    assert moonshot.send("POST", SEARCH, {"text_query": "x"}).status == 200


# --------------------------------------------------------------------------------------------- $web_search

ASKED = {"role": "user", "content": "How long does the ferry to Saltmere take?"}


def echoed(client, content=None, /, **body):
    """The answer after the call of the search came back, unchanged or with another content."""
    said = client.chat([ASKED], tools=[BUILTIN], **body)
    assert said.json["choices"][0]["finish_reason"] == "tool_calls"
    (call,) = said.message["tool_calls"]
    text = call["function"]["arguments"] if content is None else content
    result = {"role": "tool", "tool_call_id": call["id"], "name": "$web_search", "content": text}
    return client.chat([ASKED, said.message, result], tools=[BUILTIN], **body).text


def test_the_builtin_search_answers_from_the_arguments_that_came_back(moonshot):
    assert "25 minutes" in echoed(moonshot, model="kimi-k3")
    assert "25 minutes" in echoed(moonshot, thinking={"type": "disabled"})


@pytest.mark.parametrize("content", ["", "{}", '{"search_result": {"search_id": "other"}}'])
def test_arguments_that_were_changed_lead_nowhere(moonshot, content):
    assert "found nothing" in echoed(moonshot, content, model="kimi-k3")


def test_another_tool_can_be_called_beside_the_builtin_search(moonshot, tool):
    asked = {"role": "user", "content": "Use ping."}
    said = moonshot.chat([asked], tools=[BUILTIN, tool("ping")], model="kimi-k3").message
    assert [call["function"]["name"] for call in said["tool_calls"]] == ["$web_search"]
    result = {"role": "tool", "tool_call_id": said["tool_calls"][0]["id"], "name": "$web_search", "content": "{}"}
    again = moonshot.chat([asked, said, result], tools=[BUILTIN, tool("ping")], model="kimi-k3").message
    assert [call["function"]["name"] for call in again["tool_calls"]] == ["ping"]
