"""Clients for locust, which send requests to REST and GraphQL without a pause.

LOAD_TARGETS has what they ask for: DSRs with territories and periods, and ids and words of resources.
"""

import json
import os
from random import Random

from locust import FastHttpUser, task

TARGETS = json.loads(os.environ["LOAD_TARGETS"])
RANDOM = Random(1)  # noqa: S311 - which targets are requested
# The size of a page of lines, and the percentiles of rankings.
PAGE, PERCENTILES = 1000, (5, 10, 25, 50)

TOP = """
query Top($percentile: Int!, $territory: String!) {
  topResources(percentile: $percentile, territory: $territory, first: 20) {
    totalCount
    edges { node { rank cumulativeShare resource { title artists revenueEur } } }
  }
}
"""
ONE_RESOURCE = """
query OneResource($dspId: String!) {
  resources(dspId: $dspId) {
    edges { node { title usages revenueEur reports { edges { node { usages revenueEur dsr { path } } } } } }
  }
}
"""
SEARCH = """
query Search($words: String!) {
  resources(words: $words) { edges { node { dspId title artists isrc } } pageInfo { hasNextPage } }
}
"""
STATISTICS = """
{
  statistics(groupBy: TERRITORY) { edges { node { territory { name } dsrCount lineCount usages revenueEur } } }
}
"""
DSRS_WITH_LINES = """
query Lines($territory: String!) {
  dsrs(territory: $territory, first: 5) {
    edges { node { path lineCount lines(first: 20) { edges { node { lineNumber dspId revenue } } } } }
  }
}
"""


WORST_LINES = """
query Worst($id: ID!) {
  dsr(id: $id) { lines(first: 100) { edges { node { dspId title artists } } pageInfo { hasNextPage } } }
}
"""
TOP_OF_EVERYTHING = """
{ topResources(percentile: 100, first: 100) { edges { node { resource { dspId title artists } } } } }
"""


class Client(FastHttpUser):
    """The numbers of the tasks are their relative frequencies."""

    @task(4)
    def dsrs(self):
        self.client.get("/dsrs/", name="REST /dsrs/")

    @task(4)
    def one_dsr(self):
        self.client.get(f"/dsrs/{RANDOM.choice(TARGETS['dsrs'])['id']}", name="REST /dsrs/{id}")

    @task(4)
    def lines(self):
        dsr = RANDOM.choice(TARGETS["dsrs"])
        page = f"/dsrs/{dsr['id']}/lines?limit={PAGE}&cursor={RANDOM.randrange(dsr['lines'])}"
        self.client.get(page, name="REST /dsrs/{id}/lines")

    @task(4)
    def top_of_a_territory(self):
        territory = RANDOM.choice(TARGETS["dsrs"])["territory"]
        self.client.get(
            f"/resources/percentile/{RANDOM.choice(PERCENTILES)}?territory={territory}", name="REST top, territory"
        )

    @task(2)
    def top_of_a_period(self):
        dsr = RANDOM.choice(TARGETS["dsrs"])
        self.rest_top("period", f"period_start={dsr['period_start']}&period_end={dsr['period_end']}")

    @task(1)
    def top_of_everything(self):
        self.client.get("/resources/percentile/10", name="REST top, everything")

    @task(4)
    def graphql_top(self):
        territory = RANDOM.choice(TARGETS["dsrs"])["territory"]
        self.graphql("topResources", TOP, percentile=RANDOM.choice(PERCENTILES), territory=territory)

    @task(4)
    def graphql_resource(self):
        self.graphql("one resource", ONE_RESOURCE, dspId=RANDOM.choice(TARGETS["dsp_ids"]))

    @task(2)
    def graphql_search(self):
        self.graphql("search", SEARCH, words=RANDOM.choice(TARGETS["words"]))

    @task(2)
    def graphql_statistics(self):
        self.graphql("statistics", STATISTICS)

    @task(2)
    def graphql_dsrs(self):
        self.graphql("DSRs with lines", DSRS_WITH_LINES, territory=RANDOM.choice(TARGETS["dsrs"])["territory"])

    @task(1)
    def worst_lines(self):
        self.client.get(f"/dsrs/{TARGETS['worst']}/lines?limit=10000", name="REST largest cells")

    @task(1)
    def graphql_worst_lines(self):
        self.graphql("largest cells", WORST_LINES, id=TARGETS["worst"])

    @task(1)
    def graphql_top_of_everything(self):
        self.graphql("top of everything", TOP_OF_EVERYTHING)

    def rest_top(self, name, query):
        self.client.get(f"/resources/percentile/{RANDOM.choice(PERCENTILES)}?{query}", name=f"REST top, {name}")

    def graphql(self, name, query, **variables):
        body = {"query": query, "variables": variables}
        with self.rest("POST", "/graphql", json=body, name=f"GraphQL {name}") as response:
            if response.js and "errors" in response.js:
                response.failure(response.text[:500])
