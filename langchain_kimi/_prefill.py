"""Beginning the model's answer for it."""

from __future__ import annotations

from langchain_core.messages import AIMessage


def prefill(text: str, name: str | None = None) -> AIMessage:
    """The beginning of an answer, for the model to continue (Moonshot's partial mode).

    Put it at the end of the conversation. Hosts answer with what comes after it; `include_prefill=True` puts it
    before that again. An answer that the token limit cut is continued the same way.

    ```python
    model.invoke([("user", "List three colours as JSON."), prefill('{"colours": [')], include_prefill=True)
    ```

    Args:
        text: What the answer begins with.
        name: Who speaks, for characters in a play.

    Returns:
        A message with `additional_kwargs={"partial": True}`.
    """
    return AIMessage(text, name=name, additional_kwargs={"partial": True})
