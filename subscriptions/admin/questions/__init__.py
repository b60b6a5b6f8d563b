"""The pages of questions about usage, for users who may view subscriptions. `docs/subscriptions.md` describes them."""

from subscriptions.admin.questions.of_one import UsageOfOnePart
from subscriptions.admin.questions.over_limit import OverLimitPage
from subscriptions.admin.questions.usage import UsagePage


class QuestionPages(UsagePage, OverLimitPage, UsageOfOnePart):
    """All of them."""
