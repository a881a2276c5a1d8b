"""A conformance suite for LlamaIndex LLMs, over real HTTP, against a server that is as strict as Kimi's.

LlamaIndex has no such suite of its own. To put a class through it, subclass what is wanted and say how it is made:

```python
from llama_index_conformance import Contract, LLMUnderTest


class TestMyLLM(Contract):
    def make(self, kimi, **options):
        return MyLLM(model="kimi-k2.6", api_base=kimi.base_url, api_key=kimi.api_key, **options)
```

`Contract` is what llama-index-core expects of any LLM that calls functions and thinks. `KnownFailures` and `Complaints`
are what breaks with Kimi, and what users of LlamaIndex complain of, one test each.
"""

from llama_index_conformance.base import LLMUnderTest
from llama_index_conformance.complaints import Complaints
from llama_index_conformance.contract import Contract
from llama_index_conformance.known_failures import KnownFailures

__all__ = ["Complaints", "Contract", "KnownFailures", "LLMUnderTest"]
