"""A host program in small, to be run by a real sshd: verbs that obey, wait, lie and leave."""

import json
import os
import sys
import threading
import time
from typing import Any

turn = threading.Lock()


def say(line: bytes) -> None:
    with turn:
        sys.stdout.buffer.write(line + b"\n")
        sys.stdout.buffer.flush()


def answer(request: dict[str, Any], **result: object) -> None:
    words = {"ok": True, "operation": request.get("operation"), "replayed": False, "result": result}
    say(json.dumps(dict(words, id=request["id"])).encode())


def serve(request: dict[str, Any]) -> None:
    verb = request["verb"]
    if verb == "wait":
        time.sleep(request["seconds"])
        answer(request, waited=request["seconds"])
    elif verb == "refuse":
        refusal = {
            "ok": False,
            "operation": request.get("operation"),
            "error": "no_capacity",
            "message": "full",
            "retry": False,
        }
        say(json.dumps(dict(refusal, id=request["id"])).encode())
    elif verb == "garbage":
        say(b"\xff\xfe not JSON, password=hunter2")
    elif verb == "flood":
        sys.stdout.buffer.write(b"x" * (1 << 20))
        sys.stdout.buffer.flush()
    elif verb == "leave":
        print("Traceback: token=abc123 is wrong", file=sys.stderr, flush=True)
        os._exit(3)
    elif verb != "ignore":
        answer(request, echo=request, command=os.environ.get("SSH_ORIGINAL_COMMAND"))


if __name__ == "__main__":
    for text in sys.stdin:
        threading.Thread(target=serve, args=(json.loads(text),), daemon=True).start()
