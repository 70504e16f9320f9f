"""A few lines of Python for the faults that are met most: what a remedy looks like when it is written down."""

from pytest_tradestore.causes import AND, Cause

_REPLACE = """\
def replace(path: str, data: bytes) -> None:
    directory = os.path.dirname(path)
    handle, staged = tempfile.mkstemp(dir=directory)  # beside the file, so that the rename is one step
    try:
        with os.fdopen(handle, "wb") as file:
            file.write(data)
            file.flush()
            os.fsync(file.fileno())                   # the new content is on disk
        os.replace(staged, path)                      # readers see the old content or the new, nothing between
    except BaseException:
        os.unlink(staged)
        raise
    opened = os.open(directory, os.O_RDONLY)
    try:
        os.fsync(opened)                              # the new name is on disk: now it may be acknowledged
    finally:
        os.close(opened)
"""
_LOCK = """\
@contextmanager
def alone(root: str) -> Iterator[None]:
    with open(os.path.join(root, ".lock"), "ab") as file:  # one file for all who write below this root
        fcntl.flock(file, fcntl.LOCK_EX)                   # between processes and threads: each call opens it anew
        yield                                              # read, change and write in here; closing lets go

def add(root: str, key: str, value: object) -> None:
    path = os.path.join(root, "all.json")
    with alone(root):
        with open(path, encoding="utf-8") as file:
            everything = json.load(file)
        everything[key] = value
        replace(path, json.dumps(everything).encode())     # a temporary file of its own, fsync, os.replace
"""
_READ = """\
def read(path: str) -> object:
    try:
        with open(path, "rb") as file:
            content = file.read()
    except FileNotFoundError:
        return None                                        # nothing has been stored: the only way to say so
    try:
        return json.loads(content)
    except (ValueError, RecursionError) as error:
        raise Damaged(f"{path} cannot be read: {error}") from error
"""
_KEEP = """\
def set_aside(path: str) -> None:
    kept = f"{path}.damaged-{time.time_ns()}"
    os.rename(path, kept)                                  # evidence: never overwritten, never deleted
    directory = os.open(os.path.dirname(path), os.O_RDONLY)
    try:
        os.fsync(directory)
    finally:
        os.close(directory)
"""
_NAME = """\
def file_of(identifier: str) -> str:
    if not re.fullmatch(r"[A-Za-z0-9][A-Za-z0-9_-]{0,63}", identifier):
        raise ValueError(f"{identifier!r} is no name that this store takes")
    return f"{identifier}.json"                            # no separator, no dot, nothing that climbs out
"""

RECIPES: dict[str, str] = {
    "fsync missing": _REPLACE,
    "fsync of the directory missing": _REPLACE,
    "fsync comes too late": _REPLACE,
    "file written in place": _REPLACE,
    "file removed before its replacement is there": _REPLACE,
    "failed update that leaves the old value damaged": _REPLACE,
    "another caller comes between the steps": _LOCK,
    "damage taken for absence": _READ,
    "read error taken for absence": _READ,
    "damage told by an error that nobody expects": _READ,
    "damage shown as data": _READ,
    "damaged bytes thrown away": _KEEP,
    "identifier that becomes a path as it is": _NAME,
    "identifier that is made into a path out of the root": _NAME,
    "identifier accepted that has to be refused": _NAME,
}
"""By what is at fault, in the words of the engines; the text may go on with what differs from case to case."""


def recipe_for(cause: Cause) -> str:
    """Return the lines for the first fault of a cause that there are any for, else nothing."""
    for fault in cause.culprit.fault.split(AND):
        for known, recipe in RECIPES.items():
            if fault == known or fault.startswith(f"{known}:"):
                return recipe
    return ""
