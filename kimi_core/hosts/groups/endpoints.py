"""The paths of a host's API."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Endpoints:
    """The paths of a host's API, below its `base_url`. None: it has no such endpoint.

    Attributes:
        chat: Where answers are asked for; empty for `base_url` itself.
        models: Where the models are listed that may be used.
        count_tokens: Where prompt tokens are counted.
        formulas: Where formula tools are listed and run.
        search: Where the web is searched without a model.
        files: Where files are uploaded and kept.
        balance: Where the account's balance is asked for.
        batches: Where batches are created and kept; their requests and answers are `files`.
    """

    chat: str = "/chat/completions"
    models: str | None = "/models"
    count_tokens: str | None = None
    formulas: str | None = None
    search: str | None = None
    files: str | None = None
    balance: str | None = None
    batches: str | None = None
