"""The only I/O: the openai SDK, one retry loop, and keys kept out of what comes back."""
