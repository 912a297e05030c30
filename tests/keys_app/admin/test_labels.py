"""Labels of every form of the admin begin with a capital letter, the form's own fields among them."""

import pytest
from django.contrib import admin
from django.test import RequestFactory
from django.utils import translation

from keys_app.admin.base import ControlAdmin
from keys_app.models import User

FORMS = [page for page in admin.site._registry.values() if isinstance(page, ControlAdmin)]


@pytest.mark.django_db
@pytest.mark.parametrize("page", FORMS, ids=lambda page: page.model._meta.label)
@pytest.mark.parametrize("language", ["en", "ko"])
def test_labels_begin_alike(page: ControlAdmin, language: str) -> None:
    request = RequestFactory().get("/")
    request.user = User(username="root", is_superuser=True, is_staff=True, role=User.Role.ADMIN)
    for _ in range(200):  # a form is made for each request, its own fields are made once
        page.get_form(request, None)
    with translation.override(language):
        labels = [str(field.label) for field in page.get_form(request, None)().fields.values()]
        assert [label for label in labels if label[:1].islower()] == []


def test_there_are_forms_to_look_at() -> None:
    assert len(FORMS) >= 8
