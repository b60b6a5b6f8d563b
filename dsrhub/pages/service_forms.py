"""Forms of the admin whose rows services write."""

from django import forms

from dsrhub.exceptions import DsrhubError


class ServiceForm(forms.ModelForm):
    """Writes its row while it is validated: only the service knows whether it accepts the row.

    So the errors of the service appear in the form, and the admin has nothing to save.
    """

    def write(self) -> None:
        """Call the service with the valid values. Raises DsrhubError."""
        raise NotImplementedError

    def _post_clean(self) -> None:
        super()._post_clean()  # type: ignore[misc]
        if self.errors:
            return
        try:
            self.write()
        except DsrhubError as error:
            field = error.extra.get("argument")
            message = forms.ValidationError(error.message, code=error.code)
            self.add_error(field if field in self.fields else None, message)
