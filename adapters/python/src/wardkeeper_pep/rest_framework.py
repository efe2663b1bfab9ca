"""Protects views of Django REST framework: permission classes, and pages of what a person may see.

`MIDDLEWARE` has `wardkeeper_pep.django.Middleware`, which answers with refusals and does what obliges.
"""

from __future__ import annotations

import logging
from collections.abc import Sequence
from dataclasses import replace
from typing import Any, cast

from django.db.models import Model
from rest_framework.pagination import BasePagination
from rest_framework.permissions import BasePermission
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.utils.urls import remove_query_param, replace_query_param

from .authzen import Evaluation
from .django import Confirmed, _asked, _tracing, configured, enforce, search_of
from .errors import NoAnswer
from .refusal import Refusal, Refused

_log = logging.getLogger("wardkeeper_pep")

_ANSWERED = "_wardkeeper_answered"


def may(
    action: str, resource: Any, *, type: str = "user", location: Any = None, confirmed: Confirmed = "X-Confirmed"
) -> type[BasePermission]:
    """Return a permission class that permits a request only if the person may do `action` to `resource`.

    The arguments are those of `wardkeeper_pep.django.may`. Parameters of the path are the keyword arguments of the view.

    REST framework asks again about the same request: for the forms of a page, and for its metadata. A question is enforced once in
    a request, and what another method than the request's may do is only found out, without doing what obliges.
    """
    about = (action, resource, location, type, confirmed)

    class May(BasePermission):
        """Asks the decision point."""

        def has_permission(self, request: Request, view: Any) -> bool:
            """Permit a request, or raise the refusal that the middleware answers with."""
            action, resource, location, type, confirmed = about
            if request.method == getattr(request, "_request", request).method:
                _enforce_once(request, _asked(request, action, resource, location, type, confirmed, view.kwargs))
                return True
            try:
                return _offers(request, _asked(request, action, resource, location, type, confirmed, view.kwargs))
            except Refused:  # the question cannot be asked
                return False

    return May


def _enforce_once(request: Request, asked: Evaluation) -> None:
    """Enforce a question, or repeat what came of it before in the same request."""
    known: dict[str, Refusal | None] = vars(getattr(request, "_request", request)).setdefault(_ANSWERED, {})
    key = repr(asked)  # unlike ==, it tells 1 from True
    if key not in known:
        try:
            enforce(request, asked)
            known[key] = None
        except Refused as refused:
            known[key] = refused.refusal
            raise
    if (refusal := known[key]) is not None:
        raise Refused(refusal)


def _offers(request: Request, asked: Evaluation) -> bool:
    with _tracing(request):
        return configured().enforcer.ask([asked])[0].offered


class SearchPagination(BasePagination):
    """Pages of the rows to which the person may do the view's `search_action`.

    A page is one of the decision point's own list, whose token continues it. The view's `search_type` is the type of the
    resources (`user`), and `search_field` has their ids (`pk`).
    """

    page_size = 100
    token_parameter = "token"  # noqa: S105 # a token of a page

    def paginate_queryset(self, queryset: Any, request: Request, view: Any = None) -> list[Any]:
        """Return the rows of the page, in the order of the list."""
        search = search_of(request, view.search_action, getattr(view, "search_type", "user"))
        search = replace(search, limit=self.page_size, token=request.query_params.get(self.token_parameter, ""))
        with _tracing(request):
            try:
                page = configured().client.page_of("resource", search)
            except NoAnswer as error:
                _log.warning("a list could not be had: %s", error)
                raise Refused(Refusal.unavailable()) from None
        self._url, self._next = request.build_absolute_uri(), page.next_token
        field = getattr(view, "search_field", "pk")
        ids = [hit.id for hit in page.hits]
        rows: dict[str, Model] = {str(getattr(row, field)): row for row in queryset.filter(**{f"{field}__in": ids})}
        return [rows[id_] for id_ in ids if id_ in rows]

    def get_paginated_response(self, data: Any) -> Response:
        """Return the page with the link to the next one."""
        following = replace_query_param(self._url, self.token_parameter, self._next) if self._next else None
        return Response({"next": following, "first": remove_query_param(self._url, self.token_parameter), "results": data})

    def get_paginated_response_schema(self, schema: dict[str, Any]) -> dict[str, Any]:
        """Describe the page."""
        link = {"type": "string", "nullable": True, "format": "uri"}
        required: Sequence[str] = ["results"]
        return cast(
            "dict[str, Any]",
            {"type": "object", "required": required, "properties": {"next": link, "first": link, "results": schema}},
        )
