"""One option changes: the host is known by its name or by its address, and its spec holds in both frameworks."""

from __future__ import annotations

import pytest
from drivers import Driver
from file_server import FileServer

from kimi_adapters.local_server import LocalKimi
from kimi_core import (
    HOSTS,
    Address,
    AuthenticationError,
    ConfigError,
    ContextOverflowError,
    HostSpec,
    ImagePart,
    KimiWarning,
    Message,
    MissingKeyError,
    ModelIds,
    TextPart,
    ThinkingRules,
    UnknownHostError,
)
from kimi_core.hosts.registry import find_by_url

ADDRESSES = {
    "https://openrouter.ai/api/v1": "openrouter",
    "https://api.together.ai/v1": "together",
    "https://api.novita.ai/openai/v1": "novita",
    "https://api.siliconflow.cn/v1": "siliconflow-cn",
    "https://api.cloudflare.com/client/v4/accounts/0123456789abcdef/ai/v1": "cloudflare",
    "https://my-resource.services.ai.azure.com/models": "azure",
    "https://my-resource.openai.azure.com/openai/v1": "azure",
    "https://tokenhub-intl.tencentcloudmaas.com/v1": "tencent",
    "https://opencode.ai/zen/v1": "opencode",
    "https://opencode.ai/zen/go/v1": "opencode-go",
    "https://api.kimi.com/coding/v1": "kimi-code",
    "https://api.kimi.ai/coding/v1": "kimi-code",
    "http://127.0.0.1:8000/v1": "vllm",
    "http://127.0.0.1:30000/v1": "sglang",
    "http://localhost:11434/v1": "ollama",
    "https://ollama.com/v1": "ollama-cloud",
    "http://user:secret@localhost:1234/v1": "lm-studio",
    "http://localhost:8080/v1": "llama-cpp",
    "http://[::1]:8000/v1": "vllm",
    "http://[::ffff:127.0.0.1]:30000/v1": "sglang",
    "http://127.1:4000": "litellm",
    "http://0.0.0.0:60000/v1": "ktransformers",
    "http://LocalHost.:9931/v1": "llama-cpp",
    "http://app.localhost:11434/v1": "ollama",
    "https://API.Moonshot.ai.:443/v1/": "moonshot",
}

# Servers of one's own: on this machine, in private networks, and under names that no public resolver knows.
LOCAL = [
    "http://127.0.0.1:8102/v1",
    "http://localhost:9999",
    "http://localhost",
    "http://[::1]:8102/v1",
    "http://127.255.0.9:80/v1",
    "http://2130706433:8102/v1",
    "http://10.0.0.5:8000/v1",
    "http://172.31.9.9/v1",
    "https://192.168.1.20:8443/v1",
    "http://169.254.1.1/v1",
    "http://100.64.3.2:8000/v1",
    "http://[fd12::1]:8000/v1",
    "http://[fe80::1%25eth0]:8000/v1",
    "http://[::ffff:10.1.2.3]:8000/v1",
    "http://gpu-box:8000/v1",
    "http://vllm.inference.svc:8000/v1",
    "http://vllm.inference.svc.cluster.local:8000/v1",
    "http://host.docker.internal:8000/v1",
    "http://nas.lan:8000/v1",
    "http://gpu.localdomain:8000/v1",
    "https://kimi.corp/v1",
]
PUBLIC = ["https://proxy.example.com/v1", "http://8.8.8.8/v1", "http://[2606:4700::1111]/v1", "https://local.dev/v1"]


@pytest.mark.parametrize(("base_url", "host"), ADDRESSES.items())
def test_an_address_alone_picks_the_spec(base_url: str, host: str) -> None:
    found = find_by_url(base_url)
    assert found is not None
    assert found.name == host


@pytest.mark.parametrize("spec", [r for r in HOSTS.values() if r.address.base_url], ids=lambda r: r.name)
def test_every_specs_own_address_picks_it(spec: HostSpec) -> None:
    """Of two systems at one address (Runware), it picks the first."""
    assert find_by_url(str(spec.address.base_url)) is next(
        r for r in HOSTS.values() if r.address.base_url == spec.address.base_url
    )


