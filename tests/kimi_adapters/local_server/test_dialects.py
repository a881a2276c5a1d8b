"""The dialects of gateways, clouds and self-hosted servers: what each sends, and what it refuses in its own words."""

from __future__ import annotations

import json
from collections.abc import Iterator

import pytest

from kimi_adapters.local_server import LocalKimi

PIXEL = "data:image/png;base64,iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAYAAAAfFcSJAAAADUlEQVR4nGP4z8DwHwAFAAH/iZk9HQAAAABJRU5ErkJggg=="
USER = {"role": "user", "content": "What is the weather in Oslo?"}
CALL = {"id": "functions.look:0", "type": "function", "function": {"name": "look", "arguments": "{}"}}
RESULT = {"role": "tool", "tool_call_id": CALL["id"], "content": "Sunny."}
LISTED = {"user-agent": "KimiCLI/1.0"}
NEW = ("kimi-code", "openrouter", "fireworks", "vllm", "sglang", "llama-cpp")


@pytest.fixture(scope="module")
def _servers() -> Iterator[dict[str, LocalKimi]]:
    running = {name: LocalKimi(name).start() for name in NEW}
    yield running
    for kimi in running.values():
        kimi.stop()


@pytest.fixture
def ask(_servers, client_of):
    """A client of a server by its dialect's name."""

    def client(name):
        _servers[name].reset()
        return client_of(_servers[name])

    return client


def turn(**reasoning: object) -> list[dict[str, object]]:
    """A conversation in the middle of a tool loop."""
    return [USER, {"role": "assistant", "content": None, "tool_calls": [CALL], **reasoning}, RESULT]


NODE = {"type": "object", "properties": {"next": {"$ref": "#/$defs/Node"}}, "required": ["next"]}


@pytest.mark.parametrize(
    "schema",
    [
        {"type": "object", "properties": {"mode": {"enum": []}}, "required": ["mode"]},
        {"$ref": "#/$defs/Node", "$defs": {"Node": NODE}},
    ],
)
@pytest.mark.parametrize("name", ["vllm", "sglang"])
def test_a_schema_that_no_value_satisfies_is_refused(ask, name, schema):
    shape = {"type": "json_schema", "json_schema": {"name": "odd", "schema": schema}}
    answer = ask(name).chat(messages=[USER], response_format=shape)
    assert (answer.status, b"no value satisfies the schema" in answer.data) == (400, True)


@pytest.mark.parametrize("name", NEW)
def test_models_are_listed(ask, name):
    client = ask(name)
    assert client.model in [spec["id"] for spec in client.send("GET", "/v1/models").json["data"]]


# ---------------------------------------------------------------------------------------------------- OpenRouter


def test_openrouter_says_reasoning_as_text_and_as_details(ask):
    message = ask("openrouter").chat().message
    details = message["reasoning_details"]
    assert [item["type"] for item in details] == ["reasoning.text", "reasoning.encrypted"]
    assert details[0]["text"] == message["reasoning"] != ""
    assert "reasoning_content" not in message


def test_openrouter_sends_comments_between_its_chunks(ask):
    text = ask("openrouter").stream().data.decode()
    assert text.startswith(": OPENROUTER PROCESSING\n\n")
    assert text.count(": OPENROUTER PROCESSING") == 2


def test_openrouter_says_what_an_answer_cost(ask):
    client = ask("openrouter")
    assert client.chat().json["usage"]["cost"] > 0
    assert client.stream(stream_options={"include_usage": True}).frames[-1]["usage"]["cost"] > 0


def test_openrouter_wraps_what_moonshot_refuses(ask):
    error = ask("openrouter").chat(turn()).error
    assert (error["code"], error["message"]) == (400, "Provider returned error")
    assert error["metadata"]["provider_name"] == "Moonshot AI"
    raw = json.loads(error["metadata"]["raw"])
    assert raw["error"]["message"] == (
        "thinking is enabled but reasoning_content is missing in assistant tool call message at index 1"
    )


