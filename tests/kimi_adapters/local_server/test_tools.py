"""Which tools are called, with which arguments, for how many turns."""

from __future__ import annotations

import json
import time

import pytest

OFF = {"thinking": {"type": "disabled"}}
NUMBERS = {"type": "array", "items": {"type": "number"}}
FILES = {"a.txt": "Report of 2026\nitems: 3\ntotal: 123.45", "b.csv": "item,amount\nfoo,12.5\ntotal,76.55"}


def same(name, arguments):
    return "ok"


@pytest.fixture
def weather(tool):
    return tool("get_weather", "Get the weather for a location", location="string")


@pytest.fixture
def files(tool):
    return [
        tool("list_files", "List the files in a folder", folder="string"),
        tool("read_file", "Read a file", path="string"),
        tool("add_numbers", "Add numbers", numbers=NUMBERS),
    ]


def run_files(name, arguments):
    if name == "list_files":
        return json.dumps(list(FILES))
    return FILES[arguments["path"]] if name == "read_file" else str(sum(arguments["numbers"]))


def test_a_call_that_is_written_out_is_made(moonshot, tool):
    magic = tool("magic_function", "Apply a magic function to an input.", input="integer")
    reply = moonshot.chat("What is the value of magic_function(3)? Use the tool.", tools=[magic])
    assert reply.calls == [("magic_function", {"input": 3})]
    assert reply.json["choices"][0]["finish_reason"] == "tool_calls"


def test_a_tool_without_parameters_gets_none(moonshot, tool):
    reply = moonshot.chat("What is the value of ping()? Use the tool.", tools=[tool("ping")])
    assert reply.calls == [("ping", {})]


def test_keywords_in_a_written_call_are_kept(moonshot, tool):
    book = tool("book", people="integer", city="string")
    reply = moonshot.chat("Call book(city='Oslo', people=4).", tools=[book])
    assert reply.calls == [("book", {"people": 4, "city": "Oslo"})]


@pytest.mark.parametrize(
    ("asked", "location"),
    [
        ("What is the weather in San Francisco, CA?", "San Francisco, CA"),
        ("what's the weather in paris?", "paris"),
        ("Weather for New York please", "New York"),
        ("重庆的天气 weather", "重庆"),
    ],
)
def test_a_place_is_taken_from_the_question(moonshot, weather, asked, location):
    assert moonshot.chat(asked, tools=[weather]).calls == [("get_weather", {"location": location})]


def test_several_places_are_several_calls(moonshot, weather):
    reply = moonshot.chat("What is the weather in Paris, Rome and New York?", tools=[weather])
    assert [arguments["location"] for _, arguments in reply.calls] == ["Paris", "Rome", "New York"]


def test_two_tools_get_the_place_that_belongs_to_each(moonshot, tool, weather):
    clock = tool("get_time", "Tell the time in a city", city="string")
    reply = moonshot.chat("What is the current time in Tokyo and the weather in Paris?", tools=[weather, clock])
    assert reply.calls == [("get_time", {"city": "Tokyo"}), ("get_weather", {"location": "Paris"})]


def test_a_style_is_taken_from_the_request(moonshot, tool):
    greet = tool("greeting_generator", "Generate a greeting in a particular style.", answer_style="string")
    reply = moonshot.chat("Using the tool, generate a Pirate greeting.", tools=[greet])
    assert reply.calls == [("greeting_generator", {"answer_style": "Pirate"})]


@pytest.mark.parametrize("name", ["你好啊集团", "こんにちは株式会社"])
def test_names_in_other_scripts_arrive_unescaped(moonshot, tool, name):
    create = tool("unicode_customer", "Create a customer.", customer_name="string", description="string")
    reply = moonshot.chat(f"Create a customer named '{name}' (Hello Group) - an Asian company", tools=[create])
    assert reply.calls == [("unicode_customer", {"customer_name": name, "description": "an Asian company"})]
    assert name.encode() in reply.data


def test_each_parameter_gets_the_mention_that_suits_it(moonshot, tool):
    send = tool("send_email", "Send an email", to="string", subject="string", body="string")
    reply = moonshot.chat(
        "Send an email to ann@example.com with the subject 'Hello' saying that lunch is at 12:30", tools=[send]
    )
    assert reply.calls == [("send_email", {"to": "ann@example.com", "subject": "Hello", "body": "lunch is at 12:30"})]


def test_optional_parameters_are_filled_only_with_evidence(moonshot, tool):
    unit = {"type": "string", "enum": ["celsius", "fahrenheit"]}
    weather = tool("get_weather", required=["city"], city="string", unit=unit, days="integer")
    plain = moonshot.chat("What is the weather in Oslo?", tools=[weather])
    told = moonshot.chat("What is the weather in Oslo in fahrenheit for 5 days?", tools=[weather])
    assert plain.calls == [("get_weather", {"city": "Oslo"})]
    assert told.calls == [("get_weather", {"city": "Oslo", "unit": "fahrenheit", "days": 5})]


