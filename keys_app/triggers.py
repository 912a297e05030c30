"""A migration operation: database triggers that log each change of a policy table.

Whoever writes (admin, bulk action, `update()`, raw SQL), the change log gets (version, table, key).
The version is one row, locked by the first change until its transaction ends, so versions become
visible in their order. SQLite drops a table's triggers when a later migration rebuilds the table:
repeat the operation in that migration (a test walks all of them).
"""

from collections.abc import Sequence

from django.db.backends.base.schema import BaseDatabaseSchemaEditor
from django.db.migrations.operations.base import Operation
from django.db.migrations.state import ProjectState

VERSION_TABLE = "keys_app_policyversion"
CHANGE_TABLE = "keys_app_policychange"
#: logged in place of a key when every row of a table went at once (TRUNCATE)
ALL_ROWS = "*"


class PolicyTriggers(Operation):
    """Log inserts, deletes and real changes of `columns` of `table`; rows are named by `key_column`."""

    reversible = True
    atomic = True

    def __init__(self, table: str, columns: Sequence[str], key_column: str = "id") -> None:
        self.table = table
        self.columns = list(columns)
        self.key_column = key_column

    def state_forwards(self, app_label: str, state: ProjectState) -> None:
        pass

    def database_forwards(
        self,
        app_label: str,
        schema_editor: BaseDatabaseSchemaEditor,
        from_state: ProjectState,
        to_state: ProjectState,
    ) -> None:
        vendor = schema_editor.connection.vendor
        create = _sqlite if vendor == "sqlite" else _postgresql
        for statement in (*self._drops(vendor), *create(self.table, self.columns, self.key_column)):
            schema_editor.execute(statement, params=None)

    def database_backwards(
        self,
        app_label: str,
        schema_editor: BaseDatabaseSchemaEditor,
        from_state: ProjectState,
        to_state: ProjectState,
    ) -> None:
        for statement in self._drops(schema_editor.connection.vendor):
            schema_editor.execute(statement, params=None)

    def _drops(self, vendor: str) -> list[str]:
        if vendor == "sqlite":
            return [f'DROP TRIGGER IF EXISTS "{name}"' for name in self.trigger_names(vendor)]
        return [f'DROP FUNCTION IF EXISTS "{_prefix(self.table)}"() CASCADE']

    def trigger_names(self, vendor: str) -> list[str]:
        """The triggers this operation makes on a kind of database."""
        events = ["insert", "update", "delete"]
        if vendor != "sqlite":
            events.append("truncate")
        return [f"{_prefix(self.table)}_{event}" for event in events]

    def describe(self) -> str:
        return f"Log changes of {self.table} for the policy snapshot"

    @property
    def migration_name_fragment(self) -> str:
        return f"policy_triggers_{self.table}"


def _prefix(table: str) -> str:
    return f"policy_{table}"


def _sqlite(table: str, columns: Sequence[str], key: str) -> list[str]:
    # Plain statements: an outer INSERT OR REPLACE would override ON CONFLICT clauses in here.
    # The version row may be missing after a flush.
    bump = f"""
        INSERT INTO {VERSION_TABLE} (id, version)
            SELECT 1, 0 WHERE NOT EXISTS (SELECT 1 FROM {VERSION_TABLE} WHERE id = 1);
        UPDATE {VERSION_TABLE} SET version = version + 1 WHERE id = 1;"""  # noqa: S608  names are ours

    def log(row: str) -> str:
        return f"""
        INSERT INTO {CHANGE_TABLE} (version, table_name, row_key)
            SELECT version, '{table}', {row}."{key}" FROM {VERSION_TABLE} WHERE id = 1;"""  # noqa: S608

    def trigger(event: str, when: str, body: str) -> str:
        name = f"{_prefix(table)}_{event.split(maxsplit=1)[0].lower()}"
        return f'CREATE TRIGGER "{name}" AFTER {event} ON "{table}" {when} BEGIN {body} END'

    watched = [key, *columns]
    names = ", ".join(f'"{column}"' for column in watched)
    differs = " OR ".join(f'OLD."{column}" IS NOT NEW."{column}"' for column in watched)
    return [
        trigger("INSERT", "", bump + log("NEW")),
        trigger("DELETE", "", bump + log("OLD")),
        trigger(f"UPDATE OF {names}", f"WHEN {differs}", bump + log("OLD") + log("NEW")),
    ]


def _postgresql(table: str, columns: Sequence[str], key: str) -> list[str]:
    # Once a statement, over all its rows: a version row updated once for each of 100,000 rows
    # would grow a chain of dead versions as long, and every update walks it.
    differs = " OR ".join(f'o."{column}" IS DISTINCT FROM n."{column}"' for column in (key, *columns))
    function = f"""
CREATE FUNCTION "{_prefix(table)}"() RETURNS trigger LANGUAGE plpgsql AS $body$
DECLARE
    changed text[];
    bumped bigint;
BEGIN
    IF TG_OP = 'INSERT' THEN
        SELECT array_agg(n."{key}"::text) INTO changed FROM new_rows n;
    ELSIF TG_OP = 'DELETE' THEN
        SELECT array_agg(o."{key}"::text) INTO changed FROM old_rows o;
    ELSIF TG_OP = 'TRUNCATE' THEN
        changed := ARRAY['{ALL_ROWS}'];
    ELSE
        SELECT array_agg(k) INTO changed FROM (
            SELECT unnest(ARRAY[o."{key}"::text, n."{key}"::text]) AS k
            FROM old_rows o FULL JOIN new_rows n ON o."{key}" = n."{key}"
            WHERE {differs}
        ) AS pairs WHERE k IS NOT NULL;
    END IF;
    IF changed IS NULL THEN
        RETURN NULL;
    END IF;
    INSERT INTO {VERSION_TABLE} (id, version) VALUES (1, 1)
        ON CONFLICT (id) DO UPDATE SET version = {VERSION_TABLE}.version + 1
        RETURNING version INTO bumped;
    INSERT INTO {CHANGE_TABLE} (version, table_name, row_key)
        SELECT DISTINCT bumped, '{table}', k FROM unnest(changed) AS k;
    RETURN NULL;
END $body$"""  # noqa: S608
    rows = {
        "INSERT": "REFERENCING NEW TABLE AS new_rows",
        "DELETE": "REFERENCING OLD TABLE AS old_rows",
        "UPDATE": "REFERENCING OLD TABLE AS old_rows NEW TABLE AS new_rows",
        "TRUNCATE": "",
    }
    triggers = [
        f'CREATE TRIGGER "{_prefix(table)}_{event.lower()}" AFTER {event} ON "{table}" {referencing} '
        f'FOR EACH STATEMENT EXECUTE FUNCTION "{_prefix(table)}"()'
        for event, referencing in rows.items()
    ]
    return [function, *triggers]
