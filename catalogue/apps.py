from django.apps import AppConfig
from django.core.checks import Tags, register
from django.utils.translation import gettext_lazy as _


class CatalogueConfig(AppConfig):
    name = "catalogue"
    verbose_name = _("Catalogue")

    def ready(self) -> None:
        from catalogue.lines.checks import cluster_check  # noqa: PLC0415 - it needs the registry of applications

        register(cluster_check, Tags.database)