def test_a_tool_that_nobody_speaks_of_is_not_called(moonshot, weather, tool):
    reply = moonshot.chat("Hello!", tools=[weather, tool("magic_function", input="integer")])
    assert reply.calls == []
    assert reply.text


def test_the_tool_of_a_sum_is_called(moonshot, tool):
    adder = tool("my_adder_tool", "Takes two integers, a and b, and returns their sum.", a="integer", b="integer")
    assert moonshot.chat("What is 1 + 2", tools=[adder]).calls == [("my_adder_tool", {"a": 1, "b": 2})]


def test_a_question_goes_to_the_tool_that_searches(moonshot, tool):
    search = tool("search_handbook", "Search the employee handbook", query="string")
    asked = "How many vacation days do new employees get?"
    assert moonshot.chat(asked, tools=[search]).calls == [("search_handbook", {"query": asked})]


def test_the_system_prompt_can_demand_a_tool(moonshot, tool):
    messages = [
        {"role": "system", "content": "Always use the tool lookup before you answer."},
        {"role": "user", "content": "Tell me about Mars."},
    ]
    reply = moonshot.chat(messages, tools=[tool("lookup", query="string")])
    assert [name for name, _ in reply.calls] == ["lookup"]


def test_choice_none_never_calls(moonshot, weather):
    assert moonshot.chat("What is the weather in Oslo?", tools=[weather], tool_choice="none").calls == []


def test_choice_required_always_calls(moonshot, weather):
    reply = moonshot.chat("Hello!", tools=[weather], tool_choice="required", model="kimi-k3")
    assert [name for name, _ in reply.calls] == ["get_weather"]


def test_a_named_choice_calls_that_tool(moonshot, weather, tool):
    choice = {"type": "function", "function": {"name": "ping"}}
    reply = moonshot.chat("What is the weather in Oslo?", tools=[weather, tool("ping")], tool_choice=choice, **OFF)
    assert reply.calls == [("ping", {})]


def test_a_tool_named_like_a_class_takes_the_answer(moonshot, tool):
    joke = tool("Joke", "Joke to tell user.", setup="string", punchline="string")
    ((name, arguments),) = moonshot.chat("Tell me a joke about cats.", tools=[joke]).calls
    assert name == "Joke"
    assert "cats" in arguments["setup"]
    assert arguments["punchline"]


def test_a_tool_named_like_a_class_waits_for_the_others(moonshot, tool, weather):
    report = tool("WeatherReport", "The final answer.", city="string", degrees="integer")
    turns, _ = moonshot.loop("What is the weather in Oslo?", [report, weather], lambda *_: "Sunny, 21 degrees")
    assert turns == [
        [("get_weather", {"location": "Oslo"})],
        [("WeatherReport", {"city": "Oslo", "degrees": 21})],
    ]


def test_a_result_is_answered_in_text(moonshot, weather):
    turns, answer = moonshot.loop("What is the weather in Oslo?", [weather], lambda *_: "It's sunny.")
    assert len(turns) == 1
    assert "It's sunny." in answer


def test_a_long_result_is_searched_for_the_answer(moonshot, tool):
    search = tool("search_handbook", "Search the employee handbook", query="string")
    text = "Employees get 25 vacation days a year. " + "Lunch is at noon in the hall. " * 40
    _, answer = moonshot.loop("How many vacation days do employees get?", [search], lambda *_: text)
    assert answer == "Employees get 25 vacation days a year."


@pytest.mark.parametrize(
    "asked",
    [
        "List the files in the folder, read each of them, then add up the totals with add_numbers and tell me "
        "the result",
        "List the files in the folder invoices, read each file and add the totals.",
        "Use list_files, then read_file for all of them, and finally add_numbers on the totals.",
    ],
)
def test_a_plan_of_three_turns_is_carried_out(moonshot, files, asked):
    turns, answer = moonshot.loop(asked, files, run_files)
    assert [[name for name, _ in turn] for turn in turns] == [
        ["list_files"],
        ["read_file", "read_file"],
        ["add_numbers"],
    ]
    assert [arguments["path"] for _, arguments in turns[1]] == ["a.txt", "b.csv"]
    assert turns[2][0][1] == {"numbers": [123.45, 76.55]}
    assert "200.0" in answer


@pytest.mark.parametrize(
    "listing",
    ['{"files": ["a.txt", "b.csv"]}', "a.txt\nb.csv", "- a.txt\n- b.csv", '[{"name": "a.txt"}, {"name": "b.csv"}]'],
)
def test_listed_items_are_read_in_parallel_whatever_the_listing_looks_like(moonshot, files, listing):
    turns, _ = moonshot.loop(
        "List the files in the folder and read each of them.",
        files[:2],
        lambda name, arguments: listing if name == "list_files" else "text",
    )
    assert turns[1] == [("read_file", {"path": "a.txt"}), ("read_file", {"path": "b.csv"})]


def test_a_tool_is_called_as_often_as_asked_and_counts_up(moonshot, tool):
    ping = tool("ping", "Ping a host", step="integer", host="string")
    turns, _ = moonshot.loop("Call ping 3 times on host example.com", [ping], same)
    assert turns == [[("ping", {"step": at, "host": "example.com"})] for at in (1, 2, 3)]


