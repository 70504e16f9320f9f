"""The catalogue: every requirement with its id, profile, sentence, why it matters, and the remedy in one line.

``docs/reference/requirements.md`` is generated from here.
"""

import re
from dataclasses import dataclass
from enum import IntEnum


class Profile(IntEnum):
    """How much a store promises; each profile contains the ones below it."""

    BASIC = 1
    DURABLE = 2
    HARDENED = 3

    @property
    def label(self) -> str:
        return self.name.lower()


SPEC = "2026.1"
"""The edition of the requirements, for reports."""


@dataclass(frozen=True, slots=True)
class Requirement:
    """``sentence`` completes "a conforming store ..."."""

    id: str
    profile: Profile
    sentence: str
    why: str
    remedy: str


REQUIREMENTS: tuple[Requirement, ...] = (
    Requirement(
        "ATOM-1",
        Profile.BASIC,
        "after a process crash at any point shows the state before or after each update, nothing else",
        "A program that is killed in the middle of a save leaves whatever the save had done so far. If that is an "
        "empty or half-written file, the portfolio is gone although the disk is fine.",
        "Write the new content to a temporary file in the same directory and rename it over the old one with os.replace; "
        "never open the real file for writing.",
    ),
    Requirement(
        "ATOM-2",
        Profile.DURABLE,
        "after power loss shows the state before or after each update, nothing else",
        "A disk may persist a rename before the content, or one page of a file and not the next. A file that was never "
        "synced can be empty, short or full of zeros after a power cut.",
        "Call file.flush() and os.fsync(file.fileno()) on the temporary file before os.replace.",
    ),
    Requirement(
        "ATOM-3",
        Profile.DURABLE,
        "shows a call that changes several files whole or not at all, after any crash",
        "Half of a call is a state that nobody asked for: March without February, a trade without its position, "
        "a document that the list of keys does not know.",
        "Write all new files beside the old ones, then switch to them with one rename: of a manifest that names them, "
        "or of an intent record that recovery completes.",
    ),
    Requirement(
        "ATOM-4",
        Profile.BASIC,
        "never shows leftovers (temp files, partial files) as data, and does not let them grow without bound",
        "Each crash may leave a temporary file behind. Listed as data it is a phantom; never removed it fills the disk.",
        "Give temporary files a suffix that listings skip, and use one fixed name under a lock or remove stale ones when opening.",
    ),
    Requirement(
        "DUR-1",
        Profile.BASIC,
        "keeps every acknowledged update through a process crash",
        "A caller that was told 'saved' acts on it: it sends the order. Data that lived only in memory is gone with the process.",
        "Hand the data to the operating system (flush and close, or commit) before the call returns.",
    ),
    Requirement(
        "DUR-2",
        Profile.DURABLE,
        "keeps every acknowledged update through power loss",
        "The operating system keeps writes and renames in memory for up to half a minute. What was acknowledged in that "
        "time is undone by a power cut.",
        "fsync the file before the rename and fsync its directory after it, both before the call returns.",
    ),
    Requirement(
        "DUR-3",
        Profile.DURABLE,
        "never shows a later acknowledged update of a log without the earlier ones, nor one twice",
        "A log with a hole or a repeated order reads like a valid history of something that did not happen.",
        "fsync the log after each append, and number the records so that a hole or a repetition is noticed.",
    ),
    Requirement(
        "DUR-4",
        Profile.DURABLE,
        "does not bring deleted data back",
        "A deleted position or credential that returns after a crash is acted upon again.",
        "fsync the directory after the unlink, and remove backups of the key before or with it.",
    ),
    Requirement(
        "REC-1",
        Profile.BASIC,
        "reopens after every crash, within the deadline, stale locks and leftovers included",
        "A store that needs a person to delete a lock file after each crash is down until somebody wakes up.",
        "Use locks that the kernel releases (flock on a file that is never deleted), and let opening tolerate every leftover.",
    ),
    Requirement(
        "REC-2",
        Profile.DURABLE,
        "survives a crash during recovery",
        "Power that has failed once often fails again within a minute. A repair that is not itself safe turns a harmless "
        "crash into a loss.",
        "Make recovery idempotent and as careful as any update: build beside, sync, rename, sync the directory.",
    ),
    Requirement(
        "REC-3",
        Profile.BASIC,
        "accepts and keeps the next update after recovery",
        "A torn line at the end of a log swallows the next record that is appended to it: the loss comes after the crash, "
        "to data that was acknowledged.",
        "On opening, cut a log back to its last complete record before the next append, and sync that.",
    ),
    Requirement(
        "RACE-1",
        Profile.BASIC,
        "loses no update of concurrent callers of one instance",
        "Two callers who read the same file, change it and write it back leave one of the two changes: a job that was "
        "saved is unknown afterwards, and nobody got an error.",
        "Hold one lock from before the file is read until after the new one is renamed, and give each writer a temporary file of its own.",
    ),
    Requirement(
        "RACE-2",
        Profile.BASIC,
        "loses no update of concurrent callers of several instances in one process",
        "A lock that belongs to the instance does not exclude a second instance on the same directory, which a test, a "
        "plugin or another module opens sooner or later.",
        "Keep one lock per directory: in a module-level registry by resolved path, or flock on a lock file that is never deleted.",
    ),
    Requirement(
        "RACE-3",
        Profile.HARDENED,
        "loses no update of concurrent callers in several processes, those included that inherited an open instance",
        "A second worker process, a command-line tool or a cron job knows nothing of a lock in memory; and a worker that was "
        "forked holds the descriptors of its parent, locks and all.",
        "Use flock on a lock file of its own that is never renamed or deleted; the kernel releases it when its holder dies.",
    ),
    Requirement(
        "RACE-4",
        Profile.BASIC,
        "never shows a reader a torn or partial state",
        "A reader who comes while a file is written in place, or between its removal and its replacement, takes what it "
        "finds for the truth, or for an empty store.",
        "Replace files with os.replace and never write in place; take the lock in the reader too where one read needs several files.",
    ),
    Requirement(
        "RACE-5",
        Profile.BASIC,
        "does not deadlock",
        "Callers that wait for each other stop the program without an error, with orders open.",
        "Take locks in one order everywhere, none twice, and never hold a threading.Lock across an await.",
    ),
    Requirement(
        "RACE-6",
        Profile.HARDENED,
        "stays correct when a caller, or every task at once, is cancelled, or interrupted by an exception from a signal",
        "A timeout cancels the coroutine, not the thread that works for it: the lock is given back while the old value is "
        "still on its way to the disk, where it lands on top of a newer one. Ctrl-C raises between any two steps: a lock "
        "that only an Exception gives back is held for ever.",
        "Do a whole update in one executor job, shield it, and wait for it before the lock is released and CancelledError goes on.",
    ),
    Requirement(
        "ASYNC-1",
        Profile.HARDENED,
        "(async) does its file work off the event loop",
        "A sync of the disk takes milliseconds, and seconds on a bad day. On the event loop nothing else runs meanwhile: no price "
        "is read, no order is cancelled, no heartbeat answered.",
        "Do the whole call in one job of an executor (await asyncio.to_thread(...)), or use aiofiles for every step of it, "
        "os.fsync and os.replace included.",
    ),
    Requirement(
        "FAULT-1",
        Profile.DURABLE,
        "raises when a write, rename or close fails, and keeps the previous state",
        "A full disk is the commonest fault there is. A store that swallows it acknowledges what is not there; one that "
        "had already emptied the old file has lost that too.",
        "Write to a temporary file, let every error out, remove the temporary file, and leave the old one alone until the rename.",
    ),
    Requirement(
        "FAULT-2",
        Profile.DURABLE,
        "never acknowledges after a failed fsync, and does not trust a retry on the same descriptor",
        "After a failed fsync the kernel may mark the pages clean: the next fsync succeeds without having written them, "
        "and the data is gone with the next power loss.",
        "Raise on a failed fsync, throw the file away, and write all of it again to a new one.",
    ),
    Requirement(
        "FAULT-3",
        Profile.DURABLE,
        "raises on read errors; they are neither absent nor corrupt",
        "A disk that did not answer, or too many open files, read as 'nothing saved yet' starts the strategy with an empty "
        "portfolio; the next save makes that the truth.",
        "Treat FileNotFoundError alone as absence, and let every other OSError out; avoid os.path.exists, which hides them.",
    ),
    Requirement(
        "FAULT-4",
        Profile.BASIC,
        "refuses a value that it cannot serialise and keeps the old one",
        "A value that fails half way through json.dump leaves half a file where the old document was; one that is coerced "
        "comes back as something else.",
        "Serialise to a string in memory, check that it reads back equal, and only then open a file.",
    ),
    Requirement(
        "FAULT-5",
        Profile.DURABLE,
        "works again once the fault is gone, in the same and in the next process, without leaked descriptors, locks or temp files",
        "A disk is full for a minute. A lock that is still held afterwards, or a descriptor lost with each attempt, stops "
        "the store for good.",
        "Release everything in finally or by with, remove the temporary file when an update fails, and cut a torn append off again.",
    ),
    Requirement(
        "FAULT-6",
        Profile.DURABLE,
        "shows the state before or after each update when it crashes while a fault lasts, also one at opening or during recovery",
        "Where one thing fails the next is not far: the disk is full and somebody pulls the plug, or the first start after a "
        "power cut meets a bad sector. The way around a rename that fails, or a repair that gives up, is run seldom and tested never.",
        "Let no way around a failed call do less than the ordinary one: a new file beside the old one, synced and renamed, or "
        "an error. A repair that fails leaves everything as it has found it, and raises.",
    ),
    Requirement(
        "LEAK-1",
        Profile.DURABLE,
        "gives back every descriptor, thread, process, lock and temp file of each call that succeeds",
        "A trading program saves every few seconds for months. One descriptor lost with each save ends it after a thousand "
        "of them, in the middle of the day, with 'Too many open files'.",
        "Close what a call opens by with or in finally: the descriptor of a directory that was synced, an executor, a "
        "temporary file that was copied instead of renamed.",
    ),
    Requirement(
        "ROOT-1",
        Profile.BASIC,
        "creates, changes and needs nothing outside its root, whichever file system the temporary directory is on",
        "The temporary directory is often another file system than the data's: from there a rename fails, and a copy in "
        "its place can be cut by a crash. What lies elsewhere is not backed up either, and two stores may meet there.",
        "Make temporary files in the directory of the file that they will replace: tempfile.mkstemp(dir=...), and locks "
        "and logs below the root too.",
    ),
    Requirement(
        "NAME-1",
        Profile.BASIC,
        "reads, writes and creates nothing outside its root, whatever the identifier",
        "A symbol comes from a feed, a strategy's name from a form. One that reads '../../.ssh/config' must not become "
        "a path: as root such a store overwrites the machine.",
        "Never join an identifier into a path: refuse it unless an allowlist matches all of it (re.fullmatch), or make a "
        "file name of it by a reversible encoding in which '/', '.' at the beginning and control characters are escaped.",
    ),
    Requirement(
        "NAME-2",
        Profile.HARDENED,
        "does not follow planted links out of its root",
        "Who may write into the directory, and no further, plants a link to somebody else's file; the store reads or "
        "overwrites that with its own rights. A check before the use comes too early: the link comes after it.",
        "Keep the root open and open every name below it by os.open(name, os.O_NOFOLLOW, dir_fd=...), one component at a "
        "time; take only what os.fstat says is a regular file; replace files instead of writing into them.",
    ),
    Requirement(
        "NAME-3",
        Profile.BASIC,
        "never lets two accepted identifiers share data",
        "BTC/USDT is not BTC_USDT, and BRKb.N is not BRKB.N: where two symbols share a file, one trades on the prices of "
        "the other, and deleting one deletes both.",
        "Encode reversibly instead of replacing or dropping characters, mark the case of letters for file systems that "
        "ignore it, refuse what is no str, and keep the store's own files under names that no identifier gets.",
    ),
    Requirement(
        "NAME-4",
        Profile.BASIC,
        "returns and lists an accepted identifier exactly as given",
        "What is listed in another spelling, or not at all, is not found again; one odd identifier that breaks the "
        "listing takes all the others with it.",
        "Make the identifier from the file name by the exact inverse of the encoding, and pass over names that it did "
        "not make; or keep the identifier inside of the file.",
    ),
    Requirement(
        "NAME-5",
        Profile.BASIC,
        "refuses with a clear error and no effect on the disk",
        "An identifier with a newline forges a line of a log, one that ends in '/' makes a directory. An error that the "
        "store does not declare is one that no caller handles.",
        "Check the identifier before anything else, with re.fullmatch, not re.match and '$'; raise one error of your own, "
        "list it in tradestore_errors, or declare tradestore_identifiers = 'opaque' if any text is encoded.",
    ),
    Requirement(
        "NAME-6",
        Profile.BASIC,
        "accepts ordinary symbols and ids",
        "A store that refuses BRK.B, 005930.KS or an id of 64 characters is safe and of no use.",
        "Allow letters, digits, '.', '-' and '_' in up to 64 characters at least.",
    ),
    Requirement(
        "PERM-1",
        Profile.HARDENED,
        "creates files no wider than 0640 and directories no wider than 0750, whatever the umask, temp, lock and backup files included",
        "Positions and orders are nobody else's business. With a generous umask everybody on the machine reads them, and "
        "with none at all everybody changes them; a temporary file is as readable as the real one for as long as it lives.",
        "Create files with os.open(..., os.O_CREAT | os.O_EXCL, 0o600) and directories with os.mkdir(..., 0o700), then "
        "os.fchmod to what is wanted; os.makedirs(mode=...) leaves the directories in between to the umask.",
    ),
    Requirement(
        "PERM-2",
        Profile.HARDENED,
        "never widens the mode of a file that it replaces, and never changes the process umask",
        "Somebody has taken others the right to read a file; the next save gives it back. And a umask that is changed for "
        "a moment is changed for every thread of the program.",
        "Give the new file the mode of the one that it replaces, less what is too wide, with os.fchmod before the rename.",
    ),
    Requirement(
        "PERM-3",
        Profile.HARDENED,
        "keeps owner, group, setgid and ACL of what it replaces, as far as the process may",
        "Somebody has given the file to the group that backs it up, or lets the risk desk read it. A new file in its place "
        "belongs to whoever saved last, and the next backup fails, or the report is empty.",
        "Before the rename give the new file what the old one has: os.fchown, the access list (the extended attribute "
        "system.posix_acl_access), then os.fchmod, which would cut the list short if it came first; take EPERM for an answer.",
    ),
    Requirement(
        "CORR-1",
        Profile.HARDENED,
        "never returns wrong data silently from a damaged file (without the claim checksums: from a truncated, empty, "
        "zeroed or unparsable one)",
        "A third of all single flipped bits in a JSON portfolio leave valid JSON: another quantity, another price. "
        "An error stops the strategy; wrong data trades.",
        "Store a checksum over the content, verify it on every read, and raise when it does not fit; never skip what does not parse.",
    ),
    Requirement(
        "CORR-2",
        Profile.HARDENED,
        "keeps the damaged bytes as evidence, also through the next update",
        "A damaged file is often most of a good one. Whoever overwrites it with the next save has thrown the last copy away.",
        "Before an update replaces a file that cannot be read, rename it to a name of its own; never delete it.",
    ),
    Requirement(
        "CORR-3",
        Profile.HARDENED,
        "falls back to the backup, and says so (needs backup)",
        "A backup that nobody reads is none; one that is read in silence is yesterday's portfolio taken for today's.",
        "Read the backup when the file is damaged, log a warning, and never let a damaged file become the backup.",
    ),
    Requirement(
        "CORR-4",
        Profile.HARDENED,
        "reports damage with a typed error in bounded time and memory",
        "An error of some other type is not caught where damage is handled: RecursionError from deep nesting, "
        "UnicodeDecodeError, KeyError from a missing field.",
        "Catch ValueError, RecursionError, KeyError and TypeError around parsing, and raise one declared type; check sizes before decoding.",
    ),
    Requirement(
        "CORR-5",
        Profile.HARDENED,
        "still serves the keys that are not damaged",
        "One bad file must not take the whole portfolio down with it.",
        "Read each key from its own file when it is asked for, and let listings look at names only.",
    ),
    Requirement(
        "CORR-6",
        Profile.HARDENED,
        "does not read an emptied or missing-half file as 'no data yet'",
        "A file of no bytes is what many a crash leaves. Read as a new portfolio it is saved as one within the minute.",
        "Return None only on FileNotFoundError; an existing file that does not parse is damage.",
    ),
    Requirement(
        "CORR-7",
        Profile.HARDENED,
        "notices a valid file that belongs to another key or an older time (needs checksums)",
        "A restore that mixes up two files leaves both valid: one symbol trades on the other's position.",
        "Put the key into what the checksum covers.",
    ),
    Requirement(
        "DATA-ROUNDTRIP",
        Profile.BASIC,
        "returns every JSON value that it accepts exactly as it was given",
        "A price that changes in its last digit, or an id that turns into a number, is wrong data without an error.",
        "Serialise with json.dumps(..., allow_nan=False) and UTF-8, and refuse what does not come back equal.",
    ),
    Requirement(
        "DATA-MISSING",
        Profile.BASIC,
        "reads what was never written as None, {} or []",
        "Absence is an ordinary answer; an exception or an invented default for it is not.",
        "Return None (or [] for a log) when there is no such file, and only then.",
    ),
    Requirement(
        "DATA-OVERWRITE",
        Profile.BASIC,
        "replaces a document as a whole, so that the last value wins and nothing of the old one is left",
        "A merge of the old and the new document is a state that nobody ever saved.",
        "Write the whole new document; do not update the old one in place.",
    ),
    Requirement(
        "DATA-DELETE",
        Profile.BASIC,
        "no longer shows a deleted key, and keeps all the others",
        "Deleting one instrument must not touch another, and must be final.",
        "Remove exactly the file of that key; never match by prefix or pattern.",
    ),
    Requirement(
        "DATA-KEYS",
        Profile.BASIC,
        "lists exactly the keys that it holds, each as it was given",
        "Code that walks over all keys must meet each of them once, and no file that is not one.",
        "Derive keys from file names by the exact inverse of the encoding that made them.",
    ),
    Requirement(
        "DATA-ORDER",
        Profile.BASIC,
        "returns the records of a log complete, once each, in the order of their appends, each stream by itself",
        "A log is a history; in another order, or with a record of another stream, it is a different one.",
        "Append under a lock, one record per line, one file per stream.",
    ),
    Requirement(
        "DATA-REOPEN",
        Profile.BASIC,
        "shows the same after closing and opening again",
        "A store that only remembers while it runs is a cache.",
        "Write everything before the call returns, and read from the files after opening.",
    ),
    Requirement(
        "DATA-ALIAS",
        Profile.BASIC,
        "keeps what it was given, whatever the caller does to it during and after the call, and hands out nothing that reaches back",
        "A program saves its portfolio and goes on trading with the same dictionary. If the store has kept that very object, "
        "positions that nobody saved read as saved, and are gone after a restart.",
        "Serialise what was given before the first await, and copy (copy.deepcopy, or parse again) what goes into a cache "
        "and what comes out of it.",
    ),
    Requirement(
        "DATA-VOLUME",
        Profile.BASIC,
        "keeps all of it when there is much: thousands of records, hundreds of keys, pages, chunks and compactions",
        "Small examples end before the first chunk is full, the first page has a second, the log is compacted. A trading day "
        "does not.",
        "Look for the number at which it begins: a limit with a default, a slice, a rotation, a chunk that is replaced "
        "instead of added.",
    ),
    Requirement(
        "DATA-TIME",
        Profile.BASIC,
        "keeps instants apart and ranges exact across zones, folds, gaps, days and months",
        "When the clocks go back, 01:30 comes twice, and half past eleven in New York is tomorrow in London. A store that files "
        "by what the clock shows loses the one and does not find the other.",
        "Compare and file instants: moment.astimezone(UTC), fold included; keep the zone beside it if it has to come back.",
    ),
    Requirement(
        "DATA-BARS-EXACT",
        Profile.BASIC,
        "returns the symbol, the prices and the volume of every bar bit for bit",
        "A price that changed in its last digit or a volume that went through a double makes a backtest disagree with the market.",
        "Store prices as 64-bit floats and volumes as 64-bit integers, and refuse what does not fit.",
    ),
    Requirement(
        "DATA-BARS-TIMESTAMPS",
        Profile.BASIC,
        "returns timestamps as given, with their time zone or without, or refuses them",
        "A timestamp that lost or changed its zone puts the bar into another hour, day or month.",
        "Store the zone beside the time, or refuse times without (or with) one by a declared error; never convert in silence.",
    ),
    Requirement(
        "DATA-BARS-DEDUPE",
        Profile.BASIC,
        "keeps one bar per timestamp, the one written last",
        "Feeds send corrections and overlapping pages; two bars of one time count its volume twice.",
        "Merge by timestamp when writing, later bars over earlier ones.",
    ),
    Requirement(
        "DATA-BARS-SORTED",
        Profile.BASIC,
        "returns bars in the order of their timestamps, in whatever order they were written",
        "Every indicator that looks back assumes this order, and fails without a word in any other.",
        "Sort when writing or when reading, over all files that a range covers.",
    ),
    Requirement(
        "DATA-BARS-RANGE",
        Profile.BASIC,
        "returns the bars from start to end, both included, and no others",
        "A bar too many looks into the future; one too few is a missing day.",
        "Compare start <= bar.date <= end with whole timestamps, not with days or months.",
    ),
    Requirement(
        "DATA-BARS-MONTHS",
        Profile.BASIC,
        "joins the months that a range covers, and keeps a month's other bars when some are written",
        "Where months are files of their own, the join and the merge are where bars get lost.",
        "Read each month that the range touches; merge new bars into a month that exists.",
    ),
    Requirement(
        "DATA-BARS-EMPTY",
        Profile.BASIC,
        "takes an empty list of bars for nothing to do",
        "A feed without news is an ordinary answer; it must neither fail nor empty a file.",
        "Return at once when there are no bars.",
    ),
    Requirement(
        "DATA-BARS-MISSING",
        Profile.BASIC,
        "reads a symbol that was never written as []",
        "Absence is an ordinary answer, and so is an empty range.",
        "Return [] when there is no such symbol, and only then.",
    ),
    Requirement(
        "DATA-BARS-SYMBOLS",
        Profile.BASIC,
        "keeps the bars of every symbol apart",
        "BRK is not BRK.B: a symbol taken for a prefix or a pattern trades another company.",
        "Give each symbol a place of its own, by an encoding that can be reversed; never match by prefix or pattern.",
    ),
    Requirement(
        "DATA-FUNDAMENTALS-EXACT",
        Profile.BASIC,
        "returns every field of fundamental data as it was written",
        "A CIK without its leading zeros or a share count that was rounded no longer matches any other source.",
        "Write every field, None included, and read it back by its type.",
    ),
    Requirement(
        "DATA-FUNDAMENTALS-LATEST",
        Profile.BASIC,
        "returns the data with the latest timestamp, in whatever order it was written",
        "Backfills arrive late: what was written last is not what was published last.",
        "Choose by timestamp, not by the order of writing or of file names.",
    ),
    Requirement(
        "DATA-FUNDAMENTALS-AS-OF",
        Profile.BASIC,
        "returns the latest data up to a given time, and None before the first",
        "A backtest that sees a filing before it was published earns money that nobody can earn.",
        "Take the greatest timestamp that is not later than as_of, equality included.",
    ),
    Requirement(
        "DATA-FUNDAMENTALS-MISSING",
        Profile.BASIC,
        "reads a symbol without fundamentals as None",
        "Absence is an ordinary answer; an exception or invented data for it is not.",
        "Return None when there is no data for the symbol, and only then.",
    ),
    Requirement(
        "DATA-EVENTS-EXACT",
        Profile.BASIC,
        "returns every field of an event as it was written",
        "An event whose data changed is another event.",
        "Serialise the whole event, and refuse what does not come back equal.",
    ),
    Requirement(
        "DATA-EVENTS-RANGE",
        Profile.BASIC,
        "returns the events from start to end, both included, and no others",
        "An event too many looks into the future; one too few is news that was missed.",
        "Compare start <= event.timestamp <= end with whole timestamps, over all files that the range covers.",
    ),
    Requirement(
        "DATA-EVENTS-TYPES",
        Profile.BASIC,
        "returns the events of the types asked for, and of all types when none are named",
        "A strategy that asks for earnings must not act on a split.",
        "Compare types for equality; None means no filter.",
    ),
    Requirement(
        "DATA-EVENTS-EACH",
        Profile.BASIC,
        "keeps each of several events at one time",
        "Two companies report in the same minute; neither replaces the other.",
        "Append events; do not key them by their timestamp.",
    ),
    Requirement(
        "DATA-EVENTS-MISSING",
        Profile.BASIC,
        "reads a time without events as []",
        "Absence is an ordinary answer.",
        "Return [] when nothing happened, and only then.",
    ),
    Requirement(
        "DATA-STATE-EQUAL",
        Profile.BASIC,
        "loads a strategy's state equal to what was saved",
        "A strategy that resumes with another state trades on positions that it does not have.",
        "Serialise with json.dumps(..., allow_nan=False) and UTF-8, and refuse what does not come back equal.",
    ),
    Requirement(
        "DATA-STATE-REPLACED",
        Profile.BASIC,
        "replaces the state of one strategy as a whole, and no other's",
        "A merge of two states is one that no strategy was ever in.",
        "Write the whole new state into the file of that strategy.",
    ),
    Requirement(
        "DATA-STATE-MISSING",
        Profile.BASIC,
        "loads None for a strategy that saved no state",
        "A new strategy has to know that it is new; an empty state says that it closed everything.",
        "Return None when there is no state, and only then.",
    ),
    Requirement(
        "DATA-AUDIT-COMPLETE",
        Profile.BASIC,
        "keeps all that was logged of a decision, and of an order with its result",
        "An audit line without its strategy, its price or its reason answers no question later.",
        "Write every field of every record into the line, the name of the strategy included.",
    ),
    Requirement(
        "DATA-AUDIT-ORDER",
        Profile.BASIC,
        "keeps the lines of the audit log once each, in the order in which they were logged",
        "Decided before or after the fill is what an audit is about.",
        "Append one line per call, under a lock.",
    ),
    Requirement(
        "DATA-AUDIT-APPEND-ONLY",
        Profile.BASIC,
        "only appends to the audit log, and never rewrites a line",
        "A log that can be rewritten proves nothing, and a crash while it is rewritten loses the whole day.",
        "Open the file of the day for appending; cut nothing but a torn last line after a crash.",
    ),
    Requirement(
        "DATA-AUDIT-DAYS",
        Profile.BASIC,
        "keeps one file per day for decisions and one for orders, and names it by the day",
        "Files by day are what is archived, and what is handed over when somebody asks about that day.",
        "Choose the file by the date at each call, such as audit/decisions/2026-01-05.jsonl.",
    ),
    Requirement(
        "DATA-JOBS-EXACT",
        Profile.BASIC,
        "returns every field of a job as it was saved",
        "A job that resumes with other parameters computes something that nobody asked for.",
        "Write every field, datetimes as ISO strings, and read it back by its type.",
    ),
    Requirement(
        "DATA-JOBS-UPSERT",
        Profile.BASIC,
        "replaces the job with the same id, and no other",
        "Two entries for one job run it twice.",
        "Key jobs by id, and replace the whole record.",
    ),
    Requirement(
        "DATA-JOBS-MISSING",
        Profile.BASIC,
        "reads a job that was never saved as None",
        "Absence is an ordinary answer; an exception or an invented job for it is not.",
        "Return None when there is no such job, and only then.",
    ),
    Requirement(
        "DATA-JOBS-FILTER",
        Profile.BASIC,
        "lists exactly the jobs of the given status and type",
        "A worker that is handed a finished job runs it again.",
        "Compare both for equality; None means no filter.",
    ),
    Requirement(
        "DATA-JOBS-PAGES",
        Profile.BASIC,
        "pages through the jobs by limit and offset in a stable order",
        "Where the order changes between two pages, jobs are seen twice or never.",
        "Sort by something that does not change, such as the time of creation and the id, before cutting the page.",
    ),
    Requirement(
        "DATA-JOBS-PROGRESS",
        Profile.BASIC,
        "shows progress at once, in the job and in the list",
        "A bar that stands still is reported as a hanging job.",
        "Change the record in memory that get() and list() read.",
    ),
    Requirement(
        "DATA-JOBS-PROGRESS-IN-MEMORY",
        Profile.BASIC,
        "updates progress without any disk write",
        "It is called thousands of times a minute; a write for each would be all that the disk does.",
        "Keep progress in memory only; the next save() may write it.",
    ),
    Requirement(
        "DATA-JOBS-CLEANUP",
        Profile.BASIC,
        "removes the terminal jobs that are older than the given days, and no others",
        "A job removed too early loses its result; one that is still running loses its work.",
        "Remove a job only if its status is terminal and it ended before now minus the days.",
    ),
    Requirement(
        "DATA-RUNS-UPSERT",
        Profile.BASIC,
        "creates a run, or updates the one with the same id, and no other",
        "A history with two entries for one run reports it twice.",
        "Key runs by id, and change only what is given.",
    ),
    Requirement(
        "DATA-RUNS-MISSING",
        Profile.BASIC,
        "reads a run that was never created as None",
        "Absence is an ordinary answer; an exception or an invented run for it is not.",
        "Return None when there is no such run, and only then.",
    ),
    Requirement(
        "DATA-RUNS-IDS",
        Profile.BASIC,
        "gives a run without an id one of its own",
        "Two runs under one generated id are one run less in the history.",
        "Generate ids that cannot meet, such as uuid4, and return them.",
    ),
    Requirement(
        "DATA-RUNS-TIMES",
        Profile.BASIC,
        "tracks when a run started and when it finished",
        "How long a run took is what its history is asked for most.",
        "Set started_at when the run first runs and never again, finished_at when it becomes terminal.",
    ),
    Requirement(
        "DATA-RUNS-KIND",
        Profile.BASIC,
        "normalises kind to lower-case letters and digits, at most 64 of them",
        "A kind ends up in file names, filters and links.",
        "Lower the case, drop what is not a-z or 0-9, cut at 64 characters; or refuse it.",
    ),
    Requirement(
        "DATA-RUNS-ORDER",
        Profile.BASIC,
        "lists runs by updated_at, the one updated last first",
        "The page that a person sees first must hold what happened last.",
        "Sort by updated_at in descending order before cutting the page.",
    ),
    Requirement(
        "DATA-RUNS-FILTER",
        Profile.BASIC,
        "lists exactly the runs of the given kind and status",
        "A comparison of runs of two kinds compares nothing.",
        "Compare both for equality; None means no filter.",
    ),
    Requirement(
        "DATA-RUNS-PAGES",
        Profile.BASIC,
        "pages through the runs by limit and offset",
        "Where pages overlap or leave gaps, runs are seen twice or never.",
        "Filter, sort, then cut from offset to offset + limit.",
    ),
    Requirement(
        "DATA-RUNS-DELETE",
        Profile.BASIC,
        "no longer shows a deleted run, and keeps all the others",
        "Deleting one run must not touch another, and must be final.",
        "Remove exactly the run with that id; never match by prefix.",
    ),
    Requirement(
        "DATA-CACHE-VALUE",
        Profile.BASIC,
        "reads a cached value as it was put, or nothing",
        "Who asks a cache acts on what it gives, and does not look it up elsewhere: a wrong price is worse than none.",
        "Compare what is read with the key and a digest that are kept beside it, and take what does not fit for nothing.",
    ),
    Requirement(
        "DATA-CACHE-REPLACED",
        Profile.BASIC,
        "never reads a cached value that was replaced",
        "The price before the last one looks like a price; only nothing makes the caller ask again.",
        "Replace the entry by one rename, or take the old one away before the new one is written; drop copies in memory.",
    ),
    Requirement(
        "DATA-CACHE-DELETED",
        Profile.BASIC,
        "never reads a cached value that was deleted",
        "What is deleted from a cache is known to be wrong.",
        "Remove the file and the copy in memory before delete() returns.",
    ),
    Requirement(
        "DATA-CACHE-EXPIRED",
        Profile.BASIC,
        "never reads a cached value after its time is over",
        "A quote that is an hour old is not the quote.",
        "Keep the time at which a value is over beside it, and compare it with the clock in get(), also after opening.",
    ),
    Requirement(
        "DATA-CACHE-KEYS",
        Profile.BASIC,
        "never reads under one key what was cached under another",
        "A key that is made shorter, or of which characters are replaced, may become that of another request.",
        "Keep the whole key beside the value and compare it in get(); hash what cannot be a file name.",
    ),
    Requirement(
        "DATA-CACHE-BOUNDED",
        Profile.BASIC,
        "does not keep on the disk what was replaced in a cache",
        "A cache that only grows fills the disk, and with it stops everything that must not be lost.",
        "Replace the file of an entry, or give space back when a value is replaced or the store is opened.",
    ),
    Requirement(
        "DATA-UPDATE",
        Profile.BASIC,
        "changes a document by a function of it, once, and not at all if the function raises",
        "Reading, changing and saving from outside loses what others save in between, so whoever counts needs one call for it. "
        "An exception in the middle must not leave half of a change.",
        "Under the lock: read the document anew, give the function a copy, and save what it returns; save nothing if it raises.",
    ),
    Requirement(
        "DATA-MODEL",
        Profile.BASIC,
        "answers every program of calls as a simple model in memory does",
        "The calls that are right one by one can be wrong one after the other: a write after a reopening, a page after a deletion.",
        "Replay the short program shown, and look for what one of its calls leaves behind for the next.",
    ),
)

