"""`python -m kimi_adapters` is `kimi-adapters`."""

from kimi_adapters.cli import main

main()
