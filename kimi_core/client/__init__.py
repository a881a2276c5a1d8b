"""`KimiClient` and `AsyncKimiClient`: the whole surface that adapters may call."""
