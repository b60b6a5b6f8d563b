"""The template tag that adds the statistics to the first page of the admin."""

from typing import Any

from django import template
from django.template.context import RequestContext

from catalogue.admin import start

register = template.Library()


@register.inclusion_tag("admin/catalogue/start.html", takes_context=True)
def start_page(context: RequestContext) -> dict[str, Any]:
    return start.start_page(context["request"])
