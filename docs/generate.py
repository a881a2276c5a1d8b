"""Writes the tables of the documentation from the code that they describe.

    python docs/generate.py            write them
    python docs/generate.py --check    say which are stale, and fail if any is

A table stands between `<!-- table: NAME -->` and `<!-- end -->`; what is there is replaced.
"""

from __future__ import annotations

import json
import re
import sys
import warnings
from collections.abc import Callable, Iterable, Mapping
from pathlib import Path
from typing import Any

from docs import faults, features, peers, speed
from kimi_adapters.probe import QUESTIONS
from kimi_core import HOSTS, MODELS, KimiClient, Message, Options, Profile, Request, errors, options, resolve
from kimi_core.call_options import CallOptions
from kimi_core.connection_options import ClientOptions
from kimi_core.hosts import catalogue
from kimi_core.hosts.models import NEAREST, ModelSpec
from kimi_core.hosts.spec import HostSpec
from langchain_core.language_models import BaseChatModel
from langchain_kimi import ChatKimi
from langchain_kimi._errors import _BASES as LANGCHAIN_BASES
from llama_index.core.llms.function_calling import FunctionCallingLLM
from llama_index_kimi import KimiLLM
from pydantic import BaseModel
from pydantic.fields import FieldInfo

ROOT = Path(__file__).parent.parent
PAGES = (ROOT / "README.md", *sorted((ROOT / "docs" / "pages").glob("*.md")))
BLOCK = re.compile(r"(<!-- table: ([a-z-]+) -->\n).*?(<!-- end -->)", re.DOTALL)


def main() -> int:
    """Write, or check; the exit code."""
    stale = [page for page in PAGES if page.read_text("utf-8") != rendered(page)]
    check = "--check" in sys.argv[1:]
    for page in stale:
        print(f"{'stale' if check else 'written'}: {page.relative_to(ROOT)}")
        if not check:
            page.write_text(rendered(page), "utf-8")
    return 1 if check and stale else 0


def rendered(page: Path) -> str:
    """The page with its tables as they should be."""
    return BLOCK.sub(lambda found: f"{found[1]}\n{TABLES[found[2]]()}\n\n{found[3]}", page.read_text("utf-8"))


def table(head: Iterable[str], rows: Iterable[Iterable[object]]) -> str:
    """A table in Markdown."""
    head = list(head)
    lines = [head, ["---"] * len(head), *rows]
    return "\n".join(f"| {' | '.join(str(cell).replace('|', chr(92) + '|') for cell in line)} |" for line in lines)


def code(text: object) -> str:
    return f"`{text}`"


def codes(words: Iterable[object], nothing: str = "none") -> str:
    return ", ".join(map(code, words)) or nothing


def yes(flag: object) -> str:
    return "yes" if flag else "no"


# ------------------------------------------------------------------------------------------------------- hosts


# What README shows: the hosts that this began with, and one of each other kind.
_SHORT = ("moonshot", "moonshot-cn", "aimlapi", "runware", "openrouter", "vllm", "generic")
_LISTED = {spec.name for spec in catalogue.SPECS}


def _known() -> list[HostSpec]:
    """The hosts of which more is known than a catalogue says."""
    return [spec for spec in HOSTS.values() if spec.name not in _LISTED]


def hosts_short() -> str:
    shown = (HOSTS[name] for name in _SHORT if name in HOSTS)
    rows = ((code(r.name), r.title, _address(r), _first_key(r), r.tier) for r in shown)
    return table(("`host=`", "whose", "address", "key from", "facts"), rows)


def _address(spec: HostSpec) -> str:
    return code(spec.address.base_url) if spec.address.base_url else "give `base_url`"


def _first_key(spec: HostSpec) -> str:
    return code(spec.address.key_env[0]) + ("" if spec.address.key_required else " (not needed)")


def hosts_address() -> str:
    head = ("host", "whose", "address", "key, first one set", "address from, first one set")
    return table(
        head,
        (
            (code(r.name), r.title, _address(r), codes(r.address.key_env), codes(r.address.base_url_env, "-"))
            for r in _known()
        ),
    )


def hosts_catalogue() -> str:
    head = ("host", "whose", "address", "key", "its `kimi-k2.6`", "`thinking=False`", "reads beside text")
    profiles = [resolve(HOSTS[name], NEAREST) for name in sorted(_LISTED)]
    return table(
        head,
        (
            (
                code(p.host.name),
                p.host.title,
                _address(p.host),
                codes(p.host.address.key_env),
                code(p.model_id),
                _patch(p.host.thinking.off),
                ", ".join(sorted(p.media)) or "-",
            )
            for p in profiles
        ),
    )


