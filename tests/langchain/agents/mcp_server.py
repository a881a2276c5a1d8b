"""An MCP server for tests; run as a script it talks over stdio."""

from __future__ import annotations

import io
from typing import Literal

from mcp.server.fastmcp import FastMCP, Image
from PIL import Image as Picture
from pydantic import BaseModel, Field

server = FastMCP("harbour", log_level="ERROR", host="127.0.0.1")


class Place(BaseModel):
    """Where to look."""

    city: str = Field(description="its name", min_length=1)
    unit: Literal["celsius", "fahrenheit"] = "celsius"


@server.tool()
def get_weather(place: Place) -> str:
    """Say what the weather is like in a place."""
    return f"It is sunny in {place.city}, at 21 degrees {place.unit}."


@server.tool()
def get_chart() -> Image:
    """Draw the chart of the tides."""
    data = io.BytesIO()
    Picture.new("RGB", (48, 24), (20, 60, 200)).save(data, "png")
    return Image(data=data.getvalue(), format="png")


@server.tool()
def list_ships(flag: str | None = None) -> list[str]:
    """List the ships in the harbour."""
    return ["Aurora", "Borealis", "Corona"]


@server.tool()
def open_lock(number: int) -> str:
    """Open a lock."""
    raise ValueError(f"Lock {number} is stuck.")


if __name__ == "__main__":
    server.run()
