from dsrhub.formats.days import *  # noqa: F403
