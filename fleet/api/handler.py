"""How programs are answered: without sessions and whatever else only pages need, and in one thread."""

from typing import Any

from asgiref.sync import sync_to_async
from django.conf import settings
from django.core.handlers.asgi import ASGIHandler
from django.core.handlers.exception import convert_exception_to_response
from django.http import HttpRequest
from django.utils.module_loading import import_string


class ProgramHandler(ASGIHandler):
    """The framework's handler, with its work in one thread from beginning to end.

    Else each layer of the middleware would change between the event loop and a thread, and wait at each change for the
    threads that take in crashes.
    """

    def load_middleware(self, is_async: bool = False) -> None:  # noqa: ARG002 - as the framework calls it
        """Builds the layers of PROGRAM_MIDDLEWARE around the views."""
        self._view_middleware: list[Any] = []
        self._template_response_middleware: list[Any] = []
        self._exception_middleware: list[Any] = []
        chain: Any = convert_exception_to_response(self._get_response)  # type: ignore[attr-defined]
        for path in reversed(settings.PROGRAM_MIDDLEWARE):
            chain = convert_exception_to_response(import_string(path)(chain))
        self._middleware_chain = chain

    async def run_get_response(self, request: HttpRequest) -> Any:
        """The answer."""
        response: Any = await sync_to_async(self.get_response, thread_sensitive=True)(request)
        response._handler_class = self.__class__  # noqa: SLF001 - so does the framework
        return response
