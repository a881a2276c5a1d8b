import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from kimi_core.request.tool_names import safe_names

# Moonshot's chat API page: `^[a-zA-Z_][a-zA-Z0-9-_]{2,63}$`
LEGAL = re.compile(r"^[a-zA-Z_][a-zA-Z0-9-_]{2,63}\Z")

LEGAL_NAMES = st.from_regex(r"[a-zA-Z_][a-zA-Z0-9_-]{2,63}", fullmatch=True)
# Few letters, so that names are often spelled alike.
ALIKE = st.text("ab_-. äé天", max_size=4)
NAMES = st.lists(st.one_of(LEGAL_NAMES, ALIKE, st.text(max_size=80), st.from_regex(r"\$[a-z_]+", fullmatch=True)))


@given(NAMES)
def test_every_name_sent_is_one_that_the_server_takes(names):
    assert all(LEGAL.match(sent) or (sent == name and name.startswith("$")) for name, sent in safe_names(names).items())


@given(NAMES)
def test_no_two_names_are_sent_alike(names):
    sent = safe_names(names)
    assert len(set(sent.values())) == len(sent) == len(set(names))


@given(NAMES)
def test_legal_and_builtin_names_are_sent_as_they_are(names):
    assert all(sent == name for name, sent in safe_names(names).items() if LEGAL.match(name) or name.startswith("$"))


@given(NAMES, st.randoms(use_true_random=False))
def test_the_order_of_the_names_does_not_matter(names, random):
    shuffled = random.sample(names, len(names))
    assert safe_names(shuffled) == safe_names(names)


@given(NAMES)
def test_the_answer_keeps_the_order_of_the_names(names):
    assert list(safe_names(names)) == list(dict.fromkeys(names))


@given(NAMES)
def test_names_that_were_made_safe_are_safe(names):
    sent = list(safe_names(names).values())
    assert safe_names(sent) == dict(zip(sent, sent, strict=True))


@given(NAMES)
def test_a_name_of_another_kind_changes_nothing(names):
    with_another = safe_names(["zz.unrelated.zz", *names])
    assert {name: with_another[name] for name in names} == {name: safe_names(names)[name] for name in names}


@pytest.mark.parametrize(
    ("name", "sent"),
    [
        ("get_weather", "get_weather"),
        ("$web_search", "$web_search"),
        ("github.search_code", "github_search_code"),
        ("get weather!", "get_weather"),
        ("précis", "precis"),
        ("go", "tool_go"),
        ("3d-plot", "tool_3d-plot"),
        ("...", "tool"),
        ("", "tool"),
    ],
)
def test_is_sent_as(name, sent):
    assert safe_names([name]) == {name: sent}


@pytest.mark.parametrize(
    ("name", "start"),
    [("获取天气", "tool_"), ("get_天气", "get_"), ("a" * 65, "a" * 55 + "_"), ("ﬃ" * 64, "ffi" * 18 + "f_")],
)
def test_a_name_that_loses_letters_gets_a_mark_of_its_own(name, start):
    assert re.fullmatch(re.escape(start) + "[0-9a-f]{8}", safe_names([name])[name])


def test_names_that_would_be_spelled_alike_all_get_a_mark():
    sent = safe_names(["get.weather", "get weather", "get_weather"])
    assert sent["get_weather"] == "get_weather"
    assert all(re.fullmatch("get_weather_[0-9a-f]{8}", sent[name]) for name in ("get.weather", "get weather"))


def test_a_name_that_looks_like_another_one_with_its_mark_is_kept_apart():
    marked = safe_names(["get.weather", "get weather"])["get.weather"]
    names = ["get.weather", "get weather", marked.replace("_", ".")]
    sent = safe_names(names)
    assert len(set(sent.values())) == 3
    assert safe_names(names[::-1]) == sent
