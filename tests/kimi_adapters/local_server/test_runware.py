"""The dialect of Runware: task arrays, their error objects, polling, webhooks, streams, and the compatible endpoint."""

from __future__ import annotations

import json
import queue
import uuid
from http.server import BaseHTTPRequestHandler, HTTPServer
from threading import Thread

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from kimi_adapters.local_server import LocalKimi

K26 = "moonshotai:kimi@k2.6"
WEATHER = {
    "type": "function",
    "name": "get_weather",
    "description": "Get current weather for a city",
    "schema": {"type": "object", "properties": {"city": {"type": "string"}}, "required": ["city"]},
}
PIXEL = "data:image/png;base64,iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAYAAAAfFcSJAAAADUlEQVR4nGP4z8DwHwAFAAH/iZk9HQAAAABJRU5ErkJggg=="


def task(text="What is 2+3?", **fields):
    said = {"role": "user", "content": text}
    return {"taskType": "textInference", "taskUUID": str(uuid.uuid4()), "model": K26, "messages": [said], **fields}


@pytest.fixture(scope="module")
def _running(client_of):
    with LocalKimi(dialect="runware") as kimi:
        yield client_of(kimi)


@pytest.fixture
def runware(_running):
    """A client of a Runware that remembers nothing of earlier tests."""
    _running.kimi.reset()
    return _running


def post(runware, *tasks, **headers):
    return runware.send("POST", "/v1", list(tasks), headers or None)


# ------------------------------------------------------------------------------------------------ whole answers


def test_a_task_is_answered_by_its_uuid_without_thinking(runware):
    asked = task()
    (item,) = post(runware, asked).json["data"]
    assert (item["taskUUID"], item["text"], item["finishReason"]) == (asked["taskUUID"], "2+3 = 5", "stop")
    assert not {"reasoningContent", "usage", "cost"} & set(item)


def test_usage_and_cost_are_said_when_they_are_asked_for(runware):
    (item,) = post(runware, task(includeUsage=True, includeCost=True)).json["data"]
    assert item["usage"]["totalTokens"] == item["usage"]["promptTokens"] + item["usage"]["completionTokens"]
    assert item["cost"] == item["usage"]["costBreakdown"]["total"] > 0


def test_a_thinking_level_makes_it_think(runware):
    (item,) = post(runware, task(includeUsage=True, settings={"thinkingLevel": "high"})).json["data"]
    assert item["reasoningContent"]
    assert item["usage"]["thinkingTokens"] > 0


def test_several_results_have_seeds_of_their_own(runware):
    items = post(runware, task(numberResults=3, seed=7)).json["data"]
    assert [item["seed"] for item in items] == [7, 8, 9]


def test_settings_reach_the_answer(runware):
    settings = {"systemPrompt": "Be brief.", "maxTokens": 2, "stopSequences": ["=="]}
    (item,) = post(runware, task("Tell me a long story.", settings=settings)).json["data"]
    assert item["finishReason"] == "length"


def test_pictures_of_the_task_belong_to_its_last_question(runware):
    (item,) = post(runware, task("How large is this picture?", inputs={"images": [PIXEL]})).json["data"]
    assert "1" in item["text"]


def test_media_by_http_are_taken_on_both_endpoints_and_not_fetched(runware):
    url = "https://example.com/a.png"
    (item,) = post(runware, task("What is this?", inputs={"images": [url]})).json["data"]
    parts = [{"type": "text", "text": "What is this?"}, {"type": "image_url", "image_url": {"url": url}}]
    assert "nobody fetched" in item["text"]
    assert "nobody fetched" in runware.chat([{"role": "user", "content": parts}]).text
    parts[1]["image_url"]["url"] = "data:image/png;base64,!"
    assert runware.chat([{"role": "user", "content": parts}]).status == 400


def test_an_answer_can_have_a_schema(runware):
    schema = {"type": "object", "properties": {"city": {"type": "string"}}, "required": ["city"]}
    for form in (schema, json.dumps(schema), {"name": "place", "strict": True, "schema": schema}):
        (item,) = post(runware, task("Which city is it? Paris.", jsonSchema=form)).json["data"]
        assert set(json.loads(item["text"])) == {"city"}


@pytest.mark.parametrize("model", [K26, "moonshotai-kimi-k2-6"])
def test_the_air_id_and_the_slug_name_the_same_model(runware, model):
    assert post(runware, task(model=model)).status == 200


# -------------------------------------------------------------------------------------------------------- tools


@pytest.mark.parametrize("choice", [{"type": "any"}, {"type": "tool", "name": "get_weather"}, {"type": "auto"}])
def test_a_tool_is_called_with_an_object(runware, choice):
    (item,) = post(runware, task("Weather in Paris?", tools=[WEATHER], toolChoice=choice)).json["data"]
    assert [(call["name"], call["input"]) for call in item["tools"]] == [("get_weather", {"city": "Paris"})]
    assert item["finishReason"] == "tool_calls"


