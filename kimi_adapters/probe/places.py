"""What can be read off answers that were given anyway: where usage, cost and ids are, streams, and pictures."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from typing import Any

from kimi_adapters.probe.answers import Answer, numbers
from kimi_adapters.probe.findings import Finding, unknown, within
from kimi_adapters.probe.judges import Found, why_not
from kimi_adapters.probe.seen import Answers, Seen
from kimi_core.codecs.json_values import dig
from kimi_core.hosts.groups import UsageRules
from kimi_core.hosts.registry import HOSTS

_USAGE = ("usage", "choices.0.usage", "x_groq.usage")
_PRICE = re.compile(r"(^|[_.-])(cost|usd)([_.-]|$)", re.IGNORECASE)
_ID = re.compile(r"(^|-)(request|trace|inference|generation|correlation)-id$", re.IGNORECASE)
_CACHED = tuple(dict.fromkeys(path for spec in HOSTS.values() for path in spec.usage.cached_paths))
_REASONING = tuple(dict.fromkeys(path for spec in HOSTS.values() for path in spec.usage.reasoning_paths))


def reasoning(answers: Answers, seen: Seen) -> Found:
    """Find under which keys reasoning arrives."""
    given = seen.all_given()
    keys = tuple(dict.fromkeys(key for answer in given for key in answer.reasoning))
    tags = next((answer.tags for answer in given if answer.tags), "")
    if keys:
        text = f"Under {' and '.join(keys)}."
        yield Finding(question="reasoning", text=text, field="reasoning.keys_in", value=keys, fits=within(keys))
    if tags:
        text = "In the text, between tags." if tags == "leading" else "In the text, which begins inside of it."
        both = {"leading": ("leading", "anywhere"), "opened": ("opened",)}[tags]
        yield Finding(
            question="reasoning", text=text, field="reasoning.think_tags", value=tags, fits=lambda known: known in both
        )
    if not keys and not tags:
        yield unknown("reasoning", "None was seen.", "reasoning.keys_in")


def usage(answers: Answers, seen: Seen) -> Found:
    """Find where the usage object is, and what is in it."""
    bodies = [body for answer in seen.all_given() for body in answer.bodies]
    places = tuple(path for path in _USAGE if any(isinstance(dig(body, path), dict) for body in bodies))
    if not places:
        yield unknown("usage", "No answer reported usage.", "usage.paths")
        return
    yield Finding(
        question="usage",
        text=f"At {' and '.join(places)}.",
        field="usage.paths",
        value=places,
        fits=within(places),
    )
    objects = [found for body in bodies for path in places if isinstance(found := dig(body, path), dict)]
    yield from _inside(objects, "usage.cached_paths", _CACHED, "Cached tokens")
    yield from _inside(objects, "usage.reasoning_paths", _REASONING, "Reasoning tokens")


def _inside(objects: list[Any], field: str, paths: Iterable[str], what: str) -> Iterator[Finding]:
    found = tuple(path for path in paths if any(dig(one, path) is not None for one in objects))
    if found:
        text = f"{what} at {' and '.join(found)}."
        yield Finding(question="usage", text=text, field=field, value=found, fits=within(found))


def cost(answers: Answers, seen: Seen) -> Found:
    """Find where the price of a call is."""
    given = [answer for answer in seen.all_given() if answer.output_tokens]
    bodies = [body for answer in given for body in answer.bodies]
    paths = tuple(dict.fromkeys(path for body in bodies for path, price in numbers(body) if price and _is_price(path)))
    heads = tuple(dict.fromkeys(name for answer in given for name in answer.headers if _is_price_header(name, answer)))
    text = f"In the body at {' and '.join(paths)}." if paths else "Not in the body."
    yield Finding(question="cost", text=text, field="usage.cost_paths", value=paths, fits=_prices(paths, seen))
    text = f"In the headers as {' and '.join(heads)}." if heads else "Not in the headers."
    yield Finding(question="cost", text=text, field="usage.cost_headers", value=heads, fits=within(heads))
    stream = seen.given("stream", "asked")
    if paths and stream is not None:
        there = any(dig(frame, path) is not None for frame in stream.bodies for path in paths)
        yield Finding(question="cost", text=f"In streams {'as well' if there else 'it is missing'}.")


def _is_price(path: str) -> bool:
    return _PRICE.search(path.rpartition(".")[2]) is not None


def _is_price_header(name: str, answer: Answer) -> bool:
    if not _PRICE.search(name):
        return False
    try:
        return float(answer.headers[name]) > 0
    except ValueError:
        return False


def _prices(paths: tuple[str, ...], seen: Seen) -> Any:
    """Return a check of cost paths. A spec with only the default paths counts as naming none."""
    default = UsageRules().cost_paths
    return lambda known: within(paths)(known) or (not paths and known == default)


def key(answers: Answers, seen: Seen) -> Found:
    """Find whether calls need a key; only a call without one shows it."""
    if not seen.keyed:
        yield Finding(question="key", text="It answers without a key.", field="address.key_required", value=False)


def ids(answers: Answers, seen: Seen) -> Found:
    """Find which headers hold the request's id."""
    names = tuple(dict.fromkeys(name for answer in seen.all_given() for name in answer.headers if _ID.search(name)))
    if names:
        yield Finding(
            question="ids",
            text=f"In the headers as {' and '.join(names)}.",
            field="errors.id_headers",
            value=names,
            fits=lambda known: bool(set(known) & set(names)),
        )


