"""Web pages get nothing from the server, and other machines only when that was said."""

from __future__ import annotations

import http.client
import json

import pytest

from kimi_adapters.local_server import LocalKimi, create_app, serve

KEY = {"Authorization": "Bearer sk-local-kimi", "Content-Type": "application/json"}
BODY = json.dumps({"model": "kimi-k2.6", "messages": [{"role": "user", "content": "Hello"}]})


def ask(kimi: LocalKimi, method: str = "POST", path: str = "/v1/chat/completions", **headers: str):
    connection = http.client.HTTPConnection("127.0.0.1", kimi.port, timeout=10)
    given = {name.replace("_", "-"): value.format(port=kimi.port) for name, value in headers.items()}
    connection.request(method, path, BODY if method == "POST" else None, {**KEY, **given})
    answer = connection.getresponse()
    answer.text = answer.read().decode()
    connection.close()
    return answer


@pytest.mark.parametrize(
    "host",
    ["127.0.0.1:{port}", "localhost:{port}", "LOCALHOST", "localhost.", "127.0.0.2", "[::1]:{port}", "127.0.0.1"],
)
def test_it_answers_to_the_names_of_this_machine(kimi: LocalKimi, host: str) -> None:
    assert ask(kimi, Host=host).status == 200


@pytest.mark.parametrize("method", ["GET", "POST", "OPTIONS", "PUT"])
@pytest.mark.parametrize("path", ["/", "/v1/models", "/v1/chat/completions", "/nowhere"])
def test_a_name_that_was_made_to_point_here_gets_nothing(kimi: LocalKimi, method: str, path: str) -> None:
    answer = ask(kimi, method, path, Host="evil.example:{port}")

    assert answer.status == 403
    assert "it is not evil.example" in answer.text
    assert kimi.requests == []


@pytest.mark.parametrize(
    "host",
    ["", "localhost.evil.example", "127.0.0.1.evil.example", "evil.example@127.0.0.1.x", "10.0.0.1", "[", "0x7f.1"],
)
def test_what_only_looks_like_this_machine_gets_nothing(kimi: LocalKimi, host: str) -> None:
    assert ask(kimi, Host=host).status in (400, 403)
    assert kimi.requests == []


@pytest.mark.parametrize(
    "origin", ["https://evil.example", "null", "http://127.0.0.1:1", "http://localhost", "file://"]
)
@pytest.mark.parametrize("method", ["POST", "OPTIONS", "GET"])
def test_a_page_of_another_origin_gets_nothing(kimi: LocalKimi, method: str, origin: str) -> None:
    answer = ask(kimi, method, Origin=origin, Access_Control_Request_Method="POST")

    assert answer.status == 403
    assert not [name for name, _ in answer.getheaders() if name.lower().startswith("access-control")]
    assert kimi.requests == []


@pytest.mark.parametrize(
    ("site", "status"), [("cross-site", 403), ("same-site", 403), ("same-origin", 200), ("none", 200)]
)
def test_a_request_that_a_browser_makes_for_a_page_is_known_without_its_origin(
    kimi: LocalKimi, site: str, status: int
) -> None:
    assert ask(kimi, "GET", "/v1/models", Sec_Fetch_Site=site).status == status


def test_its_own_origin_is_none_of_another(kimi: LocalKimi) -> None:
    assert ask(kimi, Origin="http://127.0.0.1:{port}").status == 200


def test_a_name_can_be_allowed() -> None:
    with LocalKimi(allowed_hosts=["Kimi"]) as kimi:
        assert ask(kimi, Host="kimi:{port}").status == 200
        assert ask(kimi, Host="kimi.evil.example").status == 403


@pytest.mark.parametrize("host", ["0.0.0.0", "192.168.1.5", "::", "example.com", ""])
def test_an_address_that_others_reach_needs_an_option(host: str) -> None:
    with pytest.raises(ValueError, match="can be reached from other machines.*open_to_network=True"):
        LocalKimi(host=host)
    with pytest.raises(ValueError, match="can be reached from other machines"):
        serve(host=host)


def test_open_to_the_network_it_answers_to_addresses_but_still_to_no_foreign_name() -> None:
    with LocalKimi(host="0.0.0.0", open_to_network=True) as kimi:
        assert ask(kimi, Host="192.168.1.5:{port}").status == 200
        assert ask(kimi, Host="evil.example").status == 403
        assert ask(kimi, Host="192.168.1.5:{port}", Origin="https://evil.example").status == 403


def test_the_application_alone_is_behind_the_gate_as_well() -> None:
    assert [middleware.cls.__name__ for middleware in create_app().user_middleware] == ["Gate"]
