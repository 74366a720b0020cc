"""Database work of programs that otherwise live in an event loop: in a few threads, each piece a short transaction."""

import asyncio
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import ParamSpec, TypeVar

from django.db import connections

Given = ParamSpec("Given")
Result = TypeVar("Result")

# Few, for each holds one of the process's database connections while it works.
_threads = ThreadPoolExecutor(3, thread_name_prefix="rows")


async def in_thread(work: Callable[Given, Result], *args: Given.args, **options: Given.kwargs) -> Result:
    """Runs `work` in a thread, and gives its connection back to the pool."""

    def run() -> Result:
        try:
            return work(*args, **options)
        finally:
            connections.close_all()

    return await asyncio.get_running_loop().run_in_executor(_threads, run)
