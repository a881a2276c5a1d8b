"""The endpoints beside chat."""

from __future__ import annotations

import pytest

PNG = (
    b"\x89PNG\r\n\x1a\n\0\0\0\rIHDR\0\0\0\x07\0\0\0\x05\x10\x02\0\0\0"
    + b"\0\0\0\0"
)  # fmt: skip


def upload(client, data=b"hello", filename="a.txt", purpose="file-extract", boundary="xYzZY"):
    fields = [
        f'--{boundary}\r\nContent-Disposition: form-data; name="purpose"\r\n\r\n{purpose}\r\n'.encode(),
        f'--{boundary}\r\nContent-Disposition: form-data; name="file"; filename="{filename}"\r\n'.encode(),
        b"Content-Type: application/octet-stream\r\n\r\n" + data + f"\r\n--{boundary}--\r\n".encode(),
    ]
    headers = {"content-type": f"multipart/form-data; boundary={boundary}"}
    return client.send("POST", "/v1/files", b"".join(fields), headers)


def test_the_root_says_that_this_is_an_emulator(moonshot):
    reply = moonshot.send("GET", "/", headers={"authorization": ""})
    assert reply.json["emulator"] is True
    assert reply.json["stands_for"] == "api.moonshot.ai"


@pytest.mark.parametrize("path", ["/", "/v1/models", "/v1/chat/completions", "/nowhere"])
def test_every_response_says_that_this_is_an_emulator(moonshot, path):
    assert moonshot.send("GET", path).headers["x-kimi-emulator"] == "local"


def test_every_response_has_a_trace_id_and_the_rate_limits(moonshot):
    headers = moonshot.chat().headers
    assert headers["x-trace-id"]
    assert {"x-ratelimit-limit", "x-ratelimit-remaining", "x-ratelimit-reset"} <= set(headers)


def test_the_models_are_listed_with_their_abilities(moonshot):
    specs = {spec["id"]: spec for spec in moonshot.send("GET", "/v1/models").json["data"]}
    assert set(specs) == {
        "kimi-k3.1-pro", "kimi-k3.1-pro-highspeed", "kimi-k3",
        "kimi-k2.7-code", "kimi-k2.7-code-highspeed", "kimi-k2.6",
    }  # fmt: skip
    assert specs["kimi-k2.6"]["context_length"] == 262_144
    assert [specs[id]["supports_thinking_type"] for id in ("kimi-k2.6", "kimi-k3")] == ["both", "only"]
    assert specs["kimi-k3"]["think_efforts"]["valid_efforts"] == ["low", "high", "max"]
    assert "think_efforts" not in specs["kimi-k2.6"]


def test_one_model_is_shown(moonshot):
    assert moonshot.send("GET", "/v1/models/kimi-k3").json["owned_by"] == "moonshot"


def test_a_model_id_with_a_slash_is_shown(aimlapi):
    assert aimlapi.send("GET", "/v1/models/moonshot/kimi-k2-6").json["id"] == "moonshot/kimi-k2-6"


def test_an_unknown_model_is_not_shown(moonshot):
    reply = moonshot.send("GET", "/v1/models/kimi-latest")
    assert (reply.status, reply.error["type"]) == (404, "resource_not_found_error")


def test_tokens_are_estimated_as_they_are_charged(moonshot):
    messages = [{"role": "user", "content": "How many tokens is this, and 这个呢?"}]
    body = {"model": "kimi-k2.6", "messages": messages}
    estimate = moonshot.send("POST", "/v1/tokenizers/estimate-token-count", body).json
    assert estimate == {"data": {"total_tokens": moonshot.chat(messages).json["usage"]["prompt_tokens"]}}


@pytest.mark.parametrize(
    ("body", "status"),
    [({"model": "nope", "messages": [{}]}, 404), ({"model": "kimi-k3", "messages": []}, 400)],
)
def test_a_bad_estimate_is_refused(moonshot, body, status):
    assert moonshot.send("POST", "/v1/tokenizers/estimate-token-count", body).status == status