_REASONING: dict[str, Callable[[Profile], str]] = {
    "thinks by default": lambda p: {True: "yes", False: "no", None: "unknown"}[p.host.thinking.default],
    "reasoning comes under": lambda p: codes(p.host.reasoning.keys_in),
    "goes back under": lambda p: (
        "the key it came under"
        if p.host.reasoning.key_out == "observed"
        else codes(filter(None, [p.host.reasoning.key_out]), "-")
    ),
    "must go back": lambda p: yes(p.host.reasoning.required),
    "tool choice while thinking": lambda p: _choices(p.host.tools.choices_thinking),
    "efforts": lambda p: codes(p.model.efforts, "-") if p.host.thinking.effort_field else "-",
}
_FEATURES: dict[str, Callable[[Profile], str]] = {
    "token limit": lambda p: code(p.host.sampling.max_tokens_field),
    "sampling is pinned": lambda p: yes(p.host.sampling.pinned),
    "not sent": lambda p: codes(p.host.sampling.refuses, "-"),
    "stop sequences": lambda p: _stops(p.host),
    "schema dialect": lambda p: code(p.host.structured.schema),
    "structured output, best first": lambda p: codes(p.host.structured.ways),
    "tools beside it": lambda p: yes(p.host.structured.with_tools),
    "partial messages": lambda p: yes(p.host.partial.message or p.host.partial.body),
    "reads beside text": lambda p: ", ".join(sorted(p.media)) or "-",
    "media URLs": lambda p: codes(f"{kind}:" for kind in sorted(p.host.media.urls)),
    "cost": lambda p: _cost(p.host),
}


def hosts_reasoning() -> str:
    return _by_host(_REASONING)


def hosts_features() -> str:
    return _by_host(_FEATURES)


def _by_host(columns: Mapping[str, Callable[[Profile], str]]) -> str:
    profiles = [resolve(spec, NEAREST) for spec in _known()]
    return table(("host", *columns), ((code(p.host.name), *(cell(p) for cell in columns.values())) for p in profiles))


def hosts_thinking() -> str:
    head = ("host", "`thinking=True`", "`thinking=False`", '`keep="all"`')
    return table(
        head,
        ((code(r.name), _patch(r.thinking.on), _patch(r.thinking.off), _patch(r.thinking.keep)) for r in _known()),
    )


def _patch(patch: Mapping[str, Any] | None) -> str:
    if patch is None:
        return "not supported"
    return code(json.dumps(patch)) if patch else "nothing"


def _stops(spec: HostSpec) -> str:
    if spec.sampling.stop_limit is None:
        return "no limit known"
    return f"{spec.sampling.stop_limit}" + (
        f", of {spec.sampling.stop_bytes} bytes each" if spec.sampling.stop_bytes else ""
    )


def _choices(allowed: Iterable[str]) -> str:
    order = ("auto", "none", "required", "named")
    return ", ".join(word for word in order if word in set(allowed))


def _cost(spec: HostSpec) -> str:
    if spec.usage.cost_headers:
        return "the host's own"
    if spec.usage.cost_paths:
        return "the host's own, if it reports one"
    return "estimate from published prices" if spec.usage.prices else "-"


def hosts_models() -> str:
    specs = [spec for spec in _known() if spec.models.ids]
    families = [model for model in MODELS if any(model in spec.models.ids for spec in specs)]
    lines = (
        (code(r.name), *(code(r.models.ids[m]) if m in r.models.ids else "as it is" for m in families)) for r in specs
    )
    return table(("host", *map(code, families)), lines)


def hosts_sources() -> str:
    head = ("host", "tier", "checked", "from", "good to know")
    return table(head, ((code(r.name), r.tier, r.as_of, r.source, r.note or "-") for r in _known()))


# ------------------------------------------------------------------------------------------------------ models


def models() -> str:
    head = ("model", "context", "default output", "thinking", "effort", "`keep`", "reads beside text")
    return table(head, map(_model, MODELS.values()))


def _model(spec: ModelSpec) -> tuple[object, ...]:
    thinking = {"toggle": "on or off", "always": "always", "never": "never"}[spec.thinking]
    efforts = codes(f"{e}*" if e == spec.default_effort else e for e in spec.efforts) if spec.efforts else "-"
    media = ", ".join(sorted(spec.media)) or "-"
    keep = codes(spec.keep, "-")
    tokens = (f"{spec.context:,}", f"{spec.default_output:,}")
    return (code(spec.id), *tokens, thinking, efforts, keep, media)


def retired() -> str:
    head = ("model", "no more on", "since", "instead", "from")
    return table(
        head,
        (
            (code(model), code(name), end.day, code(end.instead) if end.instead else "-", end.source or "its pages")
            for name, host in HOSTS.items()
            for model, end in host.models.retired.items()
        ),
    )


def prices() -> str:
    head = ("model", "host", "cached input", "input", "output", "as of")
    return table(
        head,
        (
            (code(model), code(spec.name), f"{p.cached:.2f}", f"{p.input:.2f}", f"{p.output:.2f}", p.as_of)
            for spec in HOSTS.values()
            for model, p in spec.usage.prices.items()
        ),
    )


def model_sources() -> str:
    head = ("model", "checked", "from", "good to know")
    return table(head, ((code(r.id), r.as_of, r.source, r.note or "-") for r in MODELS.values()))


