"""Seeing an answer of either framework in a notebook: `show(model.stream("…"))`.

It needs nothing beyond the core. In a notebook it draws with IPython, which is there; with `markdown-it-py` and
`pillow` (the extra `kimi-adapters[notebook]`) it renders Markdown and makes thumbnails. Elsewhere it prints.
"""

from kimi_adapters.notebook.show import show

__all__ = ["show"]