def test_no_tool_is_called_when_none_may_be(runware):
    (item,) = post(runware, task("Weather in Paris?", tools=[WEATHER], toolChoice={"type": "none"})).json["data"]
    assert "tools" not in item


def test_the_result_of_a_tool_comes_back_by_its_id(runware):
    asked = task("Weather in Paris?", tools=[WEATHER])
    (item,) = post(runware, asked).json["data"]
    result = {"role": "tool", "id": item["tools"][0]["id"], "content": "Sunny, 22 degrees."}
    turns = [*asked["messages"], {"role": "assistant", "tools": item["tools"]}, result]
    (item,) = post(runware, task(tools=[WEATHER], messages=turns)).json["data"]
    assert "Sunny" in item["text"]


def test_the_providers_own_search_answers_by_itself(runware):
    (item,) = post(runware, task("How tall is the lighthouse of Port Amber?", tools=[{"type": "search"}])).json["data"]
    assert "41" in item["text"]
    assert post(runware, task(tools=[{"type": "codeInterpreter"}])).status == 200


# ------------------------------------------------------------------------------------------------------- errors

WRONG = [
    ({"settings": {"temperature": 2.5}}, "invalidTemperature", "settings.temperature"),
    ({"settings": {"topP": 2}}, "invalidTopP", "settings.topP"),
    ({"settings": {"topK": 1000}}, "invalidTopK", "settings.topK"),
    ({"settings": {"minP": -1}}, "invalidMinP", "settings.minP"),
    ({"settings": {"frequencyPenalty": 3}}, "invalidFrequencyPenalty", "settings.frequencyPenalty"),
    ({"settings": {"presencePenalty": 3}}, "invalidPresencePenalty", "settings.presencePenalty"),
    ({"settings": {"repetitionPenalty": 0}}, "invalidRepetitionPenalty", "settings.repetitionPenalty"),
    ({"settings": {"maxTokens": 0}}, "invalidMaxTokens", "settings.maxTokens"),
    ({"settings": {"stopSequences": ["a"] * 17}}, "invalidStopSequences", "settings.stopSequences"),
    ({"settings": {"systemPrompt": ""}}, "invalidSystemPrompt", "settings.systemPrompt"),
    ({"settings": {"thinkingLevel": "wild"}}, "invalidThinkingLevel", "settings.thinkingLevel"),
    ({"settings": {"banana": 1}}, "unsupportedParameter", "settings.banana"),
    ({"settings": []}, "invalidSettings", "settings"),
    ({"banana": 1}, "unsupportedParameter", "banana"),
    ({"temperature": 1}, "unsupportedParameter", "temperature"),
    ({"numberResults": 5}, "invalidNumberResults", "numberResults"),
    ({"numberResults": 2, "deliveryMethod": "stream"}, "invalidNumberResults", "numberResults"),
    ({"deliveryMethod": "pigeon"}, "invalidDeliveryMethod", "deliveryMethod"),
    ({"taskUUID": "1"}, "invalidTaskUUID", "taskUUID"),
    ({"taskType": "imageInference"}, "invalidTaskType", "taskType"),
    ({"model": "moonshotai:kimi@k9"}, "invalidModel", "model"),
    ({"model": "moonshotai:kimi@k3"}, "invalidModel", "model"),
    ({"model": None}, "missingModel", "model"),
    ({"messages": []}, "invalidMessages", "messages"),
    ({"messages": [{"role": "user", "content": [{"type": "text", "text": "a"}]}]}, "invalidContent", "messages[0].content"),
    ({"messages": [{"role": "boss", "content": "a"}]}, "invalidRole", "messages[0].role"),
    ({"messages": [{"role": "user", "content": "a", "name": "x"}]}, "unsupportedParameter", "messages[0].name"),
    ({"tools": [{"type": "function", "name": "a b", "schema": {}}]}, "invalidName", "tools[0].name"),
    ({"tools": [{"type": "function", "name": "a"}]}, "invalidSchema", "tools[0].schema"),
    ({"tools": [WEATHER], "toolChoice": {"type": "required"}}, "invalidType", "toolChoice.type"),
    ({"tools": [WEATHER], "toolChoice": {"type": "tool"}}, "missingName", "toolChoice.name"),
    ({"tools": [WEATHER], "toolChoice": {"type": "tool", "name": "b"}}, "invalidName", "toolChoice.name"),
    ({"seed": -1}, "invalidSeed", "seed"),
    ({"inputs": {"images": ["data:image/png;base64,!"]}}, "invalidImages", "inputs.images"),
    ({"inputs": {"videos": "x"}}, "invalidVideos", "inputs.videos"),
    ({"inputs": {"audios": []}}, "unsupportedParameter", "inputs.audios"),
    ({"includeCost": "yes"}, "invalidIncludeCost", "includeCost"),
    ({"webhookURL": "nowhere"}, "invalidWebhookURL", "webhookURL"),
]  # fmt: skip


