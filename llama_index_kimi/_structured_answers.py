"""Reading structured answers out of LlamaIndex's responses, whole or while they stream."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from functools import lru_cache
from typing import TYPE_CHECKING, Any

from llama_index.core.base.llms.types import ChatMessage, ChatResponse, MessageRole, ToolCallBlock
from llama_index.core.types import Model
from pydantic import AliasChoices, BaseModel, Field, RootModel, create_model
from pydantic_core import to_json

from kimi_core import structured_output
from kimi_core.errors import OutputError, StructuredOutputError
from kimi_core.openai_shapes import refusal_of
from kimi_core.schema import wrapped
from llama_index_kimi._messages_in import bill_facts, read_bill
from llama_index_kimi._turns import last_text

if TYPE_CHECKING:
    from llama_index.core.program.utils import FlexibleModel


def read(response: ChatResponse, output_cls: type[Model]) -> Model:
    """The object that a response is.

    Raises:
        StructuredOutputError, TruncatedError, RefusedError: It is none.
    """
    if refusal := refusal_of(response.message.additional_kwargs):
        raw, reason = response.raw or {}, response.additional_kwargs.get("finish_reason")
        raise structured_output.refused(refusal, raw.get("model"), raw.get("host"), reason)
    # As JSON, since a class may be stricter about Python values than about what JSON can say.
    return structured_output.read(
        _written(response, output_cls, empty="{}"),
        lambda value: output_cls.model_validate_json(to_json(_unwrapped(value, output_cls))),
        response.additional_kwargs.get("finish_reason"),
    )


def _unwrapped(value: Any, output_cls: type[BaseModel]) -> Any:
    """The value of a class; where that is no object, a tool gives it inside of one."""
    return structured_output.unwrapped(value) if _is_wrapped(output_cls) else value


@lru_cache(maxsize=256)
def _is_wrapped(output_cls: type[BaseModel]) -> bool:
    return issubclass(output_cls, RootModel) and wrapped(output_cls.model_json_schema()) is not None


def _written(response: ChatResponse, output_cls: type[BaseModel], *, empty: str = "") -> str:
    """The answer, or the arguments of the first call of the tool that stands for it."""
    for call in response.message.additional_kwargs.get("tool_calls") or ():
        if call["function"]["name"] == output_cls.__name__:
            return str(call["function"]["arguments"]) or empty
    return last_text(response.message)


def as_json(output: BaseModel, response: ChatResponse) -> str:
    """The object as JSON that its class reads: agents and query engines make it anew from that.

    That is how LlamaIndex itself writes it, unless the class does not take that back (aliases, computed fields of a
    class that forbids others). Then it is the answer as the model gave it, which the class has just read.
    """
    text = output.model_dump_json()
    try:
        type(output).model_validate_json(text)
    except ValueError:
        said = _written(response, type(output), empty="{}")
        value = structured_output.parse_partial(said) or structured_output.parse_json(said)
        return to_json(_unwrapped(value, type(output))).decode()
    return text


# ------------------------------------------------------------------------------------------------ asking again


def correction(
    messages: Sequence[ChatMessage], response: ChatResponse, output_cls: type[BaseModel]
) -> list[ChatMessage] | None:
    """The conversation with the answer and what is wrong with it; None when nothing is that asking could mend."""
    try:
        read(response, output_cls)
    except StructuredOutputError as error:
        return [*messages, *_turn(response.message, structured_output.complaint(error), error.text)]
    except OutputError:
        return None
    return None


def _turn(answer: ChatMessage, complaint: str, text: str) -> list[ChatMessage]:
    calls = [block for block in answer.blocks if isinstance(block, ToolCallBlock)]
    if calls and all(isinstance(call.tool_kwargs, dict) for call in calls):
        return [answer, *(_result(call, complaint) for call in calls)]
    # Arguments that are no JSON are told as text: servers that put them into a template parse them before.
    spoken = ChatMessage(role=MessageRole.ASSISTANT, content=text) if calls else answer
    return [*([spoken] if text else []), ChatMessage(role=MessageRole.USER, content=complaint)]


def _result(call: ToolCallBlock, text: str) -> ChatMessage:
    return ChatMessage(role=MessageRole.TOOL, content=text, additional_kwargs={"tool_call_id": call.tool_call_id})


def summed(first: ChatResponse, second: ChatResponse) -> ChatResponse:
    """The second response with the price of both. Its `raw` stays what the host said."""
    bill = read_bill(first.additional_kwargs) + read_bill(second.additional_kwargs)
    return second.model_copy(update={"additional_kwargs": {**second.additional_kwargs, **bill_facts(bill)}})


# -------------------------------------------------------------------------------------------------- unfinished


class PartialReader:
    """Reads the growing object of a stream.

    What fits the class already is of that class; until then it is of one with the same fields, all of them optional.
    """

    def __init__(self, output_cls: type[BaseModel]) -> None:
        self._output_cls = output_cls
        self._growth = structured_output.Growth()

    def read(self, response: ChatResponse) -> BaseModel | None:
        """The object so far; None when not enough was added to it."""
        text = _written(response, self._output_cls)
        if not self._growth.is_due(len(text)):
            return None
        value = _unwrapped(self._growth.read(text), self._output_cls)
        return None if value is None or (value == {} and _is_wrapped(self._output_cls)) else self._object(value)

    def _object(self, value: Any) -> BaseModel | None:
        try:
            return self._output_cls.model_validate_json(to_json(value))
        except Exception:  # validators of the user's own expect whole values
            if not isinstance(value, Mapping):
                return None
            fields = {"root": value} if issubclass(self._output_cls, RootModel) else value
            return _flexible(self._output_cls).model_validate(fields)


@lru_cache(maxsize=256)
def _flexible(output_cls: type[BaseModel]) -> type[FlexibleModel]:
    """A class with the same fields, all optional and of any type."""
    from llama_index.core.program.utils import FlexibleModel

    fields: dict[str, Any] = {
        name: (Any, Field(default=None, validation_alias=AliasChoices(name, *_aliases(field))))
        for name, field in output_cls.model_fields.items()
    }
    return create_model(f"Flexible{output_cls.__name__}", __base__=FlexibleModel, **fields)


def _aliases(field: Any) -> list[Any]:
    """The other names of a field in JSON."""
    alias = field.validation_alias or field.alias
    return list(alias.choices) if isinstance(alias, AliasChoices) else [alias] if alias else []
