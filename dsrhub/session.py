"""Signing in over REST."""

from typing import Any

from drf_spectacular.utils import OpenApiResponse, extend_schema, inline_serializer
from rest_framework import serializers
from rest_framework.authtoken.serializers import AuthTokenSerializer
from rest_framework.authtoken.views import ObtainAuthToken
from rest_framework.request import Request
from rest_framework.response import Response


class TokenView(ObtainAuthToken):
    authentication_classes = ()

    @extend_schema(
        operation_id="token_create",
        tags=["session"],
        request=AuthTokenSerializer,
        responses={
            200: inline_serializer("Token", {"token": serializers.CharField()}),
            400: OpenApiResponse(description="No such user and password."),
        },
    )
    def post(self, request: Request, *args: Any, **kwargs: Any) -> Response:
        """Exchange a user's name and password for a token, to be sent as `Authorization: Token <token>`."""
        return super().post(request, *args, **kwargs)
