"""Drop folders, and how the last look at each went."""

from django.db import models
from django.utils.translation import gettext_lazy as _


class DropFolder(models.Model):
    """A drop folder that processes look at in turns. Its id is the number of the lock."""

    # Four bytes, as the lock has.
    id = models.AutoField(primary_key=True)
    address = models.TextField(_("address"), unique=True, help_text=_("Without a password."))
    looked_at = models.DateTimeField(_("looked at"), null=True)
    error = models.TextField(_("error"), blank=True, help_text=_("Why the folder could not be looked at. In English."))
    arriving_count = models.IntegerField(default=0, help_text=_("Files that may still grow, or wait for a semaphore."))
    waiting_count = models.IntegerField(
        default=0, help_text=_("Files that wait for other files of their message, or for the next look.")
    )
    failing_count = models.IntegerField(
        default=0, help_text=_("Deliveries that are tried again, as the database or the folder failed.")
    )
    left_count = models.IntegerField(default=0, help_text=_("Files that are no reports, or cannot be read."))

    class Meta:
        default_permissions = ()  # Its page needs the permission to import.

    def __str__(self) -> str:
        return self.address
