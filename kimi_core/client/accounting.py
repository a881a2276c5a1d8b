"""What answers have cost: put on the budget's bill and into the log."""

from __future__ import annotations

import logging
from typing import TYPE_CHECKING

from kimi_core.hosts.profile import Profile
from kimi_core.quoting import in_short
from kimi_core.request.plan import Plan
from kimi_core.types import Response

if TYPE_CHECKING:
    from kimi_core.budget import Budget, Meter

_usage_log = logging.getLogger("kimi_core.usage")


class Accounting:
    """Counts answers, where there is a budget or somebody listens to the log."""

    def __init__(self, budget: Budget | None) -> None:
        self.budget = budget

    def count(self, plan: Plan, response: Response, meter: Meter | None = None) -> None:
        """Count an answer."""
        if self.budget is not None:
            if meter is None and response.usage is None:
                meter = self.budget.meter(plan.request, plan.profile)
                meter.estimate(response)
            self.budget.settle(response, plan.profile, meter)
        if response.usage is not None and _usage_log.isEnabledFor(logging.INFO):
            _log_usage(plan.profile, response)


def _log_usage(profile: Profile, response: Response) -> None:
    """Write one line for each answer, for meters and alerts: no content, and no key."""
    usage = response.usage
    ids = (found for name in profile.host.errors.id_headers if (found := response.headers.get(name)))
    facts = {
        "host": profile.host.name,
        "model": profile.model_id,
        "prompt_tokens": usage.input_tokens if usage else None,
        "completion_tokens": usage.output_tokens if usage else None,
        "total_tokens": usage.total_tokens if usage else None,
        "cost_usd": response.cost_usd,
        "request_id": next(ids, response.id),
    }
    _usage_log.info(" ".join(f"{name}={in_short(value)}" for name, value in facts.items()), extra=facts)
