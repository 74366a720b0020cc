"""PURE. Numbers with their nouns, as sentences say them."""


def count(number: int, noun: str, several: str = "") -> str:
    """Such as "1 host" or "4 hosts"."""
    return f"{number} {plural(number, noun, several)}"


def plural(number: int, noun: str, several: str = "") -> str:
    """The noun, or its verb, as that many are called; `several` where it is not the noun with an s."""
    return noun if number == 1 else several or f"{noun}s"
