"""A headless Chromium, a JupyterLab on a copy of the notebooks, and a server for the built site: all on 127.0.0.1."""

from __future__ import annotations

import io
import json
import os
import shutil
import socket
import subprocess
import sys
import threading
import time
import urllib.request
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import partial
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

from kimi_core import HOSTS
from PIL import Image
from selenium import webdriver
from selenium.webdriver.chrome.service import Service

MOST_BYTES = 60_000
"""Of one picture in the documentation."""
_PATIENCE = 120
_SETTINGS = {
    # All cells are in the page, also those that nobody scrolled to.
    "notebook-extension/tracker": {"windowingMode": "none"},
    "apputils-extension/notification": {"fetchNews": "false", "checkForUpdates": False},
}


class Browser:
    """A browser, what it shows, and what it complains about."""

    def __init__(self) -> None:
        options = webdriver.ChromeOptions()
        options.binary_location = shutil.which("chromium") or ""
        for switch in ("headless=new", "no-sandbox", "disable-dev-shm-usage", "hide-scrollbars"):
            options.add_argument(f"--{switch}")
        options.set_capability("goog:loggingPrefs", {"browser": "ALL"})
        self.driver = webdriver.Chrome(options=options, service=Service(shutil.which("chromedriver")))
        self.driver.set_script_timeout(_PATIENCE)

    def look(self, width: int, height: int, *, phone: bool = False, dark: bool = False) -> None:
        """Take another window, device and colour scheme."""
        metrics = {"width": width, "height": height, "deviceScaleFactor": 1, "mobile": phone}
        scheme = {"name": "prefers-color-scheme", "value": "dark" if dark else "light"}
        self.driver.execute_cdp_cmd("Emulation.setDeviceMetricsOverride", metrics)
        self.driver.execute_cdp_cmd("Emulation.setEmulatedMedia", {"features": [scheme]})

    def open(self, url: str) -> None:
        """Go to a page."""
        self.driver.get(url)

    def tell(self, script: str, *given: Any) -> Any:
        """Run JavaScript."""
        return self.driver.execute_script(script, *given)

    def do(self, command: str) -> None:
        """Have JupyterLab carry out a command, to its end."""
        done = "const done = arguments[1]; window.jupyterapp.commands.execute(arguments[0])"
        self.driver.execute_async_script(f"{done}.then(() => done(), () => done())", command)

    def until(self, what: str, script: str) -> None:
        """Wait until JavaScript says so.

        Raises:
            TimeoutError: If it does not within two minutes.
        """
        end = time.monotonic() + _PATIENCE
        while not self.tell(f"return Boolean({script})"):
            if time.monotonic() > end:
                raise TimeoutError(f"waited in vain: {what}")
            time.sleep(0.05)

    def picture(self, file: Path, *, of: str = "body", most: tuple[int, int] = (2000, 2000)) -> None:
        """Save what a selector shows, in few colours, at most so wide and high.

        Raises:
            ValueError: If it is too large for the documentation.
        """
        box = self.tell("return document.querySelector(arguments[0]).getBoundingClientRect().toJSON()", of)
        whole = Image.open(io.BytesIO(self.driver.get_screenshot_as_png()))
        left, top = max(0, int(box["left"])), max(0, int(box["top"]))
        right = min(left + most[0], int(box["right"]), whole.width)
        bottom = min(top + most[1], int(box["bottom"]), whole.height)
        save(whole.crop((left, top, right, bottom)), file)

    def complaints(self) -> list[str]:
        """What the console said since the last time that is an error."""
        return [line["message"] for line in self.driver.get_log("browser") if line["level"] == "SEVERE"]


def save(picture: Image.Image, file: Path) -> None:
    """Save a picture in as few bytes as its readability allows."""
    picture.convert("RGB").quantize(48, dither=Image.Dither.NONE).save(file, optimize=True)
    if (size := file.stat().st_size) > MOST_BYTES:
        raise ValueError(f"{file.name} has {size:,} bytes, at most {MOST_BYTES:,} are wanted")


@contextmanager
def browser() -> Iterator[Browser]:
    """A browser that is closed at the end."""
    one = Browser()
    try:
        yield one
    finally:
        one.driver.quit()


@contextmanager
def lab(folder: Path, state: Path, *, theme: str = "JupyterLab Light") -> Iterator[str]:
    """JupyterLab on a folder, whose settings and kernels nobody else has; its address."""
    settings = state / "settings" / "@jupyterlab"
    for name, values in {**_SETTINGS, "apputils-extension/themes": {"theme": theme}}.items():
        file = settings / f"{name}.jupyterlab-settings"
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text(json.dumps(values), "utf-8")
    port = free_port()
    options = {
        "ServerApp.port": port,
        "ServerApp.port_retries": 0,
        "ServerApp.root_dir": folder,
        "Application.log_level": "ERROR",
        "IdentityProvider.token": "",
        "LabApp.expose_app_in_browser": True,
        "LabApp.user_settings_dir": state / "settings",
        "LabApp.workspaces_dir": state / "workspaces",
    }
    command = [sys.executable, "-m", "jupyterlab", "--no-browser", "--allow-root"]
    command += [f"--{name}={value}" for name, value in options.items()]
    keys = {name for spec in HOSTS.values() for name in (*spec.address.key_env, *spec.address.base_url_env)}
    clean = {name: value for name, value in os.environ.items() if name not in keys}
    own = {f"JUPYTER_{what}_DIR": str(state / what.lower()) for what in ("CONFIG", "DATA", "RUNTIME")}
    with (state / "log").open("w") as log:
        process = subprocess.Popen(command, env=clean | own, stdout=log, stderr=log)
    try:
        url = f"http://127.0.0.1:{port}"
        answers(f"{url}/api", process.poll)
        yield url
    finally:
        process.terminate()
        process.wait(30)


@contextmanager
def served(folder: Path) -> Iterator[str]:
    """The files of a folder over HTTP; its address."""

    class Quiet(SimpleHTTPRequestHandler):
        def log_message(self, format: str, *args: Any) -> None:
            pass

    with ThreadingHTTPServer(("127.0.0.1", 0), partial(Quiet, directory=str(folder))) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        yield f"http://127.0.0.1:{server.server_port}"
        server.shutdown()


def free_port() -> int:
    """A port that nobody listens on."""
    with socket.socket() as one:
        one.bind(("127.0.0.1", 0))
        return int(one.getsockname()[1])


def answers(url: str, ended: Callable[[], int | None]) -> None:
    """Wait for a server."""
    while ended() is None:
        try:
            urllib.request.urlopen(url).close()
            return
        except OSError:
            time.sleep(0.1)
    raise RuntimeError("the server did not start")
