"""The first account's password can be typed and pasted anywhere."""

from __future__ import annotations

from pillarbox.app.first_start import generated_password


def test_letters_and_digits() -> None:
    made = {generated_password() for _ in range(500)}
    assert len(made) == 500
    assert all(len(password) == 16 and password.isalnum() and password.isascii() for password in made)
