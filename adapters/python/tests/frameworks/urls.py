"""The views of test_django.py."""

from django.contrib.auth.models import User
from django.http import HttpResponse, JsonResponse
from django.urls import path
from django.views import View as DjangoView
from rest_framework import generics, serializers
from rest_framework.renderers import JSONOpenAPIRenderer
from rest_framework.response import Response
from rest_framework.schemas import get_schema_view
from rest_framework.views import APIView

from wardkeeper_pep.django import acan, can, may, result_of
from wardkeeper_pep.rest_framework import SearchPagination
from wardkeeper_pep.rest_framework import may as may_rest

OFFERED = ["user.view", "user.edit"]


def person(request):
    return request.headers.get("x-test-person")


def context(request):
    return {"current_location": "ghi"}


def from_proxy(request):
    return True


@may("user.view", "{id}")
def view(request, id):
    return JsonResponse({"id": id, "can": can(request, OFFERED, id)})


@may("user.view", "{id}")
async def view_async(request, id):
    return JsonResponse({"id": id, "can": await acan(request, OFFERED, id)})


@may("user.edit", lambda request, id: id, location="ghi")
def edit(request, id):
    return JsonResponse({}, status=409 if "fails" in request.GET else 200)


@may("user.edit", "{id}")
async def edit_async(request, id):
    return JsonResponse({}, status=409 if "fails" in request.GET else 200)


class AsyncView(DjangoView):
    async def get(self, request, id):
        return JsonResponse({"id": id})


class View(APIView):
    permission_classes = [may_rest("user.view", "{id}")]

    def get(self, request, id):
        return Response({"id": id, "can": can(request, OFFERED, id)})


class Edit(APIView):
    permission_classes = [may_rest("user.edit", "{id}")]

    def post(self, request, id):
        return Response({}, status=409 if "fails" in request.query_params else 200)


class UserSerializer(serializers.ModelSerializer):
    class Meta:
        model = User
        fields = ["username"]


def edited(request, id):
    return "" if id == "nobody" and request.method == "POST" else id


class New(generics.CreateAPIView):
    serializer_class = UserSerializer
    permission_classes = [may_rest("user.edit", edited)]


class Both(APIView):
    permission_classes = [may_rest("user.view", "{id}"), may_rest("user.edit", "{id}")]

    def post(self, request, id):
        return Response({})


class BothHeaders(Both):
    permission_classes = [may_rest("user.view", "{id}"), may_rest("user.edit", "{id}", confirmed="X-Edited")]


class List(APIView):
    permission_classes = [may_rest("user.list", "ghi", type="location")]

    def get(self, request):
        return Response({})


class Outer(APIView):
    permission_classes = []

    def get(self, request):
        inner = List()
        inner.args, inner.kwargs, inner.request = (), {}, request
        inner.check_permissions(request)
        return Response({})


@may("user.view", "{id}")
@may("user.edit", "{id}")
def both(request, id):
    return JsonResponse({})


@may("user.view", "{id}")
@may("user.edit", "{id}", confirmed="X-Edited")
def both_headers(request, id):
    return JsonResponse({})


class Pages(SearchPagination):
    page_size = 2


class Users(generics.ListAPIView):
    queryset = User.objects.all()
    serializer_class = UserSerializer
    pagination_class = Pages
    permission_classes = []
    search_action = "user.view"
    search_field = "username"


urlpatterns = [
    path("users/<str:id>", view),
    path("async/<str:id>", view_async),
    path("edit/<str:id>", edit),
    path("async-edit/<str:id>", edit_async),
    path("rest/<str:id>", View.as_view()),
    path("rest-edit/<str:id>", Edit.as_view()),
    path("async-class/<str:id>", may("user.view", "{id}")(AsyncView.as_view())),
    path("rest-new/<str:id>", New.as_view()),
    path("rest-users", Users.as_view()),
    path("rest-list", List.as_view()),
    path("rest-outer", Outer.as_view()),
    path("both/<str:id>", both),
    path("both/<str:id>/headers", both_headers),
    path("rest-both/<str:id>", Both.as_view()),
    path("rest-both/<str:id>/headers", BothHeaders.as_view()),
    path("schema", get_schema_view(title="Users", renderer_classes=[JSONOpenAPIRenderer])),
    path("plain/<str:id>", lambda request, id: HttpResponse(result_of(request).subject)),
    path("body", lambda request: HttpResponse(request.body)),
]
