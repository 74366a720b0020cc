"""Text from a host made fit to keep: bounded, printable, without secrets."""

from __future__ import annotations

import re

SECRETS = (
    (
        re.compile(r"-----BEGIN [A-Z ]*PRIVATE KEY-----.*?(-----END [A-Z ]*PRIVATE KEY-----|\Z)", re.DOTALL),
        "[private key]",
    ),
    (re.compile(r"(?i)\b(authorization[\"']?\s*[:=]\s*[\"']?(?:bearer|basic|token)?\s*)[^\s\"',]+"), r"\1[secret]"),
    (re.compile(r"(?i)\b(bearer\s+)[^\s\"',]+"), r"\1[secret]"),
    (
        re.compile(
            r"(?i)([a-z0-9_.-]*(?:password|passwd|passphrase|secret|token|api[_-]?key|access[_-]?key)[\"']?\s*[:=]\s*)"
            r"(\"[^\"]*\"?|'[^']*'?|[^\s\"',;&}]+)"
        ),
        r"\1[secret]",
    ),
    (re.compile(r"(://[^/\s:@]*:)[^/\s@]+(@)"), r"\1[secret]\2"),
)
UNPRINTABLE = re.compile(r"[\x00-\x08\x0b-\x1f\x7f-\x9f\u2028-\u202e\u2066-\u2069]")


def clean(output: bytes | str, *, most: int = 2000) -> str:
    """`output` as evidence of at most `most` characters."""
    # Cut well above the limit first: an endless output costs nothing, and a secret at the edge is still seen whole.
    text = output[: most * 8].decode(errors="replace") if isinstance(output, bytes) else output[: most * 8]
    for pattern, replacement in SECRETS:
        text = pattern.sub(replacement, text)
    text = UNPRINTABLE.sub("\N{REPLACEMENT CHARACTER}", text).strip()
    return text if len(text) <= most else text[: most - 1] + "…"
