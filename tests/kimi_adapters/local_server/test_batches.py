"""Batches: uploaded, validated, worked through and ended, in the host's states."""

from __future__ import annotations

import json

import pytest

URL = "/v1/chat/completions"


def line(id="a", text="Hello", model="kimi-k2.6", **fields):
    body = {"model": model, "messages": [{"role": "user", "content": text}]}
    return {"custom_id": id, "method": "POST", "url": URL, "body": body, **fields}


def upload(client, data, filename="requests.jsonl"):
    fields = [
        b'--xYz\r\nContent-Disposition: form-data; name="purpose"\r\n\r\nbatch\r\n',
        f'--xYz\r\nContent-Disposition: form-data; name="file"; filename="{filename}"\r\n\r\n'.encode(),
        data + b"\r\n--xYz--\r\n",
    ]
    headers = {"content-type": "multipart/form-data; boundary=xYz"}
    return client.send("POST", "/v1/files", b"".join(fields), headers)


def create(client, lines, **body):
    data = b"\n".join(one if isinstance(one, bytes) else json.dumps(one).encode() for one in lines)
    asked = {"input_file_id": upload(client, data).json["id"], "endpoint": URL, "completion_window": "24h", **body}
    return client.send("POST", "/v1/batches", asked)


def run(client, lines, steps=4):
    id = create(client, lines).json["id"]
    return [client.send("GET", f"/v1/batches/{id}").json for _ in range(steps)][-1]


def content(client, id):
    found = client.send("GET", f"/v1/files/{id}/content").data
    return {one["custom_id"]: one for one in map(json.loads, found.splitlines())}


def test_a_batch_goes_through_its_states(moonshot):
    made = create(moonshot, [line()], metadata={"job": "nightly"}).json
    seen = [moonshot.send("GET", f"/v1/batches/{made['id']}").json for _ in range(4)]
    assert [made["status"], *(one["status"] for one in seen)] == [
        "validating", "in_progress", "finalizing", "completed", "completed",
    ]  # fmt: skip
    assert seen[-1]["request_counts"] == {"total": 1, "completed": 1, "failed": 0}
    assert seen[-1]["metadata"] == {"job": "nightly"}
    assert made["expires_at"] - made["created_at"] == 24 * 3600
    assert {"in_progress_at", "finalizing_at", "completed_at"} <= set(seen[-1])


def test_the_answers_are_those_of_chat(moonshot):
    asked = "The code is 4711. What is the code?"
    found = content(moonshot, run(moonshot, [line("a", asked), line("b", "Hello")])["output_file_id"])
    assert set(found) == {"a", "b"}
    response = found["a"]["response"]
    assert (response["status_code"], found["a"]["error"]) == (200, None)
    body, alone = response["body"], moonshot.chat(asked).json
    assert body["choices"] == alone["choices"]
    assert body["usage"]["prompt_tokens"] == alone["usage"]["prompt_tokens"]


def test_what_chat_refuses_is_in_the_file_of_errors(moonshot):
    refused = line("b")
    refused["body"]["temperature"] = 0
    batch = run(moonshot, [line("a"), refused])
    assert batch["request_counts"] == {"total": 2, "completed": 1, "failed": 1}
    error = content(moonshot, batch["error_file_id"])["b"]["response"]
    assert error["status_code"] == 400
    assert error["body"]["error"]["message"] == "invalid temperature: only 1 is allowed for this model"
    assert set(content(moonshot, batch["output_file_id"])) == {"a"}


def test_a_test_says_what_comes_of_a_line(moonshot):
    kimi = moonshot.kimi
    kimi.script_line("a", status=429, type="engine_overloaded_error")
    kimi.script_line("b", status=None, type="internal_error", message="It broke.")
    kimi.script_line("c", lost=True)
    kimi.script_line("d", json={"choices": []})
    batch = run(moonshot, [line(id) for id in "abcd"])
    assert batch["request_counts"] == {"total": 4, "completed": 1, "failed": 2}
    errors = content(moonshot, batch["error_file_id"])
    assert errors["a"]["response"]["body"]["error"]["type"] == "engine_overloaded_error"
    assert (errors["b"]["response"], errors["b"]["error"]) == (None, {"code": "internal_error", "message": "It broke."})
    assert content(moonshot, batch["output_file_id"])["d"]["response"]["body"] == {"choices": []}


def test_a_test_controls_the_steps(moonshot):
    kimi = moonshot.kimi
    kimi.batches.by_itself, kimi.batches.pace = False, 2
    id = create(moonshot, [line(id) for id in "abc"]).json["id"]

    def seen():
        found = moonshot.send("GET", f"/v1/batches/{id}").json
        return found["status"], found["request_counts"]["completed"]

    assert seen() == seen() == ("validating", 0)
    kimi.step_batches(2)
    assert seen() == ("in_progress", 2)
    kimi.step_batches(2)
    assert seen() == ("completed", 3)