def stream(answers: Answers, seen: Seen) -> Found:
    """Find whether streams are whole, and whether their usage has to be asked for."""
    asked, plain = answers["asked"], answers.get("plain")
    if asked.kind == "refused":
        text = f"stream_options is refused: {asked.error}"
        yield Finding(question="stream", text=text, field="usage.stream_options", value=False)
    elif why := why_not(asked):
        yield unknown("stream", why, "usage.stream_options")
    elif not _has_usage(asked):
        yield unknown("stream", "Usage was asked for and did not come.", "usage.stream_options")
    else:
        unasked = plain is not None and plain.ok and _has_usage(plain)
        text = f"Usage comes when it is asked for{', and when not' if unasked else ', and only then'}."
        yield Finding(question="stream", text=text, field="usage.stream_options", value=True)
    for answer in filter(None, (asked, plain)):
        if answer.ok:
            yield _formed(answer)
            return


def _formed(answer: Answer) -> Finding:
    if not answer.streamed or len(answer.bodies) < 2:
        return Finding(question="stream", text="It is not streamed: the answer comes in one piece.")
    if answer.finish is None:
        return Finding(question="stream", text="It ends without a finish reason.")
    return Finding(question="stream", text=f"It is well-formed: {len(answer.bodies)} chunks, {answer.finish}.")


def _has_usage(answer: Answer) -> bool:
    return any(isinstance(dig(body, path), dict) for body in answer.bodies for path in _USAGE)


_NOT_FETCHED = re.compile(r"fetch|download|retriev|time|reach", re.IGNORECASE)


def pictures(answers: Answers, seen: Seen) -> Found:
    """Find whether pictures are seen, and by which addresses."""
    inline, fetched = answers["inline"], answers.get("fetched")
    if why := _unseen(inline, "red"):
        yield unknown("pictures", why, "media.kinds")
        return
    sees = inline.ok
    text = "A picture in the request is seen." if sees else f"A picture is refused: {inline.error}"
    yield Finding(
        question="pictures",
        text=text,
        field="media.kinds",
        value=frozenset({"image"} if sees else ()),
        fits=lambda known: ("image" in (seen.profile.model.media if known is None else known)) is sees,
        keep=not sees,  # whether videos are seen was not asked
    )
    if fetched is None:
        return
    if (why := _unseen(fetched, "dice|die")) or (not fetched.ok and _NOT_FETCHED.search(fetched.error)):
        yield unknown("pictures", why or f"The host could not fetch the picture: {fetched.error}", "media.urls")
        return
    urls = frozenset({"data", "http"} if fetched.ok else {"data"})
    text = "A picture by its address is fetched." if fetched.ok else f"An address is refused: {fetched.error}"
    yield Finding(
        question="pictures",
        text=text,
        field="media.urls",
        value=urls,
        fits=lambda known: frozenset(known) & {"data", "http"} == urls,
    )


def _unseen(answer: Answer, words: str) -> str:
    """Return why an answer does not show whether a picture was seen."""
    if (why := why_not(answer)) or not answer.ok or re.search(rf"\b({words})\b", answer.text, re.IGNORECASE):
        return why
    return f"The request is taken, but the answer does not name what is on the picture: {answer.text[:60]!r}"


def tool_pictures(answers: Answers, seen: Seen) -> Found:
    """Find whether a tool's result may hold a picture."""
    answer = answers["tool pictures"]
    if why := _unseen(answer, "red"):
        yield unknown("tool pictures", why, "tools.media_results")
        return
    text = "It is seen." if answer.ok else f"It is refused: {answer.error}"
    yield Finding(question="tool pictures", text=text, field="tools.media_results", value=answer.ok)
