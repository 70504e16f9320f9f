"""Why a requirement matters, and what remedies a store that breaks it, where the data is on a server.

What is asked is the same; only what stands for a file, a lock and a crash is another thing there.
"""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class OnServer:
    """What is said in place of the catalogue's words; without ``why`` those hold on a server as well."""

    remedy: str
    why: str = ""


_ONE_REQUEST = (
    "Let one request make the whole update visible: one conditional put of what names the rest, written before; or one "
    "transaction."
)
_BY_THE_SERVER = (
    "Let the server say who was first: put with If-Match (If-None-Match: * where there is nothing yet) and begin anew "
    "on 412; or SELECT ... FOR UPDATE, one UPDATE that computes, or a serialisable transaction that is done again on 40001."
)

ON_SERVER = {
    "ATOM-1": OnServer(
        _ONE_REQUEST,
        "A client that is killed leaves the requests that it has made. Half of a save is what the next client takes for "
        "the whole.",
    ),
    "ATOM-3": OnServer(_ONE_REQUEST),
    "ATOM-4": OnServer(
        "Remove, when the store is opened or after each switch, what nothing names; abort uploads that nobody completes.",
        "Each client that dies may leave an upload, a content or a row that nothing names. Listed as data it is a "
        "phantom; never removed it grows and is paid for.",
    ),
    "DUR-1": OnServer("Return only after the server has confirmed the request that makes the update visible."),
    "DUR-2": OnServer(
        "Leave synchronous_commit as the server has it.",
        "A server that confirms before the disk has it forgets, with its machine, what it has confirmed.",
    ),
    "DUR-3": OnServer(
        "Take each number by a request that only one can win: a put with If-None-Match, a counter in a locked row."
    ),
    "DUR-4": OnServer("Remove what names the data by one request, and copies of it before that."),
    "REC-1": OnServer(
        "Use locks that end with their session (advisory locks, locks of rows), give leases an end, and let opening "
        "tolerate whatever a client that died has left."
    ),
    "REC-2": OnServer(
        "Let each request of recovery be one that may be the last: done again it leads to the same.",
        "A client that comes after one that died can die as well. A repair that is not itself safe turns a harmless "
        "death into a loss.",
    ),
    "REC-3": OnServer(
        "Look what the last client has left before the next update is made, and build on that.",
        "What a client that died has left may stand in the way of the next update, or swallow it: the loss comes later, to "
        "data that was acknowledged.",
    ),
    "RACE-1": OnServer(
        "Hold a lock of the instance from before the read until the write is answered, and give each caller a connection "
        "of its own; or let the server say who was first (If-Match, SELECT ... FOR UPDATE).",
        "Two callers who read the same document, change it and write it back leave one of the two changes, and nobody got "
        "an error.",
    ),
    "RACE-2": OnServer(
        _BY_THE_SERVER,
        "A lock that belongs to the instance does not exclude a second one, which a test, a plugin or another module "
        "opens sooner or later.",
    ),
    "RACE-3": OnServer(
        _BY_THE_SERVER,
        "A client in another process, or on another machine, knows nothing of a lock in memory: only the server can say who "
        "was first.",
    ),
    "RACE-4": OnServer(
        "Make an update visible by one request, and read by one, or in one transaction that sees one state (REPEATABLE READ).",
        "A reader who comes between two requests of an update takes what is there for the truth, or for an empty store.",
    ),
    "RACE-5": OnServer(
        "Lock rows in one order everywhere, and hold no lock of the process while a request waits for one of the server."
    ),
    "RACE-6": OnServer(
        "Close a connection on which a request was broken off: the answer is still to come. Release locks in a finally "
        "clause, and do a whole update before CancelledError goes on.",
        "A timeout cancels the caller, not the request: it may be done after that, and its answer is taken for the next "
        "one's. Ctrl-C raises between any two steps: a lock that only an Exception gives back is held for ever.",
    ),
    "FAULT-1": OnServer(
        "Return only after the server has confirmed, and find out whether a request was done before it is made again.",
        "Networks break, and servers throttle. An error that is swallowed acknowledges what is not there; an update that is "
        "done again, though only its answer was lost, is there twice.",
    ),
    "FAULT-3": OnServer(
        "Take only 404, or no row, for absence; let every other error out, or try again.",
        "A server that did not answer, or a token that has expired, read as 'nothing saved yet' starts the strategy with "
        "an empty portfolio; the next save makes that the truth.",
    ),
    "FAULT-5": OnServer(
        "Roll back and abort in finally or by with, and throw a connection away on which anything went wrong.",
        "A server is away for a minute. A connection that stays in a failed transaction, or a lock that is still held, stops "
        "the store for good.",
    ),
    "FAULT-6": OnServer(
        _ONE_REQUEST,
        "A client whose request has failed is about to be restarted: it dies while it tries again, or cleans up.",
    ),
}
"""By the id of a requirement that a store on a server is asked."""
