"""Fixtures for the tests of usage."""

import pytest

from tests.subscriptions.helpers import forget_everything


@pytest.fixture
def real_commits(transactional_db):
    forget_everything()
    yield
    forget_everything()
