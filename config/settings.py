"""Settings, all from the environment; a bare checkout works without any."""

import secrets
from pathlib import Path

import dj_database_url
from csp.constants import NONCE, NONE, SELF
from environs import Env
from marshmallow.validate import ContainsOnly

from incidents.runbooks.plan import ACTIONS, KINDS

env = Env()
BASE_DIR = Path(__file__).resolve().parent.parent
VAR_DIR = env.path("FAULTLINE_VAR", BASE_DIR / "var")


def secret(name: str, default: str = "") -> str:
    """The value of NAME, or what stands in the file that NAME_FILE points to, as containers hand over secrets."""
    path: Path | None = env.path(f"{name}_FILE", None)
    return path.read_text().strip() if path else env.str(name, default)


def local_secret_key() -> str:
    """A key made once for this checkout and kept under var/, readable by its owner alone."""
    path = VAR_DIR / "secret_key"
    if not path.exists():
        path.parent.mkdir(parents=True, exist_ok=True)
        path.touch(mode=0o600)
        path.write_text(secrets.token_urlsafe(50))
    return path.read_text()


DEBUG = env.bool("DEBUG", False)
SECRET_KEY = secret("SECRET_KEY") or local_secret_key()
# Keys of before: still good for what was signed or sealed with them, so that SECRET_KEY can be changed without a gap.
SECRET_KEY_FALLBACKS: list[str] = secret("SECRET_KEY_FALLBACKS").split()
# Seals what is secret at rest, such as the addresses of channels; SECRET_KEY does where this is not given.
SEALING_KEY = secret("SEALING_KEY")
ALLOWED_HOSTS = env.list("ALLOWED_HOSTS", ["localhost", "127.0.0.1", "[::1]"])
CSRF_TRUSTED_ORIGINS: list[str] = env.list("CSRF_TRUSTED_ORIGINS", [])
# Where people reach Faultline; messages to them carry it.
PUBLIC_URL = env.str(
    "PUBLIC_URL", next(iter(CSRF_TRUSTED_ORIGINS), f"http://127.0.0.1:{env.int('PORT', 8000)}")
).rstrip("/")
BEHIND_TLS = env.bool("BEHIND_TLS", False)
SECURE_PROXY_SSL_HEADER = ("HTTP_X_FORWARDED_PROTO", "https") if BEHIND_TLS else None
SECURE_HSTS_SECONDS = 31_536_000 if BEHIND_TLS else 0
SECURE_SSL_REDIRECT = BEHIND_TLS
SESSION_COOKIE_SECURE = CSRF_COOKIE_SECURE = BEHIND_TLS

INSTALLED_APPS = [
    "servestatic.runserver_nostatic",
    "django.contrib.auth",
    "django.contrib.contenttypes",
    "django.contrib.sessions",
    "django.contrib.messages",
    "django.contrib.staticfiles",
    "django.contrib.postgres",
    "django.contrib.humanize",
    "csp",
    "django_htmx",
    "pgtrigger",
    "template_partials",
    "fleet",
    "incidents",
]
MIDDLEWARE = [
    "fleet.api.problems.problem_middleware",
    "django.middleware.security.SecurityMiddleware",
    "servestatic.middleware.ServeStaticMiddleware",
    "csp.middleware.CSPMiddleware",
    "django.contrib.sessions.middleware.SessionMiddleware",
    "django.middleware.common.CommonMiddleware",
    "django.middleware.csrf.CsrfViewMiddleware",
    "django.contrib.auth.middleware.AuthenticationMiddleware",
    "django.contrib.messages.middleware.MessageMiddleware",
    "django.middleware.clickjacking.XFrameOptionsMiddleware",
    "django_htmx.middleware.HtmxMiddleware",
]
# What of it programs need: they have no sessions, forms or pages.
PROGRAM_MIDDLEWARE = [
    "fleet.api.problems.problem_middleware",
    "django.middleware.security.SecurityMiddleware",
    "csp.middleware.CSPMiddleware",
    "django.middleware.common.CommonMiddleware",
    "django.middleware.clickjacking.XFrameOptionsMiddleware",
]
ROOT_URLCONF = "config.urls"
ASGI_APPLICATION = "config.asgi.application"
TEMPLATES = [
    {
        "BACKEND": "django.template.backends.django.DjangoTemplates",
        "DIRS": [BASE_DIR / "templates"],
        "APP_DIRS": True,
        "OPTIONS": {
            "context_processors": [
                "django.template.context_processors.request",
                "django.contrib.auth.context_processors.auth",
                "django.contrib.messages.context_processors.messages",
                "csp.context_processors.nonce",
                "incidents.context.shell",
            ],
        },
    }
]

DATABASES = {
    "default": {
        **dj_database_url.parse(secret("DATABASE_URL", "postgres://localhost/faultline")),
        "CONN_MAX_AGE": 0,
        "OPTIONS": {"pool": {"min_size": 1, "max_size": env.int("DATABASE_POOL", 8), "timeout": 5}},
    }
}
DEFAULT_AUTO_FIELD = "django.db.models.BigAutoField"

AUTH_PASSWORD_VALIDATORS = [
    {"NAME": "django.contrib.auth.password_validation.MinimumLengthValidator", "OPTIONS": {"min_length": 12}},
    {"NAME": "django.contrib.auth.password_validation.CommonPasswordValidator"},
]
LOGIN_URL = "sign-in"
LOGIN_REDIRECT_URL = "now"
LOGOUT_REDIRECT_URL = "sign-in"

