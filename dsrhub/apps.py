from django.apps import AppConfig


class DsrhubConfig(AppConfig):
    name = "dsrhub"
    verbose_name = "dsrhub"
