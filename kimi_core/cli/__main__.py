"""`python -m kimi_core.cli` is `kimi`."""

from kimi_core.cli import main

main()
