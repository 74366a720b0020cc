"""Names and keys as parts of addresses. None holds a NUL, and the database refuses to look for one."""

from django.urls.converters import PathConverter, StringConverter


class Name(StringConverter):
    """A name, as of a host."""

    regex = r"[^/\x00]+"


class Key(PathConverter):
    """A name in another tool, which may hold slashes."""

    regex = r"[^\x00]+"
