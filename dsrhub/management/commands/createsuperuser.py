from typing import Any

from django.contrib.auth.management.commands import createsuperuser
from django.contrib.auth.models import User
from django.db import transaction

from dsrhub.logs.audit import audit
from dsrhub.models import Action


class Command(createsuperuser.Command):
    """Django's command, with an entry in the audit log."""

    def handle(self, *args: Any, **options: Any) -> None:
        with transaction.atomic():
            newest = User.objects.order_by("-pk").first()
            super().handle(*args, **options)
            for user in User.objects.filter(pk__gt=newest.pk if newest else 0, is_superuser=True):
                audit(Action.USER_ADDED, user, details={"changed": {"is_superuser": {"old": None, "new": True}}})