def test_the_balance_is_in_the_documented_shape(moonshot):
    body = moonshot.send("GET", "/v1/users/me/balance").json
    assert set(body) == {"code", "data", "scode", "status"}
    assert set(body["data"]) == {"available_balance", "voucher_balance", "cash_balance"}


@pytest.mark.parametrize("path", ["/v1/completions", "/v1/embeddings"])
def test_completions_and_embeddings_are_not_open(moonshot, path):
    reply = moonshot.send("POST", path, {"model": "kimi-k2.6", "prompt": "x"})
    assert reply.status == 403
    assert reply.error == {"message": "no open api access", "type": "permission_denied_error"}


@pytest.mark.parametrize(
    ("method", "path"), [("POST", "/v1/responses"), ("GET", "/v2/models"), ("GET", "/v1/chat/completions")]
)
def test_other_paths_do_not_exist(moonshot, method, path):
    assert moonshot.send(method, path).status == 404


def test_a_file_is_stored_listed_shown_read_and_deleted(moonshot):
    stored = upload(moonshot, "größer\r\nals".encode()).json
    assert stored["object"] == "file"
    assert (stored["bytes"], stored["filename"], stored["purpose"]) == (13, "a.txt", "file-extract")
    path = f"/v1/files/{stored['id']}"
    assert moonshot.send("GET", "/v1/files").json == {"object": "list", "data": [stored]}
    assert moonshot.send("GET", path).json == stored
    assert moonshot.send("GET", f"{path}/content").json["content"] == "größer\r\nals"
    assert moonshot.send("DELETE", path).json == {"deleted": True, "id": stored["id"], "object": "file"}
    assert moonshot.send("GET", path).status == 404


def test_the_bytes_of_other_files_come_back_as_they_are(moonshot):
    data = bytes(range(256))
    stored = upload(moonshot, data, "a.png", "image").json
    reply = moonshot.send("GET", f"/v1/files/{stored['id']}/content")
    assert reply.data == data
    assert reply.headers["content-type"] == "image/png"


def test_an_uploaded_picture_can_be_asked_about(moonshot):
    id = upload(moonshot, PNG, "a.png", "image").json["id"]
    content = [{"type": "image_url", "image_url": {"url": f"ms://{id}"}}, {"type": "text", "text": "What is it?"}]
    assert moonshot.chat([{"role": "user", "content": content}]).text == "This is a PNG image of 7 x 5 pixels."


def test_an_uploaded_video_can_be_asked_about(moonshot):
    id = upload(moonshot, b"\0\0\0\x18ftypmp42" + bytes(8), "a.mp4", "video").json["id"]
    content = [{"type": "video_url", "video_url": f"ms://{id}"}, {"type": "text", "text": "What is it?"}]
    assert moonshot.chat([{"role": "user", "content": content}]).text == "This is a video (MP4, 20 bytes)."


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"purpose": "assistants"}, "Invalid purpose: only 'file-extract', 'image', 'video', 'batch' accepted"),
        ({"data": b""}, "File size is zero"),
    ],
)
def test_a_bad_upload_is_refused(moonshot, change, words):
    reply = upload(moonshot, **change)
    assert reply.status == 400
    assert words in reply.error["message"]


def test_an_upload_without_a_file_is_refused(moonshot):
    body = b'--b\r\nContent-Disposition: form-data; name="purpose"\r\n\r\nimage\r\n--b--\r\n'
    reply = moonshot.send("POST", "/v1/files", body, {"content-type": "multipart/form-data; boundary=b"})
    assert reply.error["message"] == "Invalid request: file is required"


def test_an_upload_that_is_no_form_is_refused(moonshot):
    assert moonshot.send("POST", "/v1/files", {"file": "x"}).status == 400


def test_too_many_files_are_refused(moonshot, monkeypatch):
    from kimi_adapters.local_server import files

    monkeypatch.setattr(files, "_MOST", 1)
    assert upload(moonshot).status == 200
    assert "Too many uploaded files" in upload(moonshot).error["message"]


def test_a_file_that_is_too_large_is_refused(moonshot, monkeypatch):
    from kimi_adapters.local_server import files

    monkeypatch.setattr(files, "_LARGEST", 3)
    assert "File size is too large" in upload(moonshot).error["message"]