@pytest.mark.parametrize(("fields", "code", "parameter"), WRONG, ids=[f"{w[2]}-{i}" for i, w in enumerate(WRONG)])
def test_what_the_page_does_not_allow_is_refused_by_name(runware, fields, code, parameter):
    asked = {key: value for key, value in task(**fields).items() if value is not None}
    reply = post(runware, asked)
    (error,) = reply.json["errors"]
    assert (reply.status, error["code"], error["parameter"]) == (400, code, parameter)
    assert error["taskUUID"] == asked["taskUUID"]
    assert reply.headers["content-type"] == "application/json"


def test_a_task_that_fails_leaves_the_others_alone(runware):
    wrong, right = task(settings={"temperature": 9}), task()
    reply = post(runware, wrong, right)
    assert reply.status == 200
    assert [item["taskUUID"] for item in reply.json["data"]] == [right["taskUUID"]]
    assert [error["taskUUID"] for error in reply.json["errors"]] == [wrong["taskUUID"]]


def test_one_of_several_results_can_fail(runware):
    runware.kimi.enqueue(text="One.")
    runware.kimi.enqueue(status=500, json={"code": "timeoutProvider", "message": "Too slow."})
    body = post(runware, task(numberResults=2)).json
    assert [item["text"] for item in body["data"]] == ["One."]
    assert [error["code"] for error in body["errors"]] == ["timeoutProvider"]


def test_the_same_uuid_twice_is_a_conflict(runware):
    asked = task()
    codes = [error["code"] for error in post(runware, asked, asked).json["errors"]]
    assert codes == ["conflictTaskUUID"] * 2


@pytest.mark.parametrize("body", [{}, [], ["x"], b"{"])
def test_a_body_that_is_no_array_of_tasks_is_refused(runware, body):
    reply = runware.send("POST", "/v1", body)
    assert (reply.status, reply.json["errors"][0]["code"]) == (400, "invalidArray")


def test_a_wrong_key_is_refused_with_the_message_of_the_page(runware):
    reply = post(runware, task(), authorization="Bearer no")
    assert reply.status == 401
    assert reply.json["errors"] == [
        {
            "code": "invalidApiKey",
            "message": "Invalid API key. Get one at https://my.runware.ai/signup",
            "parameter": "apiKey",
            "taskType": "authentication",
        }
    ]


def test_the_key_may_be_in_the_first_task(runware):
    key = {"taskType": "authentication", "apiKey": runware.kimi.api_key}
    assert post(runware, key, task(), authorization="").status == 200
    assert runware.kimi.requests[-1].body[0] == {"taskType": "authentication", "apiKey": "[redacted]"}


def test_faults_come_in_runwares_body(runware):
    runware.kimi.fail(status=402, type="exceeded_current_quota_error")
    reply = post(runware, task())
    assert (reply.status, reply.json["errors"][0]["code"]) == (402, "insufficientCredits")


def test_other_hosts_have_no_such_path(moonshot):
    assert moonshot.send("POST", "/v1", [task()]).status == 404


_values = st.recursive(
    st.none()
    | st.booleans()
    | st.integers(-2, 9)
    | st.sampled_from(["", "tool", "search", "function", "user", "tool"]),
    lambda inner: (
        st.lists(inner, max_size=2)
        | st.dictionaries(st.sampled_from(["type", "name", "role", "content", "tools", "input", "schema", "id"]), inner)
    ),
    max_leaves=8,
)
_fields = st.sampled_from(
    ["messages", "tools", "toolChoice", "settings", "inputs", "jsonSchema", "model", "seed", "taskUUID"]
)


@settings(deadline=None, max_examples=60, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.dictionaries(_fields, _values, max_size=3))
def test_any_task_is_answered_or_refused(runware, fields):
    reply = post(runware, task(**fields))
    assert reply.status in (200, 400), reply.json


# ------------------------------------------------------------------------------------------ queued, hooked, streamed


def test_a_queued_task_is_acknowledged_and_fetched(runware):
    asked = task(deliveryMethod="async", numberResults=3)
    assert post(runware, asked).json == {"data": [{"taskType": "textInference", "taskUUID": asked["taskUUID"]}]}
    fetch = {"taskType": "getResponse", "taskUUID": asked["taskUUID"]}
    states = [[item["status"] for item in post(runware, fetch).json["data"]] for _ in range(2)]
    assert states == [["success", "processing", "processing"], ["success"] * 3]