# ---------------------------------------------------------------------------------------------------- thinking

_ASKED = {
    "unset": None,
    "`True`": True,
    "`False`": False,
    '`{"type": "enabled", "keep": "all"}`': {"type": "enabled", "keep": "all"},
}


def thinking() -> str:
    client = KimiClient(host="moonshot", api_key="none", on_unsupported="error", overrides={"models.retired": {}})
    rows = ((code(model), *(_sent(client, model, asked) for asked in _ASKED.values())) for model in MODELS)
    return table(("model", *_ASKED), rows)


def _sent(client: KimiClient, model: str, asked: Any) -> str:
    request = Request(
        messages=[Message("user", "Hello")], model=model, options=Options(thinking=options.parse_thinking(asked, None))
    )
    try:
        _, wire = client.prepare(request)
    except errors.UnsupportedError as error:
        return f"warns: {str(error).partition(': ')[2].partition(';')[0]}"
    said = {key: value for key, value in wire.body.items() if key not in ("model", "messages")}
    return code(json.dumps(said["thinking"])) if said else "nothing"


# ----------------------------------------------------------------------------------------------------- options


def options_of_a_call() -> str:
    """What is asked; thinking and tools before the rest."""
    own = [name for name in CallOptions.model_fields if name in CallOptions.__annotations__]
    fields = {name: CallOptions.model_fields[name] for name in (*own, *CallOptions.model_fields)}
    return _options({"model": KimiLLM.model_fields["model"], **fields})


def _options(fields: Mapping[str, FieldInfo]) -> str:
    def default(field: FieldInfo) -> str:
        return _default(field.get_default(call_default_factory=True))

    rows = ((code(name), default(field), field.description or "") for name, field in fields.items())
    return table(("option", "default", "meaning"), rows)


def _own_options(cls: type[BaseModel], base: type[BaseModel]) -> str:
    """Return a class's options beside those of both tables and of the framework's class."""
    others = {*CallOptions.model_fields, *ClientOptions.model_fields, *base.model_fields, "model", "model_name"}
    return _options({name: field for name, field in cls.model_fields.items() if name not in others})


def _default(value: object) -> str:
    return "unset" if value in (None, "") else code(json.dumps(value))


# ------------------------------------------------------------------------------------------------------ errors


def error_tree() -> str:
    drawn = re.search(r"^ {4}KimiError\n.*?(?=\n\n)", errors.__doc__ or "", re.DOTALL | re.MULTILINE)
    assert drawn, "the docstring of kimi_core.errors draws the tree"
    lines = (line.removeprefix("    ") for line in drawn[0].splitlines())
    return "```text\n" + "\n".join(lines) + "\n```"


def error_bases() -> str:
    bases = dict(LANGCHAIN_BASES)
    head = ("error", "is also", "with LangChain also", "tried again")
    found = _api(errors.APIError)
    return table(
        head,
        ((code(e.__name__), _sdk(e), _langchain(e, bases), yes(e.is_retryable)) for e in found),
    )


def _api(error: type[errors.APIError]) -> Iterable[type[errors.APIError]]:
    yield error
    for below in error.__subclasses__():
        if below.documented is None:
            yield from _api(below)


def _sdk(error: type[errors.APIError]) -> str:
    return code(f"openai.{error.sdk_name}") if error.sdk_name else "-"


def _langchain(error: type[errors.APIError], bases: Mapping[type[errors.APIError], type[Exception]]) -> str:
    return code(next(bases[above].__name__ for above in error.__mro__ if above in bases))


# ------------------------------------------------------------------------------------------------------- probe


def probe() -> str:
    """The questions of a probe."""
    rows = ((question.asks, codes(question.fields, ""), question.most or "") for question in QUESTIONS)
    return table(["question", "finds", "calls, at most"], rows)


TABLES: dict[str, Callable[[], str]] = {
    "hosts-short": hosts_short,
    "hosts-address": hosts_address,
    "hosts-catalogue": hosts_catalogue,
    "hosts-features": hosts_features,
    "hosts-reasoning": hosts_reasoning,
    "hosts-thinking": hosts_thinking,
    "hosts-models": hosts_models,
    "hosts-sources": hosts_sources,
    "models": models,
    "prices": prices,
    "retired": retired,
    "model-sources": model_sources,
    "thinking": thinking,
    "options-call": options_of_a_call,
    "options-connection": lambda: _options(ClientOptions.model_fields),
    "options-langchain": lambda: _own_options(ChatKimi, BaseChatModel),
    "options-llama-index": lambda: _own_options(KimiLLM, FunctionCallingLLM),
    "error-tree": error_tree,
    "error-bases": error_bases,
    "probe": probe,
    **faults.tables(table),
    **features.tables(table),
    **peers.tables(table),
    **speed.tables(table),
}

if __name__ == "__main__":
    warnings.simplefilter("error")
    sys.exit(main())
