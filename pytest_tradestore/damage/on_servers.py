"""Clients whose files are objects of a bucket, or texts in the rows of a database: damaged behind the store's back.

An image of a bucket is its objects by their names, one of a database the columns of its rows that hold text or bytes,
as ``schema.table/key of the row/column``. What a server would not take (text that is none, JSON that is none, what
breaks a constraint) cannot be there, and raises ImpossibleDamage.
"""

import http.client
import json
import os
import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any
from urllib.parse import quote
from xml.sax.saxutils import unescape

from pytest_tradestore.backends import Address, hosts
from pytest_tradestore.backends.hosts import databases
from pytest_tradestore.backends.postgres_messages import Control
from pytest_tradestore.crash.images import DurableImage, ImageFile
from pytest_tradestore.crash.operations import Inode, Kind
from pytest_tradestore.damage.operators import Damage
from pytest_tradestore.damage.operators import Kind as DamageKind
from pytest_tradestore.damage.trials import DamageClient, ImpossibleDamage, Unusable, is_among
from pytest_tradestore.target import StoreUnderTest

_MODE = 0o600
_SAVED = "tradestore_saved_"
_NAME = re.compile(rb"<Key>(.*?)</Key>")
_TABLES = """
SELECT c.oid, n.nspname, c.relname FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace
WHERE c.relkind = 'r' AND n.nspname !~ '^pg_|^tradestore_saved_' AND n.nspname <> 'information_schema' ORDER BY 2, 3
"""
_COLUMNS = """
SELECT a.attname, a.atttypid::regtype::text, EXISTS (
  SELECT 1 FROM pg_index i WHERE i.indrelid = a.attrelid AND i.indisprimary AND a.attnum = ANY (i.indkey)
) FROM pg_attribute a WHERE a.attrelid = {oid} AND a.attnum > 0 AND NOT a.attisdropped ORDER BY a.attnum
"""
_OTHERS = """
SELECT pg_terminate_backend(pid), pg_sleep(0.001) FROM pg_stat_activity
WHERE datname = current_database() AND backend_type = 'client backend' AND pid <> pg_backend_pid()
"""
_PREPARED = "SELECT quote_literal(gid) FROM pg_prepared_xacts WHERE database = current_database()"
_TEXTS = ("text", "character varying", "character", "json", "jsonb", "bytea")


def client_of(store: StoreUnderTest, *arguments: Any) -> DamageClient:
    """Return what damages the data of a store where it keeps them."""
    backend = store.declarations.backend
    kind = DamageClient if backend is None else _OfABucket if backend.kind == "bucket" else _OfPostgres
    return kind(store, *arguments)


def _image(contents: Mapping[str, bytes]) -> DurableImage:
    rows = enumerate(sorted(contents.items()), 1)
    return DurableImage(tuple(ImageFile(path, Kind.FILE, _MODE, data, inode=Inode(n)) for n, (path, data) in rows))


def _contents(image: DurableImage) -> dict[str, bytes]:
    return {file.path: file.content for file in image.files}


@dataclass
class _OnAServer(DamageClient):
    """A client with a root that says where the data is, and holds none."""

    def fresh_root(self, image: DurableImage) -> Path:
        self._count += 1
        root = self.directory / f"{os.getpid()}-{self._count}" / "store"
        os.makedirs(root)
        self.put(root, image)
        return root

    def image_of(self, root: Path) -> DurableImage:
        return _image(self.contents(root))

    def is_kept(self, root: Path, content: bytes) -> bool:
        return is_among(content, list(self.contents(root).values()))

    def emptied(self, root: Path, path: str) -> bool:
        there = self.contents(root)
        if path not in there:
            return False
        self.put(root, _image({**there, path: b""}))
        return True

    def put(self, root: Path, image: DurableImage) -> None:
        """Let the server hold an image, and nothing else."""
        raise NotImplementedError

    def contents(self, root: Path) -> dict[str, bytes]:
        """Return what the server holds."""
        raise NotImplementedError


@dataclass
class _OfABucket(_OnAServer):
    def put(self, root: Path, image: DurableImage) -> None:
        wanted = _contents(image)
        for name in set(self._names(root)) - set(wanted):
            self._ask(root, "DELETE", name)
        for name, content in wanted.items():
            self._ask(root, "PUT", name, content)

    def contents(self, root: Path) -> dict[str, bytes]:
        return {name: self._ask(root, "GET", name) for name in self._names(root)}

    def _names(self, root: Path) -> list[str]:
        names: list[str] = []
        while True:
            after = f"&start-after={quote(names[-1], safe='')}" if names else ""
            told = self._ask(root, "GET", "", query=f"?list-type=2{after}")
            names += [unescape(name.decode()) for name in _NAME.findall(told)]
            if b"<IsTruncated>true" not in told:
                return names

    def _ask(self, root: Path, method: str, name: str, body: bytes = b"", query: str = "") -> bytes:
        address = self.store.place(root)
        assert isinstance(address, Address), "its data is on a server"
        connection = http.client.HTTPConnection("127.0.0.1", address.port)
        try:
            connection.request(method, f"/{address.bucket}/{quote(name)}{query}", body=body)
            answer = connection.getresponse()
            told = answer.read()
        finally:
            connection.close()
        if answer.status >= 300:
            raise Unusable(f"the bucket does not answer {method} {name}: {answer.status}")
        return told


