import getpass
from typing import Any

from django.contrib.auth.management.commands import changepassword
from django.contrib.auth.models import User
from django.db import transaction

from dsrhub.access.tokens import password_changed


class Command(changepassword.Command):
    """Django's command, with entries in the audit log."""

    def handle(self, *args: Any, **options: Any) -> str | None:
        user = User.objects.filter(username=options["username"] or getpass.getuser()).first()
        with transaction.atomic():
            # It raises CommandError if there is no such user, or if the password stays as it is.
            done: str | None = super().handle(*args, **options)
            if user is not None:
                password_changed(user=user, before=user.password)
        return done
