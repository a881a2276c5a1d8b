"""The hosts and models: what they take and give, each fact in its spec."""
