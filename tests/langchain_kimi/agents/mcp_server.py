"""An MCP server for tests; run as a script it talks over stdio."""

from __future__ import annotations

import io
from base64 import b64encode
from typing import Any, Literal

from mcp.server.fastmcp import FastMCP, Image
from mcp.types import BlobResourceContents, EmbeddedResource, ImageContent, ResourceLink, TextContent
from PIL import Image as Picture
from pydantic import AnyUrl, BaseModel, Field

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


@server.tool()
def get_report() -> list[Any]:
    """Hand out the report on the tides, a PDF."""
    return [TextContent(type="text", text="The report:"), embedded("report.pdf", "application/pdf", b"%PDF-1.4\n\0")]


@server.tool()
def get_link() -> ResourceLink:
    """Say where the table of the tides is."""
    return ResourceLink(type="resource_link", name="tides", uri=AnyUrl("harbour://tides/today"), mimeType="text/csv")


@server.tool()
def get_logo() -> ImageContent:
    """Show the harbour's logo, an SVG."""
    return ImageContent(type="image", data=b64encode(b"<svg/>").decode(), mimeType="image/svg+xml")


@server.tool()
def get_photo() -> ImageContent:
    """Show a photo, which is broken."""
    return ImageContent(type="image", data=b64encode(bytes(range(40))).decode(), mimeType="image/png")


@server.tool()
def get_horn() -> EmbeddedResource:
    """Play the call of a ship."""
    return embedded("horn.wav", "audio/wav", b"RIFF\x24\0\0\0WAVEfmt ")


@server.tool()
def get_path() -> ResourceLink:
    """Name a file of the machine as a picture."""
    return ResourceLink(type="resource_link", name="a", uri=AnyUrl("file:///etc/passwd"), mimeType="image/png")


@server.tool()
def get_scan() -> ImageContent:
    """Hand out a PDF as a picture."""
    return ImageContent(type="image", data=b64encode(b"%PDF-1.4\n\0").decode(), mimeType="image/png")


@server.tool()
def get_letter() -> EmbeddedResource:
    """Hand out text in another encoding than it says."""
    return embedded("letter.txt", "text/plain", "Grüße".encode("latin-1"))


@server.tool()
def get_nothing() -> list[Any]:
    """Answer with nothing."""
    return []


def embedded(name: str, mime: str, data: bytes) -> EmbeddedResource:
    resource = BlobResourceContents(uri=AnyUrl(f"harbour://{name}"), mimeType=mime, blob=b64encode(data).decode())
    return EmbeddedResource(type="resource", resource=resource)


if __name__ == "__main__":
    server.run()
