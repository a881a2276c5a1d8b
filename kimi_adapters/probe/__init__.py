"""Finds out what an endpoint that serves Kimi really does, and writes the spec for it.

```python
from kimi_adapters.probe import probe
from kimi_core.settings import make_settings

report = probe(make_settings(host="moonshot"))
print(report.differences, report.unknowns)
print(report.source())
```
"""

from __future__ import annotations

from kimi_adapters.probe.findings import Finding, Report
from kimi_adapters.probe.questions import QUESTIONS, Question
from kimi_adapters.probe.run import Estimate, estimate, probe

__all__ = ["QUESTIONS", "Estimate", "Finding", "Question", "Report", "estimate", "probe"]
