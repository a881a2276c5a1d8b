"""How calls wait for their turn under the limits of their user (`kimi_core.limits`)."""
