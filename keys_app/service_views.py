"""My services: who belongs to them, and what they may spend. For their managers, and for admins."""

from typing import Any
from uuid import UUID

from django.contrib import messages
from django.core.exceptions import PermissionDenied, ValidationError
from django.db import transaction
from django.db.models import Count, Q
from django.forms import Form
from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import redirect
from django.utils.translation import gettext as _now
from django.utils.translation import gettext_lazy as _

from gateway_project.money import parse_usd
from keys_app import managing
from keys_app.audit import record_change, values_of
from keys_app.forms import BudgetForm, LevelForm, LimitForm, MemberForm
from keys_app.frame import FrameView
from keys_app.models import Budget, Membership, RateLimit, Scope, Service

MOST_SHOWN = 200


class ServicesView(FrameView):
    """The services the viewer has a say in."""

    name = "my-services"
    title = _("My services")
    template = "keys_app/services.html"

    def get(self, request: HttpRequest) -> HttpResponse:
        working = Count("keys", filter=Q(keys__blocked_at=None), distinct=True)
        rows = managing.services_of(self.viewer).annotate(
            key_count=working, person_count=Count("memberships", distinct=True)
        )
        found = list(rows[: MOST_SHOWN + 1])
        return self.page(services=found[:MOST_SHOWN], more=len(found) > MOST_SHOWN)


class ServiceView(FrameView):
    """One service: people, budgets, limits. What changes comes by POST with `do`."""

    name = "my-services"
    template = "keys_app/service.html"
    #: what may be made here: the form, and the kind of row
    forms = {"member": MemberForm, "budget": BudgetForm, "limit": LimitForm}

    def get(self, request: HttpRequest, service_id: UUID) -> HttpResponse:
        return self._shown(self._service(service_id))

    def post(self, request: HttpRequest, service_id: UUID) -> HttpResponse:
        service = self._service(service_id)
        do, _sep, kind = request.POST.get("do", "").partition(" ")
        if do == "remove":
            self._remove(service, kind, request.POST.get("id", ""))
            return redirect("keys:service", service.pk)
        if do != "add" or kind not in self.forms:
            raise Http404
        form = self.forms[kind](request.POST, prefix=kind)
        if form.is_valid():
            try:
                with transaction.atomic():
                    self._add(service, form)
                return redirect("keys:service", service.pk)
            except (PermissionDenied, ValidationError) as refusal:
                form.add_error(None, str(refusal) if isinstance(refusal, PermissionDenied) else refusal)
        return self._shown(service, {kind: form}, status=400)

    def _service(self, service_id: UUID) -> Service:
        """A service the viewer has no say in is not there."""
        found = managing.services_of(self.viewer).filter(pk=service_id).first()
        if found is None:
            raise Http404
        return found

    def _shown(
        self, service: Service, given: dict[str, Form] | None = None, status: int = 200
    ) -> HttpResponse:
        empty = {kind: form(prefix=kind) for kind, form in self.forms.items()}
        members = Membership.objects.filter(service=service).select_related("user").order_by("user__username")
        return self.page(
            status=status,
            title=service.name,
            service=service,
            members=members,
            budgets=[self._row(row) for row in Budget.objects.filter(service=service).order_by("id")],
            limits=[self._row(row) for row in RateLimit.objects.filter(service=service).order_by("id")],
            forms={**empty, **(given or {})},
        )

    def _row(self, row: Budget | RateLimit) -> dict[str, Any]:
        """A budget or limit, what of the service it is for, and whether the viewer may take it away."""
        level = row.get_scope_display()
        if row.scope == Scope.SERVICE:
            level = _now("The whole service")
        elif row.scope == Scope.END_USER and not row.target:
            level = _now("Each end user")
        may = managing.may_change(self.viewer, row) and not row.managed_by
        return {"row": row, "level": level, "may_remove": may}

    # ------------------------------------------------------------ changes

    def _add(self, service: Service, form: Form) -> None:
        """Raises PermissionDenied, ValidationError."""
        values = form.cleaned_data
        if not isinstance(form, LevelForm):
            user = managing.find_person(values["person"])
            managing.set_member(self.viewer, service, user, Membership.Role.MEMBER)
            messages.success(self.request, _now("%(name)s belongs to the service.") % {"name": user.username})
            return
        scope, target = form.place()
        row: Budget | RateLimit
        if isinstance(form, BudgetForm):
            amount = parse_usd(values["amount_usd"])
            row = Budget(amount_nanodollars=amount, period=values["period"], hard=values["hard"])
        else:
            row = RateLimit(**{name: values.get(name) for name in LimitForm.RATES})
        row.scope, row.service, row.target = scope, service, target
        managing.check_new(self.viewer, row)
        row.save()
        record_change(self.viewer, row, "added", (), values_of(row))
        messages.success(self.request, _now("It holds within two seconds."))

    def _remove(self, service: Service, kind: str, row_id: str) -> None:
        """Raises Http404, PermissionDenied."""
        kinds: dict[str, Any] = {"member": Membership, "budget": Budget, "limit": RateLimit}
        if kind not in kinds:
            raise Http404
        try:
            row = kinds[kind].objects.filter(service=service, pk=UUID(row_id)).first()
        except ValueError:
            row = None
        if row is None:
            raise Http404
        if isinstance(row, Membership):
            managing.remove_member(self.viewer, row)
            return
        managing.check_change(self.viewer, row)
        if row.managed_by:
            raise PermissionDenied
        with transaction.atomic():
            record_change(self.viewer, row, "deleted", (), values_of(row))
            row.delete()
