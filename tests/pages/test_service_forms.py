"""Forms whose rows services write: each error of a service is shown where it belongs."""

from dsrhub.exceptions import DsrhubError, InvalidArgument
from dsrhub.models import ApiKey
from dsrhub.pages.service_forms import ServiceForm
from dsrhub.texts.marked import Text


class NameForm(ServiceForm):
    """Names a key. Its service raises `error`, if there is one."""

    class Meta:
        model = ApiKey
        fields = ["name"]

    def __init__(self, name, error=None):
        super().__init__({"name": name})
        self.error, self.written = error, []

    def write(self):
        if self.error:
            raise self.error
        self.written.append(self.instance.name)


def problems(form):
    return {field: [(error.message, error.code) for error in errors.as_data()] for field, errors in form.errors.items()}


def test_a_valid_form_writes_once():
    form = NameForm("statistics")
    assert form.is_valid()
    assert form.is_valid()
    assert form.written == ["statistics"]


def test_an_invalid_form_writes_nothing():
    form = NameForm("")
    assert problems(form).keys() == {"name"}
    assert form.written == []


def test_an_error_about_an_argument_is_shown_at_its_field():
    form = NameForm("statistics", InvalidArgument(Text.made("Taken."), argument="name"))
    assert problems(form) == {"name": [("Taken.", "invalid_argument")]}


def test_other_errors_are_shown_above_the_form():
    for error in (DsrhubError(Text.made("Full.")), InvalidArgument(Text.made("Full."), argument="elsewhere")):
        assert problems(NameForm("statistics", error)) == {"__all__": [("Full.", error.code)]}