@pytest.mark.parametrize(
    "reasoning",
    [
        {"reasoning": "Hm."},
        {"reasoning_content": "Hm."},
        {"reasoning_details": [{"type": "reasoning.text", "text": "Hm.", "index": 0}]},
    ],
)
def test_openrouter_reads_reasoning_under_any_of_its_keys(ask, reasoning):
    assert ask("openrouter").chat(turn(**reasoning)).status == 200


@pytest.mark.parametrize("details", ["Hm.", [{"text": "Hm."}], [{"type": "reasoning.text"}], [7]])
def test_openrouter_refuses_details_that_it_never_sent(ask, details):
    assert ask("openrouter").chat(turn(reasoning_details=details)).status == 400


@pytest.mark.parametrize(
    "body", [{"reasoning": {"enabled": False}}, {"reasoning": {"effort": "none"}}, {"reasoning_effort": "none"}]
)
def test_openrouter_switches_thinking_off(ask, body):
    assert "reasoning_details" not in ask("openrouter").chat(**body).message


def test_openrouter_cannot_switch_off_what_always_thinks(ask):
    reply = ask("openrouter").chat(model="moonshotai/kimi-k2.7-code", reasoning={"enabled": False})
    assert reply.error["message"] == "Reasoning is mandatory for this endpoint and cannot be disabled."


def test_openrouter_reads_no_videos(ask):
    part = {"type": "video_url", "video_url": {"url": "data:video/mp4;base64,AAAA"}}
    reply = ask("openrouter").chat([{"role": "user", "content": [part]}])
    assert (reply.status, reply.error["message"]) == (404, "No endpoints found that support video input")


def test_openrouter_fetches_pictures(ask):
    part = {"type": "image_url", "image_url": {"url": "https://example.com/a.png"}}
    assert ask("openrouter").chat([{"role": "user", "content": [part]}]).status == 200


def test_openrouter_says_an_error_of_a_stream_with_status_200(ask):
    client = ask("openrouter")
    client.kimi.error_in_stream_after(3, {"code": 502, "message": "Upstream gone"})
    reply = client.stream()
    assert reply.status == 200
    last = reply.frames[-1]
    assert last["error"] == {"code": 502, "message": "Upstream gone"}
    assert last["choices"][0]["finish_reason"] == "error"


# --------------------------------------------------------------------------------------------- vLLM and SGLang


def test_vllm_says_reasoning_under_its_own_key(ask):
    message = ask("vllm").chat().message
    assert message["reasoning"]
    assert "reasoning_content" not in message


@pytest.mark.parametrize(
    ("form", "keys"),
    [("both", {"reasoning", "reasoning_content"}), ("reasoning_content", {"reasoning_content"}), ("tags", set())],
)
def test_a_server_can_say_reasoning_as_other_builds_do(client_of, form, keys):
    with LocalKimi("vllm", reasoning_as=form) as kimi:
        message = client_of(kimi).chat().message
    assert {key for key in message if key.startswith("reasoning")} == keys
    assert message["content"].startswith("<think>") is (form == "tags")


@pytest.mark.parametrize(
    ("said", "thinks"),
    [
        ({}, True),
        ({"thinking": False}, False),
        ({"thinking": False, "enable_thinking": True}, True),  # either one is enough
        ({"thinking": False, "enable_thinking": False}, False),
    ],
)
def test_vllm_switches_thinking_by_the_templates_variables(ask, said, thinks):
    message = ask("vllm").chat(chat_template_kwargs=said).message
    assert bool(message.get("reasoning")) is thinks


def test_vllm_ignores_moonshots_switch(ask):
    assert ask("vllm").chat(thinking={"type": "disabled"}).message["reasoning"]


def test_vllm_reads_a_tool_turn_without_its_reasoning(ask):
    assert ask("vllm").chat(turn()).status == 200


