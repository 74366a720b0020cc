"""Settings, all from the environment; a bare checkout works without any."""

from pathlib import Path

from csp.constants import NONCE, NONE, SELF
from environs import Env

env = Env()
BASE_DIR = Path(__file__).resolve().parent.parent
VAR_DIR = env.path("FAULTLINE_VAR", BASE_DIR / "var")


def secret(name: str, default: str | None = None) -> str:
    """The value of NAME, or of the file that NAME_FILE points to (how containers hand over secrets)."""
    path = env.path(f"{name}_FILE", None)
    return path.read_text().strip() if path else env.str(name, default)


DEBUG = env.bool("DEBUG", False)
SECRET_KEY = secret("SECRET_KEY")
ALLOWED_HOSTS = env.list("ALLOWED_HOSTS", ["localhost", "127.0.0.1", "[::1]"])
CSRF_TRUSTED_ORIGINS = env.list("CSRF_TRUSTED_ORIGINS", [])
