import getpass
from typing import Any

from django.contrib.auth.management.commands import changepassword
from django.contrib.auth.models import User
from django.db import transaction

from dsrhub.audit import audit
from dsrhub.models import Action


class Command(changepassword.Command):
    """Django's command, with an entry in the audit log."""

    def handle(self, *args: Any, **options: Any) -> str | None:
        with transaction.atomic():
            done: str | None = super().handle(*args, **options)
            audit(Action.PASSWORD_CHANGED, User.objects.get(username=options["username"] or getpass.getuser()))
        return done