def test_queueing_again_does_not_generate_again(runware):
    runware.kimi.enqueue(text="Once.")
    asked = task(deliveryMethod="async")
    post(runware, asked)
    post(runware, asked)
    fetch = {"taskType": "getResponse", "taskUUID": asked["taskUUID"]}
    answers = [post(runware, fetch).json["data"][0].get("text") for _ in range(2)]
    assert answers == [None, "Once."]


def test_a_task_that_nobody_queued_is_not_found(runware):
    reply = post(runware, {"taskType": "getResponse", "taskUUID": str(uuid.uuid4())})
    assert (reply.status, reply.json["errors"][0]["code"]) == (404, "taskNotFound")


@pytest.fixture
def hook():
    """An address of this machine, and what is posted to it."""
    posted = queue.Queue()

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self):
            posted.put((self.path, json.loads(self.rfile.read(int(self.headers["content-length"])))))
            self.send_response(204)
            self.end_headers()

        def log_message(self, *_):
            pass

    server = HTTPServer(("127.0.0.1", 0), Handler)
    Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01}, daemon=True).start()
    yield f"http://127.0.0.1:{server.server_port}/done?a=1", posted
    server.shutdown()
    server.server_close()


@pytest.mark.parametrize("delivery", ["sync", "async"])
def test_each_result_is_posted_to_the_webhook(runware, hook, delivery):
    url, posted = hook
    asked = task(deliveryMethod=delivery, numberResults=2, webhookURL=url)
    assert post(runware, asked).status == 200
    calls = [posted.get(timeout=5) for _ in range(2)]
    assert [path for path, _ in calls] == ["/done?a=1"] * 2
    assert [body["data"][0]["taskUUID"] for _, body in calls] == [asked["taskUUID"]] * 2


def test_a_stream_has_deltas_a_ping_and_its_price_at_the_end(runware):
    asked = task(deliveryMethod="stream", includeCost=True, includeUsage=True, settings={"thinkingLevel": "low"})
    reply = post(runware, asked)
    *deltas, last = reply.frames
    assert "".join(frame["delta"].get("text", "") for frame in deltas) == "2+3 = 5"
    assert "".join(frame["delta"].get("reasoningContent", "") for frame in deltas)
    assert (last["delta"], last["finishReason"]) == ({}, "stop")
    assert last["cost"] > 0
    assert last["usage"]["promptTokens"] > 0
    assert b": ping\n\n" in reply.data
    assert reply.lines[-1] == "[DONE]"


def test_a_stream_that_is_refused_is_json(runware):
    reply = post(runware, task(deliveryMethod="stream", settings={"topP": 7}))
    assert (reply.status, reply.headers["content-type"]) == (400, "application/json")


def test_canned_answers_know_the_uuid_that_was_asked_for(runware):
    runware.kimi.enqueue(json={"data": [{"taskUUID": "{taskUUID}", "text": "Mine."}]})
    asked = task()
    assert post(runware, asked).json["data"] == [{"taskUUID": asked["taskUUID"], "text": "Mine."}]


# ------------------------------------------------------------------------------------------ compatible endpoint


def test_the_compatible_endpoint_says_its_price_in_the_usage(runware):
    reply = runware.chat("What is 2+3?", temperature=0.3)
    assert reply.text == "2+3 = 5"
    assert reply.json["usage"]["cost"] > 0


def test_options_of_a_stream_without_one_are_refused(runware):
    assert runware.chat("Hi", stream_options={"include_usage": True}).status == 400


def test_a_compatible_stream_has_its_price_in_the_chunk_of_the_usage(runware):
    *chunks, last = runware.stream("What is 2+3?", stream_options={"include_usage": True}).frames
    assert last["usage"]["cost"] > 0
    assert not any("usage" in chunk or "usage" in chunk["choices"][0] for chunk in chunks)


def test_tools_can_be_forced_there_while_it_thinks(runware, tool):
    reply = runware.chat("Weather in Paris?", tools=[tool("get_weather", city="string")], tool_choice="required")
    assert reply.calls == [("get_weather", {"city": "Paris"})]
    assert reply.message["reasoning_content"]


def test_k3_is_served_there(runware):
    assert runware.chat(model="moonshotai:kimi@k3").status == 200


def test_effort_none_switches_thinking_off_there(runware):
    assert not runware.chat(reasoning_effort="none").message["reasoning_content"]


def test_errors_keep_runwares_body_there(runware):
    reply = runware.chat(model="kimi-k2.6")
    assert (reply.status, reply.json["errors"][0]["code"]) == (400, "invalidModel")
    assert runware.send("GET", "/v1/models", headers={"authorization": ""}).json["errors"][0]["code"] == "invalidApiKey"


def test_the_model_list_has_sizes_modalities_and_prices(runware):
    listed = runware.send("GET", "/v1/models").json["data"]
    assert {"context_length", "max_output_tokens", "input_modalities", "pricing"} <= set(listed[0])
