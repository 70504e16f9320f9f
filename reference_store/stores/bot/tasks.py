"""The tasks of a scheduler, one readable file each in ``tasks/``: what is due, who has taken it, what came of it."""

from __future__ import annotations

import builtins
from collections.abc import Callable
from datetime import datetime

from reference_store.bot_models import Task, TaskStatus
from reference_store.core.signals import let_out
from reference_store.core.strict_json import Document
from reference_store.errors import InvalidRecord
from reference_store.stores.aio import _whole as whole
from reference_store.stores.bot.keyed import AsyncKeyedModelStore, KeyedModelStore, Kind

TASKS = Kind(Task, "task_id", "tasks")


def _wanted(status: str | None) -> Callable[[Task], bool]:
    if status is not None and status not in set(TaskStatus):
        raise InvalidRecord("status", f"is none of {', '.join(TaskStatus)}")
    return lambda task: status is None or task.status == status


def _has_a_zone(now: object) -> bool:
    try:
        return isinstance(now, datetime) and now.utcoffset() is not None
    except ValueError as error:  # NaT is a datetime, but has no zone
        let_out(error)
        return False


def _is_due(now: datetime) -> Callable[[Task], bool]:
    if not _has_a_zone(now):
        raise InvalidRecord("now", "is no datetime with a time zone")
    return lambda task: task.status == TaskStatus.WAITING and task.due_at is not None and task.due_at <= now


def _by_time(tasks: builtins.list[Task]) -> builtins.list[Task]:
    return sorted(tasks, key=lambda task: (task.due_at, task.task_id))


def _begun(now: datetime) -> Callable[[Task], Task | None]:
    due = _is_due(now)

    def begin(task: Task) -> Task | None:
        if not due(task):
            return None
        task.status, task.last_run_at = TaskStatus.RUNNING, now
        task.attempts += 1
        return task

    return begin


def _ended(result: Document | None, error: str | None, due_at: datetime | None) -> Callable[[Task], Task | None]:
    def end(task: Task) -> Task | None:
        if task.status != TaskStatus.RUNNING:
            return None
        status = TaskStatus.WAITING if due_at is not None else TaskStatus.FAILED if error else TaskStatus.COMPLETED
        update = {"status": status, "result": result, "error": error, "due_at": due_at or task.due_at}
        return task.model_copy(update=update)

    return end


class TaskStore(KeyedModelStore[Task]):
    """Tasks by ``task_id`` in ``<root>/tasks/``; errors and promises are those of DocumentStore.

    ``clock`` gives ``created_at`` and ``updated_at``.
    """

    kind = TASKS

    def list(self, status: str | None = None, limit: int = 100, offset: int = 0) -> builtins.list[Task]:
        """Return tasks by id, of this status if one is given, at most ``limit`` from ``offset`` on."""
        return self._records.page(_wanted(status), limit, offset)

    def due(self, now: datetime) -> builtins.list[Task]:
        """Return the waiting tasks that are due at ``now``, which has a zone, the one due first in front."""
        due = _is_due(now)
        return _by_time([task for task in self._records.all() if due(task)])

    def begin(self, task_id: str, now: datetime) -> Task | None:
        """Take a task that is due, and return it running; None if it is not, or somebody else was faster."""
        begun: Task | None = self._done(self._records.updating("begin", task_id, _begun(now)))
        return begun

    def end(
        self,
        task_id: str,
        *,
        result: Document | None = None,
        error: str | None = None,
        due_at: datetime | None = None,
    ) -> Task | None:
        """Note what came of a running task, and return it; None if it is not running.

        It is completed, failed if there is an ``error``, or waiting again if it is due at another time.
        """
        ended: Task | None = self._done(self._records.updating("end", task_id, _ended(result, error, due_at)))
        return ended


class AsyncTaskStore(AsyncKeyedModelStore[Task]):
    """TaskStore for asyncio; see there."""

    kind = TASKS

    async def list(self, status: str | None = None, limit: int = 100, offset: int = 0) -> builtins.list[Task]:
        """Return tasks by id; see TaskStore.list."""
        return await whole(self._records.page, _wanted(status), limit, offset)

    async def due(self, now: datetime) -> builtins.list[Task]:
        """Return the waiting tasks that are due at ``now``; see TaskStore.due."""
        due = _is_due(now)
        return _by_time([task for task in await whole(self._records.all) if due(task)])

    async def begin(self, task_id: str, now: datetime) -> Task | None:
        """Take a task that is due; see TaskStore.begin."""
        begun: Task | None = await self._done(self._records.updating("begin", task_id, _begun(now)))
        return begun

    async def end(
        self,
        task_id: str,
        *,
        result: Document | None = None,
        error: str | None = None,
        due_at: datetime | None = None,
    ) -> Task | None:
        """Note what came of a running task; see TaskStore.end."""
        ended: Task | None = await self._done(self._records.updating("end", task_id, _ended(result, error, due_at)))
        return ended
