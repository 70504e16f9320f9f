"""The rows about how data is kept: through crashes, among callers, beside errors and damage, under hostile names."""

from pytest_tradestore.requirements.entry import Profile, Requirement

KEPT: tuple[Requirement, ...] = (
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
)