def test_twenty_turns_end_after_twenty(moonshot, tool):
    turns, _ = moonshot.loop("Use ping for 20 turns.", [tool("ping", step="integer")], same, most=25)
    assert [turn[0][1]["step"] for turn in turns] == list(range(1, 21))


def test_two_at_a_time_are_two_calls_a_turn(moonshot, tool):
    turns, _ = moonshot.loop("Call ping 2 times, two at a time.", [tool("ping", step="integer")], same)
    assert [[arguments["step"] for _, arguments in turn] for turn in turns] == [[1, 2], [3, 4]]


def test_several_tools_in_parallel_are_called_in_each_turn(moonshot, tool):
    tools = [tool("ping", step="integer"), tool("pong", step="integer")]
    turns, _ = moonshot.loop("Use ping and pong in parallel for 2 turns.", tools, same)
    assert turns == [[("ping", {"step": at}), ("pong", {"step": at})] for at in (1, 2)]


def test_a_result_that_names_the_next_call_is_followed_and_not_twice(moonshot, files):
    texts = {"a.txt": "next: read_file b.txt", "b.txt": "next: read_file a.txt"}
    turns, _ = moonshot.loop("Read a.txt.", files, lambda _, arguments: texts[arguments["path"]])
    assert [turn[0][1]["path"] for turn in turns] == ["a.txt", "b.txt"]


def test_a_sum_of_several_steps_uses_the_tool_of_each(moonshot, tool):
    tools = [
        tool("multiply", "Multiply two integers", a="integer", b="integer"),
        tool("add", "Add two integers", a="integer", b="integer"),
    ]
    turns, answer = moonshot.loop(
        "What is 20 + (2 * 4)?",
        tools,
        lambda name, given: str(given["a"] * given["b"] if name == "multiply" else given["a"] + given["b"]),
    )
    assert turns == [[("multiply", {"a": 2, "b": 4})], [("add", {"a": 20, "b": 8})]]
    assert "28" in answer


def test_tools_of_a_k3_system_message_are_called(moonshot, tool):
    messages = [{"role": "system", "tools": [tool("ping")]}, {"role": "user", "content": "Use ping."}]
    assert moonshot.chat(messages, model="kimi-k3").calls == [("ping", {})]


def test_the_builtin_search_hands_its_arguments_through(moonshot):
    search = {"type": "builtin_function", "function": {"name": "$web_search"}}
    asked = {"role": "user", "content": "Who won the match?"}
    first = moonshot.chat([asked], tools=[search], model="kimi-k3")
    (call,) = first.message["tool_calls"]
    assert (call["type"], call["function"]["name"]) == ("builtin_function", "$web_search")
    assert json.loads(call["function"]["arguments"])["usage"]["total_tokens"] > 0
    result = {
        "role": "tool", "tool_call_id": call["id"], "name": "$web_search", "content": call["function"]["arguments"],
    }  # fmt: skip
    last = moonshot.chat([asked, first.message, result], tools=[search], model="kimi-k3")
    assert last.json["choices"][0]["finish_reason"] == "stop"
    assert "searched" in last.text


NASTY = {
    "blanks": "word" + " " * 20_000,
    "one long word": "a" * 20_000,
    "a capital and blanks": "A " + " " * 20_000,
    "digits and blanks": "1 " * 10_000,
    "commas": "a," * 10_000,
    "colons": "a: " * 6_666,
    "quotes": "'\"" * 10_000,
    "braces": "{" * 20_000,
    "brackets": "(" * 20_000,
    "hyphens": "a-" * 10_000,
    "slashes and dots": "a/b." * 5_000,
    "capitals": "Ab Cd " * 3_333,
    "Chinese": "你好" * 10_000,
    "and": "a and " * 3_333,
    "key": "key " * 5_000,
    "lines": "a: b\n" * 4_000,
}


@pytest.mark.parametrize("text", NASTY.values(), ids=NASTY.keys())
def test_no_text_makes_the_rules_slow(moonshot, tool, text):
    everything = tool(
        "search_files",
        "Search files",
        path="string",
        city="string",
        count="integer",
        names={"type": "array", "items": {}},
    )
    people = tool("Person", name="string", email="string", people={"type": "array", "items": {"type": "object"}})
    started = time.perf_counter()
    for body in ({}, {"tools": [everything, people]}, {"response_format": {"type": "json_object"}}):
        assert moonshot.chat(f"What is it?\n{text}\nSearch the files in the folder x", **body).status == 200
    call = {
        "id": "functions.search_files:0",
        "type": "function",
        "function": {"name": "search_files", "arguments": "{}"},
    }
    messages = [
        {"role": "user", "content": "Search the files, then use Person."},
        {"role": "assistant", "content": "", "reasoning_content": "Yes.", "tool_calls": [call]},
        {"role": "tool", "tool_call_id": "functions.search_files:0", "content": text},
    ]
    assert moonshot.chat(messages, tools=[everything, people]).status == 200
    assert time.perf_counter() - started < 20  # quadratic rules take longer by far
