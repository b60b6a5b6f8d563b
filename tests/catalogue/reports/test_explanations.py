"""Each code of a problem has one sentence that says what is wrong, and one that says what helps."""

import re
from itertools import chain, combinations

import pytest
from django.utils.translation import override

from catalogue.reports.explanations import COMMON
from catalogue.reports.formats import registry
from catalogue.reports.formats.ddex.codes import DdexError, DdexWarning
from catalogue.reports.formats.templates.codes import TemplateError, TemplateWarning
from catalogue.reports.formats.tsv.reader import TsvError
from catalogue.reports.problems import CommonError, CommonWarning

OWN = {
    "TSV": [*TsvError],
    "DDEX": [*DdexError, *DdexWarning],
    "Template": [*TemplateError, *TemplateWarning],
}


def test_every_code_is_explained_and_nothing_else():
    assert {*COMMON} == {*CommonError, *CommonWarning}
    assert {one.name: {*one.explanations} for one in registry.kinds()} == {
        name: {*codes} for name, codes in OWN.items()
    }


@pytest.mark.parametrize("code", [*CommonError, *CommonWarning, *chain(*OWN.values())])
def test_an_explanation_has_sentences_without_words_of_programs(code):
    explanation = registry.explanation(code)
    for text in (explanation.sentence, *explanation.remedies):
        assert re.fullmatch(r"[A-Z][^_`]*[.]", text.replace("dsp_id", "")), text
        assert "manage.py" not in text
    assert explanation.remedies
    assert str(explanation) == f"{explanation.sentence} {explanation.remedy}"
    assert str(explanation.translated()) == str(explanation)
    with override("es"):
        spanish = explanation.translated()
    assert len(spanish.remedies) == len(explanation.remedies)
    assert not {explanation.sentence, *explanation.remedies} & {spanish.sentence, *spanish.remedies}


def test_formats_explain_a_common_code_in_the_same_way():
    for one, other in combinations([kind.explanations for kind in registry.kinds()], 2):
        assert {code for code in one.keys() & other.keys() if one[code] != other[code]} == set()
