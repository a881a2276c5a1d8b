"""The form is sent once."""

import unittest

from login.form import LoginForm


class TestForm(unittest.TestCase):
    def setUp(self) -> None:
        self.sent: list[tuple[str, str]] = []

    def test_it_is_sent(self) -> None:
        LoginForm(lambda *said: self.sent.append(said)).submit("ada", "secret")
        self.assertEqual(self.sent, [("ada", "secret")])

    def test_a_second_click_while_the_network_is_slow_sends_nothing(self) -> None:
        def slowly(name: str, password: str) -> None:
            self.sent.append((name, password))
            if len(self.sent) < 3:
                form.submit(name, password)  # the user has lost patience

        form = LoginForm(slowly)
        form.submit("ada", "secret")
        self.assertEqual(self.sent, [("ada", "secret")])