def test_a_batch_past_its_window_expires_and_keeps_what_was_answered(moonshot):
    kimi = moonshot.kimi
    kimi.batches.pace = 1
    id = create(moonshot, [line("a"), line("b")], completion_window="12h").json["id"]
    for _ in range(2):
        moonshot.send("GET", f"/v1/batches/{id}")
    kimi.batches.later = 12 * 3600
    batch = moonshot.send("GET", f"/v1/batches/{id}").json
    assert batch["status"] == "expired"
    assert set(content(moonshot, batch["output_file_id"])) == {"a"}
    assert content(moonshot, batch["error_file_id"])["b"]["error"]["code"] == "batch_expired"


def test_a_batch_is_cancelled_and_keeps_what_was_answered(moonshot):
    moonshot.kimi.batches.pace = 1
    id = create(moonshot, [line("a"), line("b")]).json["id"]
    for _ in range(2):
        moonshot.send("GET", f"/v1/batches/{id}")
    assert moonshot.send("POST", f"/v1/batches/{id}/cancel").json["status"] == "cancelling"
    batch = moonshot.send("GET", f"/v1/batches/{id}").json
    assert batch["status"] == "cancelled"
    assert set(content(moonshot, batch["output_file_id"])) == {"a"}
    assert batch["error_file_id"] is None
    assert moonshot.send("POST", f"/v1/batches/{id}/cancel").status == 400


def test_batches_are_listed_newest_first_in_pages(moonshot):
    ids = [create(moonshot, [line()]).json["id"] for _ in range(3)][::-1]
    first = moonshot.send("GET", "/v1/batches?limit=2").json
    assert ([one["id"] for one in first["data"]], first["has_more"]) == (ids[:2], True)
    rest = moonshot.send("GET", f"/v1/batches?limit=2&after={ids[1]}").json
    assert ([one["id"] for one in rest["data"]], rest["has_more"]) == (ids[2:], False)
    assert moonshot.send("GET", "/v1/batches?limit=0").status == 400
    assert moonshot.send("GET", "/v1/batches?after=batch_x").status == 404


@pytest.mark.parametrize(
    ("lines", "code", "number"),
    [
        ([line("a"), b"{"], "invalid_json_line", 2),
        ([line("a"), {"custom_id": "b"}], "missing_required_parameter", 2),
        ([line("a"), line("a")], "duplicate_custom_id", 2),
        ([line(5)], "invalid_custom_id", 1),
        ([line("a", method="GET")], "invalid_method", 1),
        ([line("a", url="/v1/embeddings")], "invalid_url", 1),
        ([line("a", model="kimi-k3")], "model_not_supported", 1),
        ([line("a"), line("b", model="kimi-k2.5")], "mismatched_model", 2),
    ],
    ids=lambda value: value if isinstance(value, str) else "",
)
def test_a_wrong_line_fails_the_batch(moonshot, lines, code, number):
    batch = run(moonshot, lines)
    assert batch["status"] == "failed"
    assert [(one["code"], one["line"]) for one in batch["errors"]["data"]] == [(code, number)]
    assert batch["output_file_id"] is batch["error_file_id"] is None


def test_a_test_has_the_next_batch_fail(moonshot):
    moonshot.kimi.batches.refusal = "The service is not open to this account"
    assert run(moonshot, [line()])["errors"]["data"][0]["message"] == "The service is not open to this account"
    assert run(moonshot, [line()])["status"] == "completed"


@pytest.mark.parametrize(
    "body",
    [
        {"completion_window": None},
        {"completion_window": "11h"},
        {"completion_window": "8d"},
        {"completion_window": "soon"},
        {"endpoint": "/v1/embeddings"},
        {"metadata": []},
        {"metadata": {str(n): "" for n in range(17)}},
        {"metadata": {"k" * 65: ""}},
        {"metadata": {"k": "v" * 513}},
        {"metadata": {"k": 1}},
        {"input_file_id": ""},
    ],
    ids=str,
)
def test_a_wrong_batch_is_not_created(moonshot, body):
    reply = create(moonshot, [line()], **body)
    assert (reply.status, reply.error["type"]) == (400, "invalid_request_error")


def test_a_batch_needs_a_file_of_its_own_kind(moonshot):
    assert create(moonshot, [line()], input_file_id="nope").status == 404
    other = moonshot.kimi.files.keep("a.txt", "file-extract", b"x").id
    assert create(moonshot, [line()], input_file_id=other).status == 400
    assert upload(moonshot, b"{}", "requests.json").status == 400
    assert moonshot.send("GET", "/v1/batches/batch_x").status == 404


def test_a_host_without_batches_has_no_such_path(aimlapi):
    assert aimlapi.send("GET", "/v1/batches").status == 404
