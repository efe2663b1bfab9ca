"""The sample application with Django, served by gunicorn, or with the argument `asgi` by uvicorn."""

import os
import sys

import django
from application import Obligations, address, environment, serve
from django.conf import settings
from django.http import JsonResponse
from django.urls import re_path

from wardkeeper_pep.django import acan, can, result_of

obligations = Obligations()
wardkeeper = {
    "URL": os.environ["PDP_URL"],
    "TOKEN_FILE": os.environ["PDP_TOKEN_FILE"],
    "CA_FILE": environment("PDP_CA_FILE"),
    "ROUTES": os.environ["ROUTES_FILE"],
    "HANDLERS": obligations.handlers(),
}
if "PDP_TIMEOUT" in os.environ:
    wardkeeper["TIMEOUT"] = float(os.environ["PDP_TIMEOUT"])
settings.configure(
    ALLOWED_HOSTS=["*"],
    MIDDLEWARE=["wardkeeper_pep.django.Middleware"],
    ROOT_URLCONF=__name__,
    WARDKEEPER=wardkeeper,
)


def done(request):
    return JsonResponse(obligations.done(), safe=False)


def offered(request, id):
    return JsonResponse(can(request, request.GET.getlist("action"), id))


async def offered_async(request, id):
    return JsonResponse(await acan(request, request.GET.getlist("action"), id))


def see(request):
    if request.path.endswith("/fails"):
        return JsonResponse("The database is away.", status=500, safe=False)
    return JsonResponse({"method": request.method, "path": request.path, "subject": result_of(request).subject})


async def see_async(request):
    return see(request)


is_async = sys.argv[1:] == ["asgi"]
urlpatterns = [
    re_path(r"^done$", done),
    re_path(r"^can/(?P<id>[^/]+)$", offered_async if is_async else offered),
    re_path(r"", see_async if is_async else see),
]


if __name__ == "__main__":
    sys.modules["django_sample"] = sys.modules[__name__]
    django.setup()
    if is_async:
        import uvicorn
        from django.core.asgi import get_asgi_application

        host, port = address()
        application = get_asgi_application()
        uvicorn.run(application, host=host, port=port, http="h11", lifespan="off", access_log=False, log_level="error")
    else:
        from django.core.wsgi import get_wsgi_application

        serve(get_wsgi_application)
