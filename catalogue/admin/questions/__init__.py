"""The pages of questions about DSRs, for users who may view DSRs. `docs/questions.md` says what they answer."""

from catalogue.admin.questions.artists import ArtistsPage
from catalogue.admin.questions.breakdown import BreakdownPage
from catalogue.admin.questions.comparison import ComparisonPage
from catalogue.admin.questions.coverage import CoveragePage
from catalogue.admin.questions.identification import IdentificationPage
from catalogue.admin.questions.totals import TotalsPage


class QuestionPages(BreakdownPage, ComparisonPage, CoveragePage, ArtistsPage, IdentificationPage, TotalsPage):
    """All of them."""
