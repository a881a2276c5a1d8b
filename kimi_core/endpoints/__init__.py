"""What a host offers beside chat completions."""
