"""`make run`: the embedded parts, or the given ones, and all of Faultline's processes, until Ctrl-C."""

import os
import sys
from collections.abc import Mapping
from pathlib import Path

from config import embedded
from config.embedded import StartError, Supervisor
from config.launch.services import BASE_DIR, check_port, migrate, port_in, services, without_key

FIRST = "admin"


def run(supervisor: Supervisor, *, var_dir: Path, port: int, ssh_key_file: Path | None) -> None:
    """Start everything, print the address, and stay until told to end."""
    check_port(port)
    parts = embedded.start(var_dir, supervisor=supervisor)
    environment = parts.environment()
    migrate(supervisor, environment=environment)
    supervisor.spawn_together(services(var_dir, port=port, environment=environment, ssh_key_file=ssh_key_file))
    print(f"\nFaultline is at http://127.0.0.1:{port}/   logs: {var_dir / 'log'}   Ctrl-C ends it", flush=True)
    print(f"{sign_in_of_the_first(supervisor, environment)}\n", flush=True)
    supervisor.wait()


def sign_in_of_the_first(supervisor: Supervisor, environment: Mapping[str, str]) -> str:
    """How to sign in: with a first account, made now, where there is none yet."""
    argv = [sys.executable, "manage.py", "set_person", FIRST, "--role", "administrator", "--first"]
    password = supervisor.run("first account", argv, environment=without_key(environment), folder=BASE_DIR).strip()
    if password:
        return f"Sign in as {FIRST} with {password}   It is shown this once"
    return "Lost the password? docs/operators.md has the line that makes a new one"


def main() -> int:
    """The command; returns its exit status."""
    var_dir = Path(os.environ.get("FAULTLINE_VAR") or BASE_DIR / "var").absolute()
    key = os.environ.get("SSH_KEY_FILE")
    try:
        with Supervisor(signals=True, adopt=True) as supervisor:
            run(
                supervisor,
                var_dir=var_dir,
                port=port_in(os.environ),
                ssh_key_file=Path(key) if key else None,
            )
    except StartError as error:
        print(f"\n{error}", file=sys.stderr)
        return 1
    except KeyboardInterrupt:
        return 130
    return 0


if __name__ == "__main__":
    sys.exit(main())
