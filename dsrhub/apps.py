from django.apps import AppConfig
from django.contrib.admin import apps

from dsrhub.texts.marked import translations_use


class DsrhubConfig(AppConfig):
    name = "dsrhub"
    verbose_name = "dsrhub"

    def ready(self) -> None:
        from dsrhub.texts import translations  # noqa: PLC0415 - what it imports needs the registry of applications

        translations_use(translations)


class DsrhubAdminConfig(apps.AdminConfig):
    default = False  # `dsrhub` itself is DsrhubConfig.
    default_site = "dsrhub.pages.site.DsrhubAdminSite"