@pytest.mark.parametrize("name", ["vllm", "sglang"])
def test_a_server_counts_the_reasoning_of_a_turn_under_the_keys_that_it_reads(ask, name):
    client = ask(name)

    def prompt(**reasoning: str) -> int:
        return client.chat(turn(**reasoning)).json["usage"]["prompt_tokens"]

    assert prompt(reasoning_content="I look. " * 9) > prompt()
    assert (prompt(reasoning="I look. " * 9) > prompt()) is (name == "vllm")


@pytest.mark.parametrize("name", ["vllm", "sglang"])
def test_a_response_schema_wins_over_tools(ask, tool, name):
    schema = {"type": "object", "properties": {"city": {"type": "string"}}, "required": ["city"]}
    asked = {"type": "json_schema", "json_schema": {"name": "answer", "schema": schema}}
    message = (
        ask(name).chat([{"role": "user", "content": "Call look."}], tools=[tool("look")], response_format=asked).message
    )
    assert not message.get("tool_calls")
    assert list(json.loads(message["content"])) == ["city"]


def test_a_picture_at_an_address_is_not_opened(ask):
    picture = {"type": "image_url", "image_url": {"url": "https://example.com/a.png"}}
    reply = ask("vllm").chat([{"role": "user", "content": [picture]}])
    assert (reply.status, "nobody fetched" in reply.message["content"]) == (200, True)


def test_vllm_takes_a_forced_tool_while_it_thinks(ask, tool):
    choice = {"type": "function", "function": {"name": "look"}}
    reply = ask("vllm").chat([USER], tools=[tool("look")], tool_choice=choice)
    assert reply.message["tool_calls"]
    assert reply.message["reasoning"]
    assert reply.json["choices"][0]["finish_reason"] == "stop"  # as it ends calls that were named


def test_vllm_refuses_pictures_in_a_tools_result(ask):
    shown = {**RESULT, "content": [{"type": "image_url", "image_url": {"url": PIXEL}}]}
    client = ask("vllm")
    assert client.chat([USER, {"role": "user", "content": shown["content"]}]).status == 200
    reply = client.chat([*turn()[:-1], shown])
    assert (reply.status, reply.error["type"]) == (400, "BadRequestError")
    assert "only supports text" in reply.error["message"]


def test_vllm_refuses_with_its_own_messages(ask, tool):
    client = ask("vllm")
    said = {
        "The model `kimi-k2.6` does not exist.": {"model": "kimi-k2.6"},
        "When using `tool_choice`, `tools` must be set.": {"tool_choice": "required"},
        "max_tokens must be at least 1, got 0.": {"max_tokens": 0},
        "Kimi K3 supports thinking_effort values: low, high, max": {
            "model": "moonshotai/Kimi-K3",
            "reasoning_effort": "medium",
        },
    }
    assert [client.chat(**body).error["message"] for body in said.values()] == list(said)


def test_vllm_takes_four_stop_strings(ask):
    client = ask("vllm")
    assert client.chat(stop=["a1", "b2", "c3", "d4"]).status == 200
    reply = client.chat(stop=["a1", "b2", "c3", "d4", "e5"])
    assert (reply.status, "at most 4 items" in reply.error["message"]) == (400, True)


BEGUN = [
    {"role": "user", "content": "The code is 4711. What is the code?"},
    {"role": "assistant", "content": "The code is"},
]
CONTINUED = {"add_generation_prompt": False, "continue_final_message": True}


def test_vllm_takes_what_continues_a_message_for_a_thought_unless_thinking_is_off(ask):
    client = ask("vllm")
    thought = client.chat(BEGUN, **CONTINUED).message
    assert (thought["content"], "4711" in thought["reasoning"]) == (None, True)
    said = client.chat(BEGUN, **CONTINUED, chat_template_kwargs={"thinking": False, "enable_thinking": False}).message
    assert (said["content"], said.get("reasoning") or "") == (" 4711.", "")


