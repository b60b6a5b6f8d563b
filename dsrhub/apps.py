from django.apps import AppConfig
from django.contrib.admin import apps


class DsrhubConfig(AppConfig):
    name = "dsrhub"
    verbose_name = "dsrhub"


class DsrhubAdminConfig(apps.AdminConfig):
    default = False  # `dsrhub` itself is DsrhubConfig.
    default_site = "dsrhub.admin_site.DsrhubAdminSite"
