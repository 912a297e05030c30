from tests.keys_app.cast import admin_client, alice, master

__all__ = ["admin_client", "alice", "master"]
