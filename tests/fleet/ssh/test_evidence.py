import pytest

from fleet.ssh.evidence import clean


@pytest.mark.parametrize(
    "text",
    [
        "password=hunter2",
        "DB_PASSWORD: 'hunter2'",
        '{"api_key": "hunter2"}',
        "Authorization: Bearer hunter2",
        "curl -H 'authorization: token hunter2'",
        "postgres://app:hunter2@db/x",
        "-----BEGIN OPENSSH PRIVATE KEY-----\nhunter2\n-----END OPENSSH PRIVATE KEY-----",
        "-----BEGIN RSA PRIVATE KEY-----\nhunter2 cut off",
    ],
)
def test_secrets_are_taken_out(text: str) -> None:
    shown = clean(f"before {text} after")
    assert "hunter2" not in shown
    assert shown.startswith("before")


def test_bytes_are_decoded_with_replacement_bounded_and_printable() -> None:
    shown = clean(b"\xff\x1b[31mred\x00" + b"x" * 10_000_000, most=100)
    assert len(shown) == 100
    assert shown.endswith("…")
    assert shown.isprintable() or "\ufffd" in shown
    assert "\x1b" not in shown
