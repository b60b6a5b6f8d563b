"""What the caller of an import chose."""

from collections.abc import Collection
from dataclasses import dataclass

from django.contrib.auth.models import User

from catalogue.dsrs.declared import NOTHING_DECLARED, DeclaredTotals
from catalogue.models import TemplateVersion
from dsrhub.exceptions import InvalidArgument
from dsrhub.texts.marked import gettext_lazy as _


@dataclass(frozen=True)
class Choices:
    """See `delivery_import`. Raises InvalidArgument.

    The totals that are `declared` are those of the whole delivery. Without a `template`, the delivery is recognised.
    """

    replace: bool = False
    replace_only: Collection[int] | None = None
    drop_missing: bool = False
    drop_only: Collection[int] | None = None
    dry_run: bool = False
    user: User | None = None
    declared: DeclaredTotals = NOTHING_DECLARED
    template: TemplateVersion | None = None

    def __post_init__(self) -> None:
        if self.drop_missing and not self.replace:
            raise InvalidArgument(
                _("Missing contexts are dropped only where a message is replaced."), argument="drop_missing"
            )
