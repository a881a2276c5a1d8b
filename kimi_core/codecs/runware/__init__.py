"""Runware's own protocol: bodies are arrays of tasks."""
