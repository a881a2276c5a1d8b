"""The login form."""

from collections.abc import Callable


class LoginForm:
    """A form that is sent once, however often its button is pressed."""

    def __init__(self, send: Callable[[str, str], None]) -> None:
        self._send = send
        self._sent = False

    def submit(self, name: str, password: str) -> None:
        """Send the form, unless it was sent."""
        if self._sent:
            return
        self._send(name, password)
        self._sent = True
