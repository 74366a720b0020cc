"""The web application, as an ASGI server runs it."""

import os

from django.core.asgi import get_asgi_application

from fleet.api.cap import capped

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "config.settings")

application = capped(get_asgi_application())