def test_vllm_does_not_know_moonshots_partial_mode(ask):
    begun = [BEGUN[0], {**BEGUN[1], "partial": True}]
    assert ask("vllm").chat(begun).text == "The code is 4711."


def test_vllm_cannot_continue_a_message_and_begin_one(ask):
    reply = ask("vllm").chat(BEGUN, continue_final_message=True)
    assert (reply.status, "Cannot set both" in reply.error["message"]) == (400, True)


@pytest.mark.parametrize("name", ["vllm", "sglang"])
def test_a_picture_behind_a_tools_result_is_part_of_that_and_no_new_question(ask, tool, name):
    """Clients put it there with the tool's name, since the result itself may hold text alone."""
    look = tool("look", "Look at the wall.")
    asked = [{"role": "user", "content": "Call look and say which colour it has."}, *turn()[1:]]
    shown = [{"type": "text", "text": "From the result of look:"}, {"type": "image_url", "image_url": {"url": PIXEL}}]
    message = ask(name).chat([*asked, {"role": "user", "content": shown}], tools=[look]).message
    assert (message.get("tool_calls") or [], "red" in message["content"]) == ([], True)


@pytest.mark.parametrize("name", ["vllm", "openrouter"])
def test_messages_that_always_have_a_refusal_have_null_or_what_was_said(ask, name):
    client = ask(name)
    assert client.chat().message["refusal"] is None
    client.kimi.enqueue(refusal="I cannot.")
    assert client.chat().message["refusal"] == "I cannot."


# ------------------------------------------------------------------------------------------------- llama-server


def test_llama_server_answers_to_any_model_id(ask):
    reply = ask("llama-cpp").chat(model="whatever.gguf")
    assert (reply.status, reply.json["model"], bool(reply.message["reasoning_content"])) == (200, "whatever.gguf", True)


def test_llama_server_refuses_pictures_with_a_500(ask):
    reply = ask("llama-cpp").chat([{"role": "user", "content": [{"type": "image_url", "image_url": {"url": PIXEL}}]}])
    assert (reply.status, reply.error["type"]) == (500, "server_error")
    assert reply.error["message"].startswith("image input is not supported - hint: ")


def test_llama_server_ignores_a_schema(ask):
    schema = {"type": "object", "properties": {"city": {"type": "string"}}, "required": ["city"]}
    asked = {"type": "json_schema", "json_schema": {"name": "answer", "schema": schema}}
    assert not ask("llama-cpp").chat("The code is 4711. What is it?", response_format=asked).text.startswith("{")


def test_llama_server_honours_required_and_takes_a_name_for_auto(ask, tool):
    client, tools = ask("llama-cpp"), [tool("look")]
    assert client.chat("Hello", tools=tools, tool_choice="required").calls
    named = {"type": "function", "function": {"name": "look"}}
    assert not client.chat("Hello", tools=tools, tool_choice=named).calls


def test_llama_server_leaves_calls_that_were_not_to_be_made_in_the_text(ask, tool):
    client = ask("llama-cpp")
    asked = {"tools": [tool("look")], "tool_choice": "none"}
    section = (
        "<|tool_calls_section_begin|><|tool_call_begin|>functions.look:0<|tool_call_argument_begin|>{}<|tool_call_end|>"
        "<|tool_calls_section_end|>"
    )
    client.kimi.enqueue(text="So. ", tool_calls=[{"name": "look"}])
    choice = client.chat(**asked).json["choices"][0]
    assert (choice["message"]["content"], choice["finish_reason"]) == ("So. " + section, "stop")
    assert "tool_calls" not in choice["message"]
    client.kimi.enqueue(text="So. ", tool_calls=[{"name": "look"}])
    pieces = [frame["choices"][0]["delta"].get("content", "") for frame in client.stream(**asked).frames]
    assert "".join(pieces) == "So. " + section
    assert not any("<|tool_calls_section_begin|>" in piece for piece in pieces), "the mark comes in pieces"
    client.kimi.enqueue(tool_calls=[{"name": "look"}])
    assert client.chat(tools=[tool("look")]).calls == [("look", {})]


