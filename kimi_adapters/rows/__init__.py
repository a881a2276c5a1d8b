"""Rows of a file through Kimi: each is asked once, its answer stands beside it, and a run survives its death."""

from __future__ import annotations
