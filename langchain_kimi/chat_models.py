"""`ChatKimi`: Kimi as a LangChain chat model."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Any, Literal

from langchain_core.language_models import LanguageModelInput
from langchain_core.messages import AIMessage
from langchain_core.runnables import Runnable
from pydantic import ConfigDict

from langchain_kimi import _blocks, _errors
from langchain_kimi._counting import Counting
from langchain_kimi._fields import DEFAULT_MODEL as DEFAULT_MODEL
from langchain_kimi._tools import to_dicts

if TYPE_CHECKING:
    from langchain_core.tools import BaseTool
else:
    BaseTool = Any  # LangChain resolves annotations (`with_fallbacks`), and importing its tools costs 20 ms

_errors.register()
_blocks.register()

StructuredMethod = Literal["auto", "json_schema", "function_calling", "json_mode"]


class ChatKimi(Counting):
    """Kimi models (Moonshot AI) in LangChain, from any host that serves them.

    Setup:
        Install `kimi-adapters[langchain]` and set `MOONSHOT_API_KEY` (or the variable of another host).

    Instantiate:
        ```python
        from langchain_kimi import ChatKimi

        model = ChatKimi(model="kimi-k2.6")
        ```

    Invoke:
        ```python
        message = model.invoke("What is the capital of France?")
        message.text  # the answer
        message.content_blocks  # reasoning and answer, as standard blocks
        ```

    Stream:
        ```python
        for chunk in model.stream("Tell me about MoE models."):
            print(chunk.text, end="", flush=True)
        ```

    Tool calling:
        ```python
        model.bind_tools([get_weather]).invoke("What is the weather in Tokyo?").tool_calls
        ```
        Reasoning stays on the messages and is sent back, as Kimi demands in tool loops.

    The host's own tools:
        ```python
        model = ChatKimi(server_tools=["moonshot/web-search:latest"])
        message = model.invoke("Who won the match yesterday?")  # searches, reads, and answers
        message.content_blocks  # with `server_tool_call` and `server_tool_result` among them
        ```

    Structured output:
        ```python
        model.with_structured_output(Person).invoke("Ada Lovelace was 36.")
        ```

    Token usage:
        ```python
        message.usage_metadata  # input, output and total tokens; cached and reasoning tokens in the details
        message.response_metadata["cost_usd"]
        ```

    Every option of the constructor can also be given per call (or bound with `bind`), and the call wins. An option
    that does not exist raises `kimi_core.UnknownOptionError`. What says where calls go (`host`, `base_url`, `api_key`,
    `timeout`, …) is settled at construction and frozen; for another host make another model.
    """

    model_config = ConfigDict(defer_build=False)

    def bind(self, **kwargs: Any) -> Runnable[LanguageModelInput, AIMessage]:  # type: ignore[override]
        """Bind options to the model. A key and headers among them are shown nowhere."""
        from langchain_kimi._binding import Binding  # with the first one

        return Binding(bound=self, kwargs=kwargs, config={})

    def bind_tools(
        self,
        tools: Sequence[dict[str, Any] | type | Callable[..., Any] | BaseTool],
        *,
        tool_choice: str | dict[str, Any] | bool | None = None,
        strict: bool | None = None,
        parallel_tool_calls: bool | None = None,
        **kwargs: Any,
    ) -> Runnable[LanguageModelInput, AIMessage]:
        """Offer tools to the model.

        Args:
            tools: In any form that LangChain knows: tools, functions, pydantic classes, TypedDicts, dicts of OpenAI
                or Anthropic, and the host's own, which this package runs: `kimi_core.web_search()` and
                `kimi_core.formula(uri)`.
            tool_choice: `auto`, `none`, `any` or `required`, a tool's name, True (one must be called), or a dict.
                While the model thinks, Moonshot lets nobody force a tool: thinking that was left unset is
                switched off for the call; thinking that was asked for stays, and the answer is checked.
            strict: Constrain the arguments to the schema.
            parallel_tool_calls: False takes one tool call per answer, the first, and is told to hosts that have the
                switch.
            **kwargs: Options for the call, `response_format` among them.

        Raises:
            ConfigError: It is no list, or something in it is no tool for Kimi.
        """
        if formatted := to_dicts(tools, strict):
            kwargs["tools"] = formatted
        asked = {"tool_choice": tool_choice, "parallel_tool_calls": parallel_tool_calls}
        return self.bind(**kwargs, **{word: value for word, value in asked.items() if value is not None})

    def with_structured_output(
        self,
        schema: Any = None,
        *,
        method: StructuredMethod = "auto",
        include_raw: bool = False,
        strict: bool | None = None,
        repair: bool = False,
        **kwargs: Any,
    ) -> Runnable[LanguageModelInput, Any]:
        """Answers as instances of a schema.

        Args:
            schema: A pydantic class (v2 or v1), a TypedDict, a dataclass or any other type that pydantic knows
                (`list[Person]`), a JSON schema, an OpenAI function, or a tool. None only with `method="json_mode"`.
            method: `auto` takes the best that the host can do: `json_schema`, then a tool call
                (`function_calling`), then `json_mode`. With `json_mode` the prompt must describe the JSON.
            include_raw: Return `{"raw", "parsed", "parsing_error"}` instead of raising, in streams too.
            strict: Constrain decoding to the schema; True by default.
            repair: Ask once more when an answer does not fit, with the answer and what is wrong with it as further
                messages. Not after a token limit or a refusal, and not in streams. `raw` has the usage of both.
            **kwargs: Options for the calls.

        Raises:
            ConfigError: It is no schema, or no method.

        Raises (when called):
            OutputParserException: The answer does not fit; it is also a `kimi_core.StructuredOutputError`, or a
                `kimi_core.TruncatedError` when the token limit cut it.
            RefusedError: The host's filter withheld it, or the model refused (`kimi_core`); LangChain's
                `ModelRefusalError` too, where it has one.
        """
        from langchain_kimi._structured_output import with_schema  # brings LangChain's parsers, when needed

        return with_schema(
            self, schema, method=method, include_raw=include_raw, strict=strict, repair=repair, words=kwargs
        )
