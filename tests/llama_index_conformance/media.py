"""Pictures, videos and the text beside them."""

from __future__ import annotations

from llama_index.core.base.llms.types import (
    CacheControl,
    CachePoint,
    ChatMessage,
    ImageBlock,
    TextBlock,
    VideoBlock,
)
from llama_index.core.llms.function_calling import FunctionCallingLLM

from kimi_adapters.local_server import LocalKimi
from llama_index_conformance.base import (
    ADD,
    CALL,
    CHAT,
    PIXEL,
    LLMUnderTest,
    Way,
    each,
    said,
    sent,
)

VIDEO = b"\x00\x00\x00\x18ftypmp42\x00\x00\x00\x00mp42isom" + bytes(64)


class Media(LLMUnderTest):
    """What can be seen is sent."""

    @each(CHAT)
    def test_a_picture_is_sent(self, llm: FunctionCallingLLM, kimi: LocalKimi, ask: Way) -> None:
        blocks = [TextBlock(text="What is this?"), ImageBlock(image=PIXEL, image_mimetype="image/png")]
        ask(llm, [ChatMessage(role="user", blocks=blocks)])
        assert [part["type"] for part in sent(kimi)["messages"][0]["content"]] == ["text", "image_url"]

    def test_a_data_url_is_a_picture(self, llm: FunctionCallingLLM, kimi: LocalKimi) -> None:
        blocks = [TextBlock(text="Hi"), ImageBlock(url="data:image/png;base64," + PIXEL)]
        llm.chat([ChatMessage(role="user", blocks=blocks)])
        assert kimi.errors == []

    def test_a_video_is_sent(self, llm: FunctionCallingLLM, kimi: LocalKimi) -> None:
        video = VideoBlock(video=VIDEO, video_mimetype="video/mp4")
        llm.chat([ChatMessage(role="user", blocks=[TextBlock(text="What is this?"), video])])
        assert [part["type"] for part in sent(kimi)["messages"][0]["content"]] == ["text", "video_url"]

    def test_a_picture_of_a_tool_is_sent(self, llm: FunctionCallingLLM, kimi: LocalKimi) -> None:
        kimi.enqueue(reasoning="I look.", tool_calls=[CALL])
        first = llm.chat_with_tools([ADD], "Look.").message
        picture = [TextBlock(text="Here:"), ImageBlock(image=PIXEL, image_mimetype="image/png")]
        result = ChatMessage(role="tool", blocks=picture, additional_kwargs={"tool_call_id": "add_0"})
        llm.chat_with_tools([ADD], chat_history=[*said("Look."), first, result])
        assert "image_url" in str(sent(kimi)["messages"])

    def test_a_cache_point_is_no_error(self, llm: FunctionCallingLLM, kimi: LocalKimi) -> None:
        point = CachePoint(cache_control=CacheControl(type="ephemeral"))
        llm.chat([ChatMessage(role="user", blocks=[TextBlock(text="Hello"), point])])
        assert kimi.errors == []
