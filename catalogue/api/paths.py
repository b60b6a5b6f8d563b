"""The ids that stand in the paths of endpoints, and how the OpenAPI document describes them."""

from drf_spectacular.types import OpenApiTypes
from drf_spectacular.utils import OpenApiParameter, OpenApiResponse

from catalogue.exceptions import DSRNotFound, ImportJobNotFound, MessageNotFound, VersionNotFound
from dsrhub.api.errors import ErrorSerializer
from dsrhub.api.parameters import id_in_path
from dsrhub.texts.marked import gettext_lazy as _

LARGEST_ID, LARGEST_MESSAGE_ID = 2**31 - 1, 2**63 - 1
# Of a DSR, an earlier version or an import.
ID = OpenApiParameter("id", OpenApiTypes.INT, OpenApiParameter.PATH)
MESSAGE_ID = OpenApiParameter("id", OpenApiTypes.INT64, OpenApiParameter.PATH)
NO_DSR = OpenApiResponse(ErrorSerializer, description="There is no such DSR.")


def dsr_number(text: str) -> int:
    return id_in_path(text, largest=LARGEST_ID, missing=DSRNotFound, reason=_("There is no DSR %(id)s."))


def version_number(text: str) -> int:
    return id_in_path(
        text, largest=LARGEST_ID, missing=VersionNotFound, reason=_("There is no earlier version %(id)s.")
    )


def import_number(text: str) -> int:
    return id_in_path(text, largest=LARGEST_ID, missing=ImportJobNotFound, reason=_("There is no import %(id)s."))


def message_number(text: str) -> int:
    return id_in_path(
        text, largest=LARGEST_MESSAGE_ID, missing=MessageNotFound, reason=_("There is no message %(id)s.")
    )
