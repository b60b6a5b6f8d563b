"""The WSGI entry point that gunicorn serves."""

import logging
import os

from django.conf import settings
from django.core.wsgi import get_wsgi_application

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "dsrhub.settings")
application = get_wsgi_application()

if not settings.DSRHUB_HTTPS:
    logging.getLogger(__name__).warning("DSRHUB_HTTPS is off: passwords and tokens are sent unencrypted.")
