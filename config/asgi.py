"""The web application, as an ASGI server runs it."""

import os
import sys

from django.core.asgi import get_asgi_application

from fleet.api.cap import Application, Receive, Scope, Send, capped
from fleet.api.handler import ProgramHandler

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "config.settings")

FOR_PROGRAMS = ("/api/", "/hooks/", "/healthz", "/readyz", "/metrics")
# Threads that take in crashes are busy for long. Whoever else has something to do asks for his turn after this time.
sys.setswitchinterval(0.0005)


def both(pages: Application, programs: Application) -> Application:
    """Pages for people, and calls of programs, each with the layers it needs."""

    async def answer(scope: Scope, receive: Receive, send: Send) -> None:
        is_program = scope["type"] == "http" and scope["path"].startswith(FOR_PROGRAMS)
        await (programs if is_program else pages)(scope, receive, send)

    return answer


application = capped(both(get_asgi_application(), ProgramHandler()))
