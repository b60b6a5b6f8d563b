"""The delivered line of a problem over REST: only for those who may see the cells of a refused file."""

import pytest
from django.contrib.auth.models import AnonymousUser

from catalogue.api.problems import ProblemSerializer
from catalogue.dsrs.selectors import dsr_problems
from catalogue.reports.problems import CommonError, Excerpt, Problem
from tests.catalogue import recipes
from tests.catalogue.helpers import user_with

pytestmark = pytest.mark.django_db
EXCERPT = ["a\t", "much", "\t1"]
SHOWN = {"before": "a\t", "marked": "much", "after": "\t1"}


def test_the_delivered_line_of_a_refused_file_is_not_for_everybody():
    dsr = recipes.failed_dsr.make()
    recipes.problem.make(dsr=dsr, line=2, column="usages", value="much", excerpt=EXCERPT)
    (hidden,) = dsr_problems(dsr=dsr, after=None, limit=1, user=AnonymousUser())
    assert "excerpt" not in ProblemSerializer(hidden).data
    (seen,) = dsr_problems(dsr=dsr, after=None, limit=1, user=user_with("view_dsr"))
    assert ProblemSerializer(seen).data["excerpt"] == SHOWN


def test_the_answer_to_an_upload_has_it_too():
    problem = Problem(CommonError.NOT_A_NUMBER, 2, "usages", "much", excerpt=Excerpt(*EXCERPT))
    assert ProblemSerializer(problem).data["excerpt"] == SHOWN
