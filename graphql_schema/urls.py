from django.urls import re_path

from graphql_schema.schema import schema
from graphql_schema.view import GraphQLView

urlpatterns = [re_path("^graphql/?$", GraphQLView.as_view(served=schema.graphql_schema), name="graphql")]
