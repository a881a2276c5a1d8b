"""A conformance suite for LlamaIndex LLMs, over real HTTP, against a server that is as strict as Kimi's.

LlamaIndex has no such suite of its own. To put a class through it, subclass what is wanted and say how it is made:

```python
from llama_index_conformance import Conformance


class TestMyLLM(Conformance):
    def make(self, kimi, **options):
        return MyLLM(model="kimi-k2.6", api_base=kimi.base_url, api_key=kimi.api_key, **options)
```

It is what llama-index-core expects of any LLM that calls functions and thinks, what breaks on Kimi when a class was
written for OpenAI, and what users of LlamaIndex complain of: one class for each subject, one test for each behaviour.
"""

from llama_index_conformance.agents import Agents
from llama_index_conformance.base import LLMUnderTest
from llama_index_conformance.chat import Chat
from llama_index_conformance.errors import Errors
from llama_index_conformance.events import Events
from llama_index_conformance.histories import Histories
from llama_index_conformance.lifetime import Lifetime
from llama_index_conformance.media import Media
from llama_index_conformance.streams import Streams
from llama_index_conformance.structured import Structured
from llama_index_conformance.thinking import Thinking
from llama_index_conformance.thinking_option import ThinkingOption
from llama_index_conformance.tools import Tools
from llama_index_conformance.usage import Usage

SUBJECTS: tuple[type[LLMUnderTest], ...] = (
    Chat,
    Streams,
    Thinking,
    ThinkingOption,
    Tools,
    Structured,
    Usage,
    Media,
    Histories,
    Agents,
    Events,
    Errors,
    Lifetime,
)
"""All of the suite, in its order."""


class EveryModel(Chat, Streams, Thinking, Tools, Structured, Usage, Media, Histories, Agents, Events, Errors, Lifetime):
    """What holds for a model that always thinks, and for one that never does."""


class Conformance(EveryModel, ThinkingOption):
    """The whole suite, for a model whose thinking can be switched."""


__all__ = [*(subject.__name__ for subject in SUBJECTS), "SUBJECTS", "Conformance", "EveryModel", "LLMUnderTest"]
