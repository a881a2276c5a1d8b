"""What may be sent, and how: pure functions of a request and a profile."""