LANGUAGE_CODE = "en"
TIME_ZONE = "UTC"
USE_TZ = True
STATIC_URL = "/static/"
STATIC_ROOT = VAR_DIR / "static"
STATICFILES_DIRS = [BASE_DIR / "static"]
STORAGES = {
    "default": {"BACKEND": "django.core.files.storage.FileSystemStorage"},
    "staticfiles": {"BACKEND": "django.contrib.staticfiles.storage.StaticFilesStorage"},
}
SERVESTATIC_USE_FINDERS = True

CONTENT_SECURITY_POLICY = {
    "DIRECTIVES": {
        "default-src": [NONE],
        "script-src": [SELF, NONCE],
        "style-src": [SELF, NONCE],
        "img-src": [SELF, "data:", "blob:"],
        "font-src": [SELF],
        "connect-src": [SELF],
        "form-action": [SELF],
        "base-uri": [NONE],
        "frame-ancestors": [NONE],
    }
}
X_FRAME_OPTIONS = "DENY"

# What one tick of the watch is, and one bin of the correlation: a minute, or less where a story is played fast.
TICK_SECONDS = env.float("TICK_SECONDS", 60.0)
COLLECT_SECONDS = env.float("COLLECT_SECONDS", 10.0)
SWEEP_SECONDS = env.float("SWEEP_SECONDS", 15.0)
# Charts show minutes; during an incident everybody looks at the same ones, so each is drawn once in this time.
CHART_CACHE_SECONDS = env.float("CHART_CACHE_SECONDS", 5.0)
LEASE_SECONDS = env.float("LEASE_SECONDS", 30.0)
# What an administrator has to confirm: acting on, or having out of service, more than this share of the fleet; moving
# more than this share of an app's dynos, where that is this many at least.
BLAST_RADIUS_SHARE = env.float("BLAST_RADIUS_SHARE", 0.5)
BLAST_RADIUS_APP_SHARE = env.float("BLAST_RADIUS_APP_SHARE", 0.5)
BLAST_RADIUS_APP_DYNOS = env.int("BLAST_RADIUS_APP_DYNOS", 10)
# Kinds of steps, or actions, that a second person has to approve, such as "taint,migrate".
SECOND_APPROVAL: list[str] = env.list("SECOND_APPROVAL", [], validate=ContainsOnly([*KINDS, *ACTIONS]))
CRASH_RETENTION_HOURS = env.int("CRASH_RETENTION_HOURS", 72)
ROLL_UP_RETENTION_DAYS = env.int("ROLL_UP_RETENTION_DAYS", 35)
INGEST_MAX_BYTES = env.int("INGEST_MAX_BYTES", 32 * 1024 * 1024)
WEBHOOK_MAX_BYTES = env.int("WEBHOOK_MAX_BYTES", 1024 * 1024)
DATA_UPLOAD_MAX_MEMORY_SIZE = INGEST_MAX_BYTES
# Prints PDFs: the program where it is not on the path, and how long it may take.
CHROMIUM: Path | None = env.path("CHROMIUM", None)
PDF_SECONDS = env.float("PDF_SECONDS", 30.0)
# Read by the worker that acts, and set for it alone.
SSH_KEY_FILE = env.path("SSH_KEY_FILE", None)
# Host programs that may be spoken to, as "sha256:…", more than one while hosts are brought up to date; where none is
# named, the one that this release ships.
HOST_PROGRAM_DIGESTS: list[str] = env.list("HOST_PROGRAM_DIGESTS", [])
FLEET_METRICS = ["incidents.metrics.families"]  # beside those of the fleet
FLEET_JOURNAL = "incidents.timeline.record.fleet_journal"
# What a person needs to change anything; the fleet does not know who gives it.
ACT_PERMISSION = "incidents.respond"
ADMINISTER_PERMISSION = "incidents.administer"

CELERY_BROKER_URL = secret("BROKER_URL", "redis://localhost/0")
CELERY_TASK_IGNORE_RESULT = True
CELERY_TASK_ROUTES = {"fleet.tasks.acting.*": {"queue": "acting"}, "incidents.tasks.acting.*": {"queue": "acting"}}
CELERY_BEAT_SCHEDULE = {
    # Oftener than bins end, so that each is judged soon after: a tick with nothing to do costs a query.
    "tick": {
        "task": "incidents.tasks.watching.tick",
        "schedule": max(1.0, TICK_SECONDS / 12),
        "options": {"expires": TICK_SECONDS},
    },
    "sweep-runs": {
        "task": "incidents.tasks.acting.sweep",
        "schedule": SWEEP_SECONDS,
        "options": {"expires": SWEEP_SECONDS},
    },
    "collect": {
        "task": "fleet.tasks.acting.collect",
        "schedule": COLLECT_SECONDS,
        "options": {"expires": COLLECT_SECONDS},
    },
    "sweep-fleet": {
        "task": "fleet.tasks.acting.sweep",
        "schedule": SWEEP_SECONDS,
        "options": {"expires": SWEEP_SECONDS},
    },
    "deliver": {
        "task": "incidents.tasks.notifying.deliver",
        "schedule": SWEEP_SECONDS,
        "options": {"expires": SWEEP_SECONDS},
    },
    "sweep-backtests": {
        "task": "incidents.tasks.backtesting.sweep",
        "schedule": 2 * SWEEP_SECONDS,
        "options": {"expires": 2 * SWEEP_SECONDS},
    },
    "partitions": {"task": "fleet.tasks.keeping.keep_partitions", "schedule": 1800.0},
}

LOGGING = {
    "version": 1,
    "disable_existing_loggers": False,
    "formatters": {"plain": {"format": "%(asctime)s %(levelname)s %(name)s %(message)s"}},
    "handlers": {"stderr": {"class": "logging.StreamHandler", "formatter": "plain"}},
    "root": {"handlers": ["stderr"], "level": env.str("LOG_LEVEL", "INFO")},
}
