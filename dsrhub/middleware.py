"""What is answered before anything else."""

from collections.abc import Callable

from django.http import HttpRequest, HttpResponse, HttpResponseBase


class HealthMiddleware:
    """Answer `/healthz` while the process lives.

    It stands before the check of hosts and the redirect to HTTPS: who asks is a supervisor on the same network,
    which knows an address and no name.
    """

    def __init__(self, get_response: Callable[[HttpRequest], HttpResponseBase]) -> None:
        self.get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponseBase:
        if request.path == "/healthz":
            return HttpResponse("ok\n", content_type="text/plain")
        return self.get_response(request)
