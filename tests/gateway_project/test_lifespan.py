"""What a worker does beside its start."""

from django.template import engines
from django.urls import get_resolver

from gateway_project.lifespan import PAGES, _read_pages


def test_the_first_page_finds_addresses_and_templates_read() -> None:
    _read_pages()
    assert get_resolver()._populated
    loaders = engines["django"].engine.template_loaders
    read = {str(key) for loader in loaders for key in getattr(loader, "get_template_cache", {})}
    assert set(PAGES) <= read
