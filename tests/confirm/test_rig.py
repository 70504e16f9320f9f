"""What a power loss leaves may be a disk that cannot be mounted any more: that is counted, and the rig goes on."""

from dataclasses import replace
from multiprocessing import get_context

import pytest

from pytest_tradestore.confirm import system
from pytest_tradestore.confirm.disk import Request
from pytest_tradestore.confirm.losses import Loss
from pytest_tradestore.confirm.rig import rig
from pytest_tradestore.sandbox import Sandbox
from tests.confirm.asking import skip_unless_asked
from tests.crash.handmade import Story

pytestmark = pytest.mark.proof

NOTHING = Loss((), 0, 0)
NO_SUPERBLOCK = Loss((0,), 0, 0)


def left_by(losses):
    """Say of each loss whether its tree could be read; and how many disks could not be mounted."""
    system.private_mounts()
    with Sandbox() as sandbox, system.memory_at(str(sandbox.path)), rig("ext4", str(sandbox.path)) as running:
        recording = running.record([Story({"a": b"old"}).initial], lambda roots: None)
        recording = replace(recording, log=(Request(1024, bytes(1024), 0, 0),))
        read = [images[0] is not None for _, images in running.left(recording, losses, 1)]
        return read, running.unmountable


@pytest.mark.parametrize(
    ("losses", "read", "unmountable"),
    [((NO_SUPERBLOCK, NOTHING), [False, True], 1), ((NOTHING, NOTHING), [True, True], 0)],
    ids=["one without a superblock", "control: none"],
)
def test_a_disk_that_cannot_be_mounted_is_counted_and_the_next_one_is_looked_at(losses, read, unmountable):
    skip_unless_asked("ext4")

    with get_context("fork").Pool(1) as pool:
        assert pool.apply(left_by, [losses]) == (read, unmountable)