@dataclass(frozen=True, slots=True)
class _Table:
    """A table: by which columns its rows are known, and which of the others hold text."""

    name: str
    keys: tuple[str, ...]
    texts: Mapping[str, str]

    def where(self, key: str) -> str:
        return f"{_key_of(self)} = {_literal(key)}"


@dataclass(frozen=True, slots=True)
class _Snapshot:
    """What the database once held: by the number of the schemas in which its tables are saved."""

    number: int
    contents: Mapping[str, bytes]
    tables: Mapping[str, _Table]


@dataclass(frozen=True, slots=True)
class _Saved:
    """What one database has held, and is kept in it for whatever process brings it back."""

    database: str
    snapshots: list[_Snapshot] = field(default_factory=list)


def _nearest(snapshots: Sequence[_Snapshot], wanted: Mapping[str, bytes]) -> _Snapshot:
    """Return the one of which least has to be changed, of several the last; what it had no row of cannot be changed.

    Raises Unusable where none has all rows.
    """
    whole = [one for one in snapshots if wanted.keys() <= one.contents.keys()]
    if not whole:
        raise Unusable("nothing that was saved has all of its rows, so that what it held cannot be brought back")
    return min(whole, key=lambda one: (len(_changes(one.contents, wanted)), -one.number))


@dataclass
class _OfPostgres(_OnAServer):
    """One database for all roots; what it has held is saved beside, and comes back from there."""

    _dsn: str = ""
    _control: Control | None = None
    _saved: _Saved = field(default_factory=lambda: _Saved(f"d{os.getpid()}"))

    def saved(self) -> _Saved:
        return self._saved

    def take_over(self, saved: _Saved) -> None:
        self._saved = saved
        self._begin()
        # What was asked for the process that ended may still be going on.
        while self._ask(_OTHERS):
            pass
        for (name,) in self._ask(_PREPARED):
            self._ask(f"ROLLBACK PREPARED {name}")

    def _begin(self) -> None:
        server, name = databases()[0], self._saved.database
        self._dsn = server.database(name)
        self._control = server.control(name)
        self._ask("SET session_replication_role = replica")
        self._ask("SET synchronous_commit = off")

    def fresh_root(self, image: DurableImage) -> Path:
        if self._control is None:
            self._begin()
        self._count += 1
        root = self.directory / f"{os.getpid()}-{self._count}" / "store"
        os.makedirs(root)
        hosts.give(os.fspath(root), Address(root, dsn=self._dsn))
        self.put(root, image)
        return root

    def contents(self, root: Path) -> dict[str, bytes]:  # noqa: ARG002 - there is one database
        tables = self._tables()
        contents = self._read(tables)
        number = len(self._saved.snapshots)
        self._ask(f"CREATE SCHEMA {_SAVED}{number}")
        for at, table in enumerate(tables.values()):
            self._ask(f"CREATE TABLE {_SAVED}{number}.t{at} AS TABLE {table.name}")
        self._saved.snapshots.append(_Snapshot(number, contents, tables))
        return contents

    def is_kept(self, root: Path, content: bytes) -> bool:  # noqa: ARG002 - as above
        return is_among(content, list(self._read(self._tables()).values()))

    def emptied(self, root: Path, path: str) -> bool:  # noqa: ARG002 - as above
        tables = self._tables()
        if path not in self._read(tables):
            return False
        self._damage(tables, path, b"")
        return True

    def put(self, root: Path, image: DurableImage) -> None:  # noqa: ARG002 - as above
        wanted = _contents(image)
        if not wanted:
            self._clear()
            return
        snapshot = _nearest(self._saved.snapshots, wanted)
        self._bring_back(snapshot)
        for path, content in _changes(snapshot.contents, wanted).items():
            self._damage(snapshot.tables, path, content)

    def _clear(self) -> None:
        for (schema,) in self._ask(
            "SELECT nspname FROM pg_namespace WHERE nspname !~ '^pg_|^tradestore_saved_' "
            "AND nspname <> 'information_schema'"
        ):
            self._ask(f'DROP SCHEMA "{schema}" CASCADE')
        self._ask("CREATE SCHEMA public")

    def _bring_back(self, snapshot: _Snapshot) -> None:
        if {f"{schema}.{name}" for _, schema, name in self._ask(_TABLES)} != set(snapshot.tables):
            raise Unusable("its tables are not the same each time, so that what it held cannot be brought back")
        names = [table.name for table in snapshot.tables.values()]
        # Not TRUNCATE, which makes new files of each table and index: there are a few rows.
        emptied = [f"DELETE FROM {name}" for name in names]  # noqa: S608 - names of its own
        filled = [
            f"INSERT INTO {name} OVERRIDING SYSTEM VALUE TABLE {_SAVED}{snapshot.number}.t{at}"
            for at, name in enumerate(names)
        ]
        try:
            self._ask("; ".join((*emptied, *filled)))
        except RuntimeError as error:
            raise Unusable(f"what its tables held cannot be brought back: {error}") from None

    def _damage(self, tables: Mapping[str, _Table], path: str, content: bytes | None) -> None:
        name, _, rest = path.partition("/")
        key, _, column = rest.rpartition("/")
        table = tables[name]
        if content is None:
            self._ask(f"DELETE FROM {table.name} WHERE {table.where(key)}")  # noqa: S608 - names of its own
            return
        value = _value(content, table.texts[column])
        try:
            self._ask(f'UPDATE {table.name} SET "{column}" = {value} WHERE {table.where(key)}')  # noqa: S608 - as above
        except RuntimeError as error:
            raise ImpossibleDamage(str(error)) from None

    def _tables(self) -> dict[str, _Table]:
        found: dict[str, _Table] = {}
        for oid, schema, name in self._ask(_TABLES):
            rows = self._ask(_COLUMNS.format(oid=oid))
            keys = tuple(str(column) for column, _, key in rows if key == "t")
            texts = {str(column): str(type_) for column, type_, key in rows if key != "t" and type_ in _TEXTS}
            found[f"{schema}.{name}"] = _Table(f'"{schema}"."{name}"', keys, texts)
        return found

    def _read(self, tables: Mapping[str, _Table]) -> dict[str, bytes]:
        contents: dict[str, bytes] = {}
        for name, table in tables.items():
            for column, type_ in table.texts.items():
                sent = (
                    f"encode(\"{column}\", 'hex')"
                    if type_ == "bytea"
                    else f"encode(convert_to(\"{column}\"::text, 'UTF8'), 'hex')"
                )
                for key, data in self._ask(f"SELECT {_key_of(table)}, {sent} FROM {table.name} ORDER BY ctid"):  # noqa: S608 - names of its own
                    if data is not None:
                        contents[f"{name}/{key}/{column}"] = bytes.fromhex(data)
        return contents

    def _ask(self, statement: str) -> list[tuple[str | None, ...]]:
        assert self._control is not None, "a root has been made"
        return self._control.ask(statement)

    def close(self) -> None:
        super().close()
        if self._control is not None:
            self._control.close()


