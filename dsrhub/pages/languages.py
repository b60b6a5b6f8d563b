"""The language that a user has chosen. It follows the user to other browsers: signing in there sets the cookie."""

from collections.abc import Callable
from functools import wraps
from typing import ParamSpec, TypeVar

from django.conf import settings
from django.contrib.auth.models import User
from django.http import HttpResponseBase
from django.utils import translation

from dsrhub.exceptions import InvalidArgument
from dsrhub.models import UserLanguage
from dsrhub.texts.marked import gettext_lazy as _


def language_set(*, user: User, language: str) -> None:
    """Remember the choice of a user. Raises InvalidArgument for a language that dsrhub does not have."""
    require_language(language)
    UserLanguage.objects.update_or_create(user=user, defaults={"language": language})


def require_language(language: str) -> None:
    """Raises InvalidArgument for a language that dsrhub does not have."""
    if language not in dict(settings.LANGUAGES):
        known = ", ".join(dict(settings.LANGUAGES))
        raise InvalidArgument(
            _("The language must be one of %(languages)s.") % {"languages": known}, argument="language"
        )


def language_of(user: User) -> str | None:
    """The language that a user chose last. None: the user has not chosen, or an earlier release had the language."""
    chosen = UserLanguage.objects.filter(user=user, language__in=dict(settings.LANGUAGES))
    return chosen.values_list("language", flat=True).first()


def language_cookie_set(response: HttpResponseBase, language: str) -> None:
    """Let the browser ask for pages in this language from now on."""
    response.set_cookie(
        settings.LANGUAGE_COOKIE_NAME,
        language,
        max_age=settings.LANGUAGE_COOKIE_AGE,
        path=settings.LANGUAGE_COOKIE_PATH,
        domain=settings.LANGUAGE_COOKIE_DOMAIN,
        secure=settings.LANGUAGE_COOKIE_SECURE,
        httponly=settings.LANGUAGE_COOKIE_HTTPONLY,
        samesite=settings.LANGUAGE_COOKIE_SAMESITE,
    )


P = ParamSpec("P")
R = TypeVar("R")


def in_english(function: Callable[P, R]) -> Callable[P, R]:
    """Make a function return English texts whatever the language of the request is: for programs, and for records."""

    @wraps(function)
    def english(*args: P.args, **kwargs: P.kwargs) -> R:
        with translation.override("en"):
            return function(*args, **kwargs)

    return english
