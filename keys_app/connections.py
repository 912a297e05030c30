"""Database connections of threads that live as long as the process, outside any request."""

from django import db


def renew_connections() -> None:
    """Drop this thread's connections that are broken or too old, as Django does between requests.

    One inside a transaction is left alone: whoever opened it decides.
    """
    for connection in db.connections.all(initialized_only=True):
        if not connection.in_atomic_block:
            connection.close_if_unusable_or_obsolete()


def close_connections() -> None:
    """Close this thread's connections for good."""
    db.connections.close_all()