@pytest.mark.parametrize(
    "base_url",
    [
        "https://evil.example/openrouter.ai/v1",
        "https://openrouter.ai.example/v1",
        "https://notopenrouter.ai/v1",
        "https://services.ai.azure.com.example/v1",
        "https://opencode.ai/zenith/v1",
        "http://localhost:9999/v1",
    ],
)
def test_an_address_that_looks_like_a_hosts_is_not_his(base_url: str) -> None:
    assert find_by_url(base_url) is None


@pytest.mark.parametrize("base_url", LOCAL)
def test_a_server_of_ones_own_that_no_spec_has_is_generic(framework: Driver, base_url: str) -> None:
    model = framework.make(base_url=base_url)
    assert (model.host, model.base_url, model.api_key) == ("generic", base_url, None)


@pytest.mark.parametrize("base_url", PUBLIC)
def test_a_public_address_that_no_spec_has_is_a_proxy_before_moonshot(framework: Driver, base_url: str) -> None:
    assert framework.make(base_url=base_url, api_key="k").host == "moonshot"


def test_a_key_of_the_environment_does_not_go_to_a_server_that_nobody_named(
    framework: Driver, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in ("MOONSHOT_API_KEY", "KIMI_API_KEY"):
        monkeypatch.setenv(name, "canary")
    assert framework.make(base_url="http://127.0.0.1:8102/v1").api_key is None


def test_a_local_address_of_the_environment_is_generic_unless_the_variable_is_a_hosts_own(
    framework: Driver, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("KIMI_BASE_URL", "http://127.0.0.1:8102/v1")
    assert framework.make().host == "generic"
    monkeypatch.setenv("MOONSHOT_BASE_URL", "http://127.0.0.1:8102/v1")
    assert framework.make(api_key="k").host == "moonshot"


@pytest.mark.parametrize(("path", "host"), [("vllm/v1", "vllm"), ("openrouter", "openrouter"), ("v1/vllm", "generic")])
def test_a_local_proxys_path_says_who_is_behind_it(framework: Driver, path: str, host: str) -> None:
    assert framework.make(base_url=f"http://127.0.0.1:8102/{path}", api_key="k").host == host


def test_a_path_with_a_hosts_name_says_nothing_elsewhere(framework: Driver) -> None:
    assert framework.make(base_url="https://proxy.example.com/vllm/v1", api_key="k").host == "moonshot"


def test_the_local_servers_address_names_its_dialect(framework: Driver) -> None:
    with LocalKimi("aimlapi") as kimi:
        model = framework.make(base_url=kimi.base_url, api_key=kimi.api_key)
        framework.ask(model, "Hello")
    assert model.host == "aimlapi"
    assert [(request.path, request.status) for request in kimi.requests] == [("/v1/chat/completions", 200)]


def test_a_call_that_goes_to_a_server_of_ones_own_takes_no_key_along(driver: Driver, kimi: LocalKimi) -> None:
    model = driver.make(api_key="canary")
    with pytest.raises(AuthenticationError):
        driver.ask(model, "Hello", base_url=f"http://127.0.0.1:{kimi.port}/v1")
    assert "authorization" not in kimi.requests[-1].headers
    kimi.enqueue(text="Yes.")
    driver.ask(model, "Hello", base_url=f"http://127.0.0.1:{kimi.port}/v1", api_key=kimi.api_key, max_tokens=99)
    assert kimi.requests[-1].body["max_tokens"] == 99


def test_a_server_of_ones_own_that_has_moved_is_still_the_same(framework: Driver, kimi: LocalKimi) -> None:
    kimi.enqueue(text="Yes.", unchecked=True)
    model = framework.make(host="ollama", base_url="http://10.255.255.1:9/v1", api_key=kimi.api_key)
    framework.ask(model, "Hello", base_url=f"http://127.0.0.1:{kimi.port}/v1")
    assert kimi.requests[-1].body["model"] == "kimi-k2.6:cloud"


SPELT = {
    "VLLM": "vllm",
    " vLLM ": "vllm",
    "llamacpp": "llama-cpp",
    "llama.cpp": "llama-cpp",
    "Llama_CPP": "llama-cpp",
    "llama-server": "llama-cpp",
    "LM Studio": "lm-studio",
    "lmstudio": "lm-studio",
    "AI/ML API": "aimlapi",
    "Moonshot": "moonshot",
    "moonshot_cn": "moonshot-cn",
    "OpenRouter": "openrouter",
    "open-router": "openrouter",
    "HuggingFace": "huggingface",
    "kimi_code": "kimi-code",
    "TogetherAI": "together",
    "SGLang": "sglang",
    "hosted_vllm": "vllm",
    "aimlapi.com": "aimlapi",
    "api.runware.ai": "runware",
    "api.moonshot.cn": "moonshot-cn",
    "integrate.api.nvidia.com": "nvidia",
}


@pytest.mark.parametrize(("said", "host"), SPELT.items())
def test_a_hosts_name_is_understood_as_people_write_it(framework: Driver, said: str, host: str) -> None:
    assert framework.make(host=said, api_key="k").host == host


def test_no_two_hosts_are_called_alike() -> None:
    spelt = [("".join(filter(str.isalnum, word.casefold())), spec.name) for spec in HOSTS.values()
             for word in {spec.name, *spec.aliases}]  # fmt: skip
    assert len({word for word, _ in spelt}) == len({*spelt})


def test_what_is_no_hosts_name_is_still_an_error(framework: Driver) -> None:
    for said in ("", "-", "nobody", "vllm2"):
        with pytest.raises(UnknownHostError, match="There is no host"):
            framework.make(host=said, api_key="k")


def test_an_address_with_braces_is_filled_from_the_environment(
    framework: Driver, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("CLOUDFLARE_ACCOUNT_ID", "0123")
    model = framework.make(host="cloudflare", api_key="k")
    assert model.base_url == "https://api.cloudflare.com/client/v4/accounts/0123/ai/v1"


def test_an_address_with_braces_that_cannot_be_filled_says_what_to_set(
    framework: Driver, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("AZURE_RESOURCE_NAME", raising=False)
    with pytest.raises(ConfigError, match=r"host='azure' .* set AZURE_RESOURCE_NAME, or give base_url=…"):
        framework.make(host="azure", api_key="k")


def test_anybodys_server_may_listen_where_a_local_server_usually_does(framework: Driver) -> None:
    assert framework.make(host="generic", base_url="http://localhost:8000/v1").host == "generic"
    assert framework.make(host="sglang", base_url="http://127.0.0.1:8000/v1").host == "sglang"


def test_a_key_of_the_environment_goes_to_its_hosts_address_alone(
    framework: Driver, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("AZURE_API_KEY", "azures")
    monkeypatch.setenv("MOONSHOT_API_KEY", "moonshots")
    known = framework.make(base_url="https://mine.services.ai.azure.com/openai/v1")
    assert known.api_key.get_secret_value() == "azures"
    with pytest.raises(MissingKeyError):
        framework.make(base_url="https://mine.services.ai.azure.example/openai/v1")


def test_a_key_can_be_in_a_header_of_its_own(driver: Driver, kimi: LocalKimi) -> None:
    spec = HostSpec(
        name="own-header", title="Own header", address=Address(base_url=kimi.base_url, key_header="api-key")
    )
    kimi.enqueue(text="Yes.", unchecked=True)
    bearer = {"Authorization": f"Bearer {kimi.api_key}"}  # so that the local server lets it in
    driver.ask(driver.make(host=spec, api_key="sk-azure", default_headers=bearer), "Hello")
    assert kimi.requests[-1].headers["api-key"] == "[redacted]"


def test_a_key_in_a_header_of_its_own_is_not_sent_as_a_bearer_token(driver: Driver, kimi: LocalKimi) -> None:
    spec = HostSpec(
        name="own-header", title="Own header", address=Address(base_url=kimi.base_url, key_header="api-key")
    )
    with pytest.raises(Exception, match="Incorrect API key provided"):
        driver.ask(driver.make(host=spec, api_key=kimi.api_key), "Hello")
    assert "authorization" not in kimi.requests[-1].headers


def test_a_key_in_a_header_of_its_own_does_not_follow_a_redirect(driver: Driver) -> None:
    with FileServer() as elsewhere, FileServer() as host:
        there = elsewhere.add("/there", b"{}")
        host.add("/v1/chat/completions", status=307, headers={"Location": there})
        spec = HostSpec(
            name="own-header", title="Own header", address=Address(base_url=host.url("/v1"), key_header="api-key")
        )
        with pytest.raises(Exception, match="HTTP 307"):
            driver.ask(driver.make(host=spec, api_key="sk-azure", max_retries=0), "Hello")
        assert elsewhere.requests == []


# ------------------------------------------------------------------------------------------------ ids of models


def test_a_name_that_guides_give_means_the_model_with_thinking_on(driver: Driver, kimi: LocalKimi) -> None:
    spec = HostSpec(
        name=f"guided-{driver.name}",
        title="Guided",
        address=Address(base_url=kimi.base_url),
        models=ModelIds(thinking_ids={"kimi-k2.6-thinking": "kimi-k2.6"}),
        thinking=ThinkingRules(on={"thinking": {"type": "enabled"}}),
    )
    with pytest.warns(KimiWarning, match=r"has no model 'kimi-k2\.6-thinking'.*thinking=True") as caught:
        model = driver.make(host=spec, api_key=kimi.api_key, model="kimi-k2.6-thinking")
        driver.ask(model, "Hello")
        driver.ask(model, "Hello")
    assert len(caught) == 1
    body = kimi.requests[-1].body
    assert (body["model"], body["thinking"]) == ("kimi-k2.6", {"type": "enabled"})


@pytest.mark.filterwarnings("ignore:.* has no model")
def test_a_name_that_guides_give_leaves_the_last_choice_to_the_user(driver: Driver, kimi: LocalKimi) -> None:
    model = driver.make(base_url=kimi.base_url, api_key=kimi.api_key, model="kimi-k2.6-thinking", thinking=False)
    driver.ask(model, "Hello")
    body = kimi.requests[-1].body
    assert (body["model"], body["thinking"]) == ("kimi-k2.6", {"type": "disabled"})


@pytest.mark.filterwarnings("ignore:.* has no model")
def test_a_name_that_guides_give_keeps_thinking_when_a_tool_is_forced(driver: Driver, kimi: LocalKimi) -> None:
    def look() -> str:
        """Look."""
        return "Seen."

    model = driver.make(
        base_url=kimi.base_url, api_key=kimi.api_key, model="kimi-k2.6-thinking", on_unsupported="ignore"
    )
    driver.ask(model, "Look at it.", tools=[look], tool_choice="look")
    body = kimi.requests[-1].body
    assert (body["thinking"], body["tool_choice"]) == ({"type": "enabled"}, "auto")


SUFFIXED = {
    "kimi-k2.6:together": ("moonshotai/Kimi-K2.6:together", {"reasoning": {"enabled": False}}),
    "moonshotai/Kimi-K2.6:fireworks-ai": ("moonshotai/Kimi-K2.6:fireworks-ai", {"reasoning_effort": "none"}),
    "kimi-k2.6": (
        "moonshotai/Kimi-K2.6",
        {"chat_template_kwargs": {"thinking": False, "enable_thinking": False}},
    ),
}


@pytest.mark.parametrize(("model", "sent"), SUFFIXED.items())
def test_an_id_that_names_the_upstream_is_switched_as_the_upstream_wants(
    framework: Driver, kimi: LocalKimi, model: str, sent: tuple[str, dict[str, object]]
) -> None:
    kimi.enqueue(text="Yes.", unchecked=True)
    framework.ask(
        framework.make(host="huggingface", base_url=kimi.base_url, api_key=kimi.api_key, model=model, thinking=False),
        "Hello",
    )
    body = dict(kimi.requests[-1].body)
    assert body.pop("messages")
    assert (body.pop("model"), body) == sent


def test_an_effort_can_be_deeper_in_the_body(framework: Driver, kimi: LocalKimi) -> None:
    kimi.enqueue(text="Yes.", unchecked=True)
    model = framework.make(
        host="openrouter", base_url=kimi.base_url, api_key=kimi.api_key, thinking=True, reasoning_effort="max"
    )
    framework.ask(model, "Hello")
    assert kimi.requests[-1].body["reasoning"] == {"enabled": True, "effort": "xhigh"}


# ------------------------------------------------------------------------------------------------------- limits

BIG = "data:image/png;base64,iVBORw0KGgoA" + "A" * 2_100_000


def test_messages_that_are_too_large_together_raise_before_any_io(driver: Driver, kimi: LocalKimi) -> None:
    model = driver.make(host="kimi-code", base_url=kimi.base_url, api_key=kimi.api_key)
    with pytest.raises(ContextOverflowError, match=r"at most 2097152 bytes .* send smaller or fewer pictures"):
        driver.ask(model, [Message("user", (TextPart("What is this?"), ImagePart(BIG)))])
    with pytest.raises(ContextOverflowError, match="shorten or summarise"):
        driver.ask(model, "long " * 500_000)
    assert kimi.requests == []