BY_ID = {requirement.id: requirement for requirement in REQUIREMENTS}

_FAMILIES = frozenset(id_.partition("-")[0] for id_ in BY_ID)
_OWN_ID = re.compile(r"[A-Z][A-Z0-9]*(-[A-Z0-9]+)+")
_own: dict[str, Requirement] = {}
"""What teams ask beyond the catalogue: filled as their stores are configured, in every process that reports."""


def adopt(requirement: Requirement) -> None:
    """Know a team's own requirement from now on. Raises ValueError if its id is not one with a prefix of its own."""
    check_own(requirement)
    _own[requirement.id] = requirement


def check_own(requirement: Requirement) -> None:
    """Raise ValueError if a team cannot have this requirement: its id is not its own, or is another's already."""
    if not _OWN_ID.fullmatch(requirement.id) or not is_of_a_team(requirement.id):
        raise ValueError(
            f"{requirement.id!r} cannot be the id of a requirement of your own: write capitals, digits and '-', "
            f"beginning with a prefix that the catalogue does not have, such as ACME-{requirement.id or 'ORDER'}"
        )
    if _own.get(requirement.id, requirement) != requirement:
        raise ValueError(f"two different requirements are called {requirement.id}; give one of them another id")


def is_of_a_team(id_: str) -> bool:
    """Say whether an id begins with none of the prefixes of the catalogue."""
    return id_.partition("-")[0] not in _FAMILIES


def find(id_: str) -> Requirement | None:
    """Return the requirement of that id, of the catalogue or a team's own; None if there is none."""
    return BY_ID.get(id_) or _own.get(id_)


def known() -> tuple[Requirement, ...]:
    """Return the catalogue and, behind it, what teams ask beyond it."""
    return (*REQUIREMENTS, *_own.values())
