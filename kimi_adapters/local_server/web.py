"""The web as the local server knows it: a few pages about places that do not exist.

The same search always finds the same pages, and nobody can take an answer for news of the real world.
"""

from __future__ import annotations

import base64
import binascii
import json
import re
from dataclasses import dataclass

from kimi_adapters.local_server.words import words

_ENVELOPE = re.compile(r"----MOONSHOT ENCRYPTED BEGIN----(.+?)----MOONSHOT ENCRYPTED END----", re.DOTALL)


@dataclass(frozen=True, slots=True)
class Page:
    """One page.

    Attributes:
        title: Its title.
        path: Where it is on the one site that there is.
        date: The day it was written.
        text: Its text.
    """

    title: str
    path: str
    date: str
    text: str

    @property
    def url(self) -> str:
        """Its address, under a domain that is reserved for examples."""
        return f"https://amber.example/{self.path}"

    def as_result(self, *, content: bool) -> dict[str, str]:
        """Return the page as a search result: nine fields, all of them text."""
        return {
            "title": self.title,
            "url": self.url,
            "snippet": self.text.partition(". ")[0].rstrip(".") + ".",
            "text": self.text if content else "",
            "site_name": "Amber Gazette",
            "date": self.date,
            "authority": "B",
            "icon": "https://amber.example/icon.png",
            "mime": "text/html",
        }


PAGES = (
    Page(
        "The lighthouse of Port Amber",
        "lighthouse",
        "2026-03-14",
        "The lighthouse of Port Amber was built in 1887 and is 41 metres tall. Its lamp turns once in 12 seconds. "
        "Visitors may climb its 203 steps from May to September.",
    ),
    Page(
        "The ferry between Port Amber and Saltmere",
        "ferry",
        "2026-05-02",
        "The ferry from Port Amber to Saltmere sails every 40 minutes and takes 25 minutes. A ticket costs 6 crowns. "
        "The last ferry leaves Saltmere at 22:10.",
    ),
    Page(
        "Amber United wins the island cup",
        "cup",
        "2026-06-21",
        "Amber United won the match for the island cup against Saltmere Rovers by 3 to 1. "
        "Ilse Marn scored twice. The match was watched by 8200 people.",
    ),
    Page(
        "Weather in Port Amber",
        "weather",
        "2026-06-22",
        "The weather in Port Amber is windy with 17 degrees today. Rain is expected in the evening.",
    ),
    Page(
        "The mayor of Saltmere",
        "mayor",
        "2026-01-09",
        "The mayor of Saltmere is Odo Fenn, who was elected in 2025. He wants a bridge to Port Amber.",
    ),
)
"""All pages there are."""


def find(query: str, limit: int) -> list[Page]:
    """Return the pages that share words with a query, best first."""
    wanted = set(words(query))
    scored = [(len(wanted & set(words(f"{page.title} {page.text}"))), page) for page in PAGES]
    ranked = sorted(scored, key=lambda item: -item[0])
    best = ranked[0][0]
    # One shared word of many shows little: every page is about the same two places.
    return [page for shared, page in ranked if shared and 2 * shared >= best][:limit]


def page_at(url: str) -> Page | None:
    """Return the page of an address, or None when there is none."""
    return next((page for page in PAGES if page.url == url.strip().rstrip("/")), None)


def sealed(text: str) -> str:
    """Put a text into the envelope in which search results pass through a client that is not to read them."""
    inner = base64.b64encode(text.encode()).decode()
    return f"----MOONSHOT ENCRYPTED BEGIN----{inner}----MOONSHOT ENCRYPTED END----"


def opened(text: str) -> str:
    """Open every envelope in a text, as the model reads it."""
    return _ENVELOPE.sub(_inner, text) if "MOONSHOT ENCRYPTED" in text else text


def _inner(envelope: re.Match[str]) -> str:
    try:
        return base64.b64decode(envelope[1], validate=True).decode()
    except (binascii.Error, UnicodeDecodeError):
        return envelope[0]


def as_text(pages: list[Page]) -> str:
    """Write pages as a search hands them to the model."""
    if not pages:
        return json.dumps({"search_results": []})
    return "\n\n".join(f"Title: {page.title}\nURL: {page.url}\n{page.text}" for page in pages)
