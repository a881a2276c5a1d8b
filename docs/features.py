"""The tables about LangChain's features, from the record of what its standard tests said (docs/features.json).

Part of `docs/generate.py`. A feature is what its tests show: it is there when all of them passed, in all runs.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass

from tests.langchain_kimi.standard.modes import IMPOSSIBLE, MODELS, MODES, RUNS, Model
from tests.langchain_kimi.standard.record import MARKS, NOT_RUN, Record

Table = Callable[[Iterable[str], Iterable[Iterable[object]]], str]


@dataclass(frozen=True)
class Feature:
    """A feature and the tests that show it. Those of LangChain's own docs template are `in_template`."""

    name: str
    tests: tuple[str, ...]
    in_template: bool = False


def _feature(name: str, *tests: str, in_template: bool = False) -> Feature:
    return Feature(name, tuple(f"test_{test}" for test in tests), in_template)


FEATURES = (
    _feature(
        "Tool calling",
        "tool_calling",
        "tool_calling_async",
        "tool_calling_with_no_arguments",
        "bind_runnables_as_tools",
        "tool_message_histories_string_content",
        "tool_message_histories_list_content",
        "tool_message_error_status",
        "structured_few_shot_examples",
        "unicode_tool_call_integration",
        "agent_loop",
        in_template=True,
    ),
    _feature(
        "Structured output",
        "structured_output",
        "structured_output_async",
        "structured_output_pydantic_2_v1",
        "structured_output_optional_param",
        in_template=True,
    ),
    _feature("Image input", "image_inputs", in_template=True),
    _feature("Audio input", "audio_inputs", in_template=True),
    _feature("Video input", "video_inputs", in_template=True),
    _feature("Token-level streaming", "stream", "every_delta_of_the_host_is_a_chunk", in_template=True),
    _feature("Native async", "ainvoke", "astream", "abatch", "async_calls_need_no_thread", in_template=True),
    _feature("Token usage", "usage_metadata", "usage_metadata_streaming", in_template=True),
    _feature("Logprobs", "log_probabilities", "log_probabilities_of_a_stream", in_template=True),
    _feature("Forced tool choice", "tool_choice"),
    _feature("JSON mode", "json_mode"),
    _feature("Images in tool results", "image_tool_message"),
    _feature("PDF input", "pdf_inputs"),
    _feature("PDFs in tool results", "pdf_tool_message"),
    _feature("Reasoning as blocks", "reasoning_is_a_block"),
    _feature('Events (`version="v3"`)', "stream_events_v3", "astream_events_v3"),
    _feature(
        "Another model for one call",
        "invoke_with_model_override",
        "ainvoke_with_model_override",
        "stream_with_model_override",
        "astream_with_model_override",
    ),
    _feature("Stop sequences", "stop_sequence"),
    _feature("Anthropic's forms of messages and tools", "anthropic_inputs"),
    _feature("Conversations", "invoke", "batch", "conversation", "double_messages_conversation", "message_with_name"),
    _feature("No undue overhead", "stream_time"),
    _feature("The suite is unmodified", "no_overrides_DO_NOT_OVERRIDE"),
)


def tables(table: Table) -> dict[str, Callable[[], str]]:
    """The tables by name, each made by a function that puts head and rows into Markdown."""
    return {
        "langchain-features": lambda: table(*_template()),
        "langchain-feature-tests": lambda: table(*_by_test()),
        "langchain-modes": lambda: table(*_modes()),
        "langchain-impossible": lambda: table(*_impossible()),
    }


def _template() -> tuple[list[str], list[list[str]]]:
    shown = [feature for feature in FEATURES if feature.in_template]
    rows = [[f"`{model.id}`", *(_sign(feature, model) for feature in shown)] for model in MODELS]
    return ["model", *(feature.name for feature in shown)], rows


def _marks(feature: Feature, models: Iterable[Model]) -> list[str]:
    """What the tests of a feature said in the runs of these models; of several tests in a run the worst."""
    record, runs = Record.load(), [run.name for run in RUNS if run.model in models]
    marks = [max(record.mark(test, run) for test in feature.tests) for run in runs]
    return [mark for mark in marks if mark != NOT_RUN]


def _sign(feature: Feature, model: Model) -> str:
    marks = _marks(feature, [model])
    passed = marks.count(MARKS["passed"])
    if not marks or not passed:
        return "❌"
    return "✅" if passed == len(marks) else f"✅ in {passed} of {len(marks)} runs"


def _by_test() -> tuple[list[str], list[list[str]]]:
    rows = []
    for feature in FEATURES:
        marks = _marks(feature, MODELS)
        passed = f"{marks.count(MARKS['passed'])} of {len(marks)}"
        rows.append([feature.name, passed, ", ".join(f"`{test}`" for test in feature.tests)])
    return ["feature", "passed in runs", "shown by"], rows


def _modes() -> tuple[list[str], list[list[str]]]:
    rows = []
    for mode in MODES:
        models = dict.fromkeys(run.model.id for run in RUNS if run.mode is mode)
        rows.append([mode.name, mode.meaning, ", ".join(f"`{id}`" for id in models)])
    return ["mode", "what is special about it", "run with"], rows


def _impossible() -> tuple[list[str], list[list[str]]]:
    rows = [[f"`{case.model.id}`", case.what, f"`{case.refusal}`", case.instead] for case in IMPOSSIBLE]
    return ["model", "cannot", "the host answers 400", "instead"], rows