def test_llama_server_says_a_wrong_key_in_an_object(ask):
    reply = ask("llama-cpp").send("POST", "/v1/chat/completions", {}, {"authorization": "Bearer wrong"})
    assert (reply.status, reply.error["message"], reply.error["type"]) == (
        401,
        "Invalid API Key",
        "authentication_error",
    )


def test_vllm_says_a_wrong_key_with_a_bare_word(ask):
    reply = ask("vllm").send("POST", "/v1/chat/completions", {}, {"authorization": "Bearer wrong"})
    assert (reply.status, reply.json) == (401, {"error": "Unauthorized"})


def test_vllm_samples_as_one_likes(ask):
    assert ask("vllm").chat(temperature=0.2, top_p=0.5).status == 200


WITHOUT_A_STREAM = {
    "openrouter": "Provider returned error",
    "fireworks": "stream_options is only allowed when stream is enabled",
    "vllm": "Stream options can only be defined when `stream=True`.",
}


@pytest.mark.parametrize(("name", "words"), WITHOUT_A_STREAM.items())
def test_options_of_a_stream_without_one_are_refused(ask, name, words):
    client = ask(name)
    reply = client.chat(stream_options={"include_usage": True})
    assert (reply.status, words in str(reply.json)) == (400, True)
    assert client.stream(stream_options={"include_usage": True}).status == 200
    assert client.chat(stream_options=None).status == 200


def test_kimi_code_refuses_options_of_a_stream_without_one(ask):
    body = {"model": "kimi-for-coding", "messages": [{"role": "user", "content": "Hi"}], "stream_options": {}}
    assert ask("kimi-code").send("POST", "/v1/chat/completions", body, LISTED).status == 400


def test_sglang_takes_options_of_a_stream_without_one(ask):
    assert ask("sglang").chat(stream_options={"include_usage": True}).status == 200


def say(client, *texts):
    for text in texts:
        client.kimi.enqueue(text=text)


@pytest.mark.parametrize("name", ["vllm", "sglang"])
def test_self_hosted_servers_give_several_answers_with_the_tokens_of_all(ask, name):
    client = ask(name)
    say(client, "One.", "Two.")
    body = client.chat(n=2).json
    assert [(one["index"], one["message"]["content"]) for one in body["choices"]] == [(0, "One."), (1, "Two.")]
    say(client, "One.")
    assert body["usage"]["completion_tokens"] == 2 * client.chat().json["usage"]["completion_tokens"]


def test_vllm_streams_several_answers_in_turns(ask):
    client = ask("vllm")
    say(client, "One two three.", "Four.")
    frames = client.chat(n=2, stream=True, stream_options={"include_usage": True}).frames
    *chunks, last = frames
    assert [chunk["choices"][0]["index"] for chunk in chunks[:4]] == [0, 1, 0, 1]
    assert [chunk["choices"][0]["finish_reason"] for chunk in chunks if chunk["choices"][0]["index"]][-1] == "stop"
    assert last["choices"] == []
    assert {chunk["id"] for chunk in frames} == {last["id"]}


@pytest.mark.parametrize(
    ("body", "sentence"),
    [
        ({"n": 2, "temperature": 0}, "n must be 1 when using greedy sampling, got 2."),
        ({"n": 65}, "n must be at most 64, got 65."),
        ({"n": 0}, "n must be at least 1, got 0."),
    ],
)
def test_vllm_refuses_numbers_of_answers_with_its_own_messages(ask, body, sentence):
    reply = ask("vllm").chat(**body)
    assert (reply.status, reply.error["type"]) == (400, "BadRequestError")
    assert reply.error["message"].startswith(sentence)


