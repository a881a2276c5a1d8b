"""What the rules say when no tool is called."""

from __future__ import annotations

import pytest

LEAVE = "Employees get 25 vacation days per year. Unused days expire in March."
TRAVEL = "Flights under six hours are booked in economy class. Hotels may cost up to 180 euros per night."
LLAMA_INDEX = f"""Context information is below.
---------------------
file_path: docs/leave.md

{LEAVE}

file_path: docs/travel.md

{TRAVEL}
---------------------
Given the context information and not prior knowledge, answer the query.
Query: {{question}}
Answer: """


@pytest.mark.parametrize("asked", ["Hello", "hi", "Hey there!", "Good morning", "你好"])
def test_a_greeting_is_returned(moonshot, asked):
    assert moonshot.chat(asked).text == "Hello! I am a local Kimi emulator. How can I help you?"


@pytest.mark.parametrize(("asked", "words"), [("how are you", "I am well"), ("Thanks!", "You are welcome!")])
def test_small_talk_is_kept_up(moonshot, asked, words):
    assert words in moonshot.chat(asked).text


@pytest.mark.parametrize(
    ("asked", "answer"),
    [
        ("what is 17 * 23?", "17 * 23 = 391"),
        ("What is 3 + 4", "3 + 4 = 7"),
        ("How much is 12 plus 30 times 2?", "12 + 30 * 2 = 72"),
        ("Compute (1 + 2) * 3, please.", "(1 + 2) * 3 = 9"),
        ("What is 10 divided by 4?", "10 / 4 = 2.5"),
        ("What is 1,000 × 2?", "1000 * 2 = 2000"),
    ],
)
def test_a_sum_is_worked_out(moonshot, asked, answer):
    assert moonshot.chat(asked).text == answer


@pytest.mark.parametrize("asked", ["What is 1 / 0?", "What is 9 ** 9 ** 9 ** 9?", "What happened on 2026-01-02?"])
def test_what_is_no_sum_is_not_worked_out(moonshot, asked):
    assert "=" not in moonshot.chat(asked).text


@pytest.mark.parametrize(
    ("asked", "answer"),
    [
        ("Say exactly: Foo Bar.", "Foo Bar"),
        ("Reply with OK.", "OK"),
        ("Respond only with 'yes, sir!'", "yes, sir!"),
        ('Repeat "hello world"', "hello world"),
        ("Repeat after me: all is well", "all is well"),
        ("Please say cheese", "cheese"),
        ("Reply with exactly: naïve 你好 🚀", "naïve 你好 🚀"),
    ],
)
def test_asked_for_words_it_says_them(moonshot, asked, answer):
    assert moonshot.chat(asked).text == answer


def test_it_counts(moonshot):
    assert moonshot.chat("Count from 3 to 6.").text == "3 4 5 6"


@pytest.mark.parametrize(
    ("question", "answer"),
    [
        ("How many vacation days do employees get?", "Employees get 25 vacation days per year."),
        ("What happens to unused days?", "Unused days expire in March."),
        ("What may a hotel cost?", "Hotels may cost up to 180 euros per night."),
    ],
)
def test_a_question_is_answered_from_the_context_of_the_prompt(moonshot, question, answer):
    assert moonshot.chat(LLAMA_INDEX.format(question=question)).text == answer


def test_a_question_is_answered_from_the_system_prompt(moonshot):
    messages = [
        {"role": "system", "content": f"Use this context:\n\n{LEAVE}\n{TRAVEL}"},
        {"role": "user", "content": "When do unused days expire?"},
    ]
    assert moonshot.chat(messages).text == "Unused days expire in March."


def test_a_question_is_answered_across_lines_of_a_list(moonshot):
    asked = "# Opening hours\n- Monday: 9 to 5\n- Sunday: closed\n\nQuestion: What are the hours on Sunday?"
    assert moonshot.chat(asked).text == "Sunday: closed"


def test_a_heading_helps_to_find_the_sentence_below_it(moonshot):
    asked = "## Parking\nIt costs 5 euros.\n\n## Lunch\nIt costs 9 euros.\n\nQuestion: What does lunch cost?"
    assert moonshot.chat(asked).text == "It costs 9 euros."


def test_a_question_in_chinese_is_answered_from_chinese(moonshot):
    assert moonshot.chat("北京是中国的首都。上海是最大的城市。\n问题: 中国的首都是哪里？").text == "北京是中国的首都。"


@pytest.mark.parametrize(
    ("marker", "cited"),
    [
        ("[docs/a.md]", "[docs/a.md]"),
        ("Source: docs/a.md", "(Source: docs/a.md)"),
        ("file_path: docs/a.md", "(file_path: docs/a.md)"),
        ("Source 2:", "[2]"),
        ('<document source="a.md">', "[a.md]"),
    ],
)
def test_the_source_is_kept_when_asked_for(moonshot, marker, cited):
    system = f"Cite your sources.\n\n{marker}\nThe Eiffel Tower is 330 metres tall.\n"
    messages = [{"role": "system", "content": system}, {"role": "user", "content": "How tall is the Eiffel Tower?"}]
    assert moonshot.chat(messages).text == f"The Eiffel Tower is 330 metres tall. {cited}"


def test_the_source_is_left_out_when_not_asked_for(moonshot):
    system = "[docs/a.md]\nThe Eiffel Tower is 330 metres tall.\n"
    messages = [{"role": "system", "content": system}, {"role": "user", "content": "How tall is the Eiffel Tower?"}]
    assert moonshot.chat(messages).text == "The Eiffel Tower is 330 metres tall."


def test_what_the_text_does_not_say_is_not_made_up(moonshot):
    assert (
        moonshot.chat(LLAMA_INDEX.format(question="Who is the emperor of Japan?")).text
        == "The given text does not say."
    )


def test_an_earlier_message_is_remembered(moonshot):
    messages = [
        {"role": "user", "content": "My name is Bob."},
        {"role": "assistant", "content": "Hi."},
        {"role": "user", "content": "What is my name?"},
    ]
    assert "Bob" in moonshot.chat(messages).text


def test_a_summary_takes_the_most_telling_sentences(moonshot):
    text = "Cats are mammals. Cats like milk. Dogs bark. Cats sleep a lot. The sun is hot."
    answer = moonshot.chat(f"Summarize the following text:\n{text}").text
    assert answer == "Cats are mammals. Cats like milk. Cats sleep a lot."


def test_a_follow_up_question_is_made_to_stand_alone(moonshot):
    asked = (
        "Rephrase the follow up question to be a standalone question.\n\nChat History:\nuser: hi\n\n"
        "Follow Up Input: And what about hotels?\nStandalone question:"
    )
    assert moonshot.chat(asked).text == "And what about hotels?"


def test_without_a_text_it_says_that_it_knows_nothing(moonshot):
    answer = moonshot.chat("What do you think about mankind?").text
    assert "mankind" in answer
    assert "local emulator" in answer


def test_the_reasoning_names_the_question_and_the_rule(moonshot):
    reasoning = moonshot.chat("what is 17 * 23?").message["reasoning_content"]
    assert "what is 17 * 23?" in reasoning
    assert "sum" in reasoning


def test_a_long_text_is_searched_quickly(moonshot):
    sentences = "".join(f"Item {at} weighs {at} grams. " for at in range(10_000))
    reply = moonshot.chat(
        f"{sentences}The golden crown weighs two kilograms.\n\nQuestion: What does the golden crown weigh?"
    )
    assert reply.text == "The golden crown weighs two kilograms."
