"""A small schema behind the real view, to test the view without our own schema."""

from datetime import date
from time import sleep

import graphene
from django.contrib.auth.models import User
from django.db import connection
from django.urls import path

from dsrhub.exceptions import DsrhubError
from graphql_schema.scalars import Decimal
from graphql_schema.view import GraphQLView


class Broken(DsrhubError):
    code = "broken"


class Node(graphene.ObjectType):
    number = graphene.Int(required=True)
    parent = graphene.Field(lambda: Node)
    children = graphene.List(lambda: Node)
    page = graphene.Field(lambda: Page, first=graphene.Int(default_value=20))
    pause = graphene.Int()

    def resolve_number(self, info):
        return 1

    def resolve_parent(self, info):
        return Node()

    def resolve_children(self, info):
        return [Node(), Node()]

    def resolve_page(self, info, first):
        return Page(first=first)

    def resolve_pause(self, info):
        sleep(0.05)
        return 1


class Edge(graphene.ObjectType):
    node = graphene.Field(Node)


class Page(graphene.ObjectType):
    page_info = graphene.Int()
    edges = graphene.List(Edge)
    first = graphene.Int()

    def resolve_edges(self, info):
        return [Edge(node=Node()) for _ in range(self.first)]


class Filter(graphene.InputObjectType):
    texts = graphene.List(graphene.String)
    inner = graphene.Field(lambda: Filter)


class Query(graphene.ObjectType):
    node = graphene.Field(Node)
    page = graphene.Field(Page, first=graphene.Int(default_value=20))
    length = graphene.Int(texts=graphene.List(graphene.String), filter=Filter(), first=graphene.Int())
    decimal = Decimal(n=Decimal(), m=Decimal())
    int = graphene.Int(n=graphene.Int())
    id = graphene.ID(n=graphene.ID())
    float = graphene.Float(n=graphene.Float())
    user = graphene.String()
    broken = graphene.Int()
    fault = graphene.Int()
    fault_required = graphene.Int(required=True)
    sleep = graphene.Int(seconds=graphene.Float(required=True))
    timeout = graphene.String()

    def resolve_node(self, info):
        return Node()

    def resolve_page(self, info, first):
        return Page(first=first)

    def resolve_length(self, info, texts=(), **arguments):
        return len(texts)

    def resolve_decimal(self, info, n=None, m=None):
        return n

    def resolve_int(self, info, n):
        return n

    def resolve_id(self, info, n):
        return n

    def resolve_float(self, info, n):
        return n

    def resolve_user(self, info):
        return info.context.user.username

    def resolve_broken(self, info):
        raise Broken("It is broken.", day=date(2020, 1, 31))

    def resolve_fault(self, info):
        raise KeyError("a secret of the inside")

    def resolve_fault_required(self, info):
        raise KeyError("a secret of the inside")

    def resolve_sleep(self, info, seconds):
        with connection.cursor() as cursor:
            cursor.execute("SELECT 1 FROM pg_sleep(%s)", [seconds])
            return cursor.fetchone()[0]

    def resolve_timeout(self, info):
        with connection.cursor() as cursor:
            cursor.execute("SHOW statement_timeout")
            return cursor.fetchone()[0]


class UserDelete(graphene.Mutation):
    class Arguments:
        name = graphene.String()

    count = graphene.Int()

    def mutate(self, info, name):
        return UserDelete(count=User.objects.filter(username=name).delete()[0])


class Mutation(graphene.ObjectType):
    user_delete = UserDelete.Field()


schema = graphene.Schema(Query, Mutation)
urlpatterns = [path("graphql", GraphQLView.as_view(served=schema.graphql_schema))]
