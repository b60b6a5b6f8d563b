"""Signing in over REST."""

from typing import Any

from drf_spectacular.utils import OpenApiResponse, PolymorphicProxySerializer, extend_schema, inline_serializer
from rest_framework import serializers
from rest_framework.authtoken.serializers import AuthTokenSerializer
from rest_framework.authtoken.views import ObtainAuthToken
from rest_framework.request import Request
from rest_framework.response import Response

from dsrhub.access.tokens import token_of_sign_in
from dsrhub.api.errors import NO_LENGTH, NOT_THIS_TYPE, TOO_LARGE, TOO_MANY, ErrorSerializer, WrongParametersSerializer

NOT_RECOGNISED = OpenApiResponse(
    PolymorphicProxySerializer("NotRecognised", [ErrorSerializer, WrongParametersSerializer], None),
    description="Wrong user name or password.",
)


class TokenView(ObtainAuthToken):
    authentication_classes = ()

    @extend_schema(
        operation_id="token_create",
        summary="Create a token",
        tags=["session"],
        # A form works too. It is not documented: client generators fail with more than one content type.
        request={"application/json": AuthTokenSerializer},
        responses={
            200: inline_serializer("Token", {"token": serializers.CharField()}),
            400: NOT_RECOGNISED,
            411: NO_LENGTH,
            413: TOO_LARGE,
            415: NOT_THIS_TYPE,
            429: TOO_MANY,
        },
    )
    def post(self, request: Request, *args: Any, **kwargs: Any) -> Response:
        """Exchange a user name and password for a new token. Send it as `Authorization: Bearer <token>`."""
        serializer = self.get_serializer(data=request.data)
        serializer.is_valid(raise_exception=True)
        token = token_of_sign_in(serializer.validated_data["user"])
        return Response({"token": token.key}, headers={"Cache-Control": "no-store"})