def test_vllm_says_usage_in_a_stream_only_when_asked(ask):
    client = ask("vllm")
    assert not any(frame.get("usage") or frame["choices"][0].get("usage") for frame in client.stream().frames)
    assert client.stream(stream_options={"include_usage": True}).frames[-1]["usage"]["total_tokens"]


def test_sglang_says_its_errors_flat(ask):
    reply = ask("sglang").chat(max_tokens=0)
    assert {key: reply.json[key] for key in ("object", "type", "code")} == {
        "object": "error",
        "type": "BadRequestError",
        "code": 400,
    }


@pytest.mark.parametrize(
    ("body", "thinks"),
    [
        ({"reasoning_effort": "none"}, False),
        ({"chat_template_kwargs": {"thinking": False}}, False),
        ({"reasoning": {"enabled": False}}, True),
    ],
)
def test_sglang_reads_some_switches_and_ignores_others(ask, body, thinks):
    assert bool(ask("sglang").chat(**body).message.get("reasoning_content")) is thinks


# ----------------------------------------------------------------------------------------------------- Fireworks


@pytest.mark.parametrize(
    ("body", "field"),
    [({"chat_template_kwargs": {}}, "chat_template_kwargs"), ({"top_q": 1}, "top_q")],
)
def test_fireworks_takes_no_field_that_it_does_not_know(ask, body, field):
    message = ask("fireworks").chat(**body).error["message"]
    assert message.startswith(f"Extra inputs are not permitted, field: '{field}'")


@pytest.mark.parametrize("key", ["reasoning", "reasoning_details", "partial", "annotations"])
def test_fireworks_takes_no_key_of_a_message_that_it_does_not_know(ask, key):
    reply = ask("fireworks").chat(turn(**{key: "Hm."}))
    assert (reply.status, f"messages[1].{key}" in reply.error["message"]) == (400, True)


def test_fireworks_takes_one_thinking_option(ask):
    client = ask("fireworks")
    assert client.chat(reasoning_effort="low").status == 200
    assert client.chat(thinking={"type": "enabled"}).status == 200
    assert client.chat(reasoning_effort="low", thinking={"type": "enabled"}).status == 400


def test_fireworks_takes_tools_or_a_response_format(ask, tool):
    reply = ask("fireworks").chat(tools=[tool("look")], response_format={"type": "json_object"})
    assert reply.status == 400


# ----------------------------------------------------------------------------------------------------- Kimi Code


def test_kimi_code_lets_only_the_clients_of_its_list_in(ask):
    client = ask("kimi-code")
    body = {"model": "kimi-for-coding", "messages": [USER]}
    refused = client.send("POST", "/v1/chat/completions", body, {"user-agent": "kimi-adapters/1.0"})
    assert (refused.status, refused.error["type"]) == (403, "access_terminated_error")
    assert client.send("POST", "/v1/chat/completions", body, LISTED).json["model"] == "kimi-for-coding"


def test_kimi_code_can_be_told_whom_to_let_in(client_of):
    with LocalKimi("kimi-code", admits=["mine/"]) as kimi:
        body = {"model": "k3", "messages": [USER]}
        assert client_of(kimi).send("POST", "/v1/chat/completions", body, {"user-agent": "mine/2"}).status == 200


def test_kimi_code_takes_two_mebibytes_of_messages(ask):
    body = {"model": "kimi-for-coding", "messages": [{"role": "user", "content": "a" * 2_097_152}]}
    reply = ask("kimi-code").send("POST", "/v1/chat/completions", body, LISTED)
    assert (reply.status, reply.error["message"]) == (400, "total message size 2097182 exceeds limit 2097152")


def test_kimi_code_switches_k3_off(ask):
    body = {"model": "k3", "messages": [USER], "thinking": {"type": "disabled"}}
    reply = ask("kimi-code").send("POST", "/v1/chat/completions", body, LISTED)
    assert not reply.message.get("reasoning_content")