def _key_of(table: _Table) -> str:
    """Return what tells the rows of a table apart, as an expression; where it has no key, where they lie."""
    columns = [f"coalesce(\"{column}\"::text, '')" for column in table.keys]
    return " || ' ' || ".join(columns) if columns else "ctid::text"


def _literal(text: str) -> str:
    return f"convert_from(decode('{text.encode().hex()}', 'hex'), 'UTF8')"


def _value(content: bytes, type_: str) -> str:
    """Return a column's new content as an expression. Raises ImpossibleDamage where the column cannot hold it."""
    if type_ == "bytea":
        return f"decode('{content.hex()}', 'hex')"
    try:
        text = content.decode()
        if "\0" in text:
            raise ImpossibleDamage("no text of this server has zeros in it")
        if type_.startswith("json"):
            json.loads(text)
    except (ValueError, RecursionError):
        raise ImpossibleDamage(f"a column of type {type_} cannot hold it") from None
    return f"{_literal(text)}::{type_}"


def _changes(before: Mapping[str, bytes], wanted: Mapping[str, bytes]) -> dict[str, bytes | None]:
    changed: dict[str, bytes | None] = {path: None for path in before if path not in wanted}
    changed.update({path: content for path, content in wanted.items() if before.get(path) != content})
    return changed


def of_whole_rows(path: str, files: Mapping[str, bytes], others: Mapping[str, bytes]) -> Iterator[Damage]:
    """Yield a row that holds what another one holds, where it has two columns of text: a body and its seal, say."""
    row, _, column = path.rpartition("/")
    beside = [other for other in files if other.rpartition("/")[0] == row and other != path]
    if len(beside) != 1:
        return
    (second,) = beside
    for name, content in others.items():
        theirs = f"{name.rpartition('/')[0]}/{second.rpartition('/')[2]}"
        if name.endswith(f"/{column}") and theirs in files:
            how = f"replaced, as {second} is, by the row {name.rpartition('/')[0]}"
            yield Damage(path, DamageKind.FOREIGN, how, content, also=(second, files[theirs]))
