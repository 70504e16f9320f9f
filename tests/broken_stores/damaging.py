"""The registry of stores that only damage breaks; what each of them breaks among the requirements about it."""

from tests.broken_stores import Broken

_HERE = "tests.broken_stores.damage"
_FORMATS = "tests.broken_stores.damage_formats"

DAMAGING = (
    Broken(
        "default-on-damage",
        f"{_HERE}:DefaultOnDamage",
        "documents",
        {
            "CORR-1": "shows wrong data without an error",
            "CORR-2": "the next update destroys the damaged bytes",
            "CORR-6": "AAPL.json is emptied, AAPL reads as if nothing had ever been stored",
        },
    ),
    Broken(
        "empty-is-new",
        f"{_HERE}:EmptyIsNew",
        "documents",
        {"CORR-6": "is emptied, AAPL reads as if nothing had ever been stored"},
    ),
    Broken(
        "overwrites-evidence",
        f"{_HERE}:OverwritesEvidence",
        "documents",
        {"CORR-2": "the next update destroys the damaged bytes"},
    ),
    Broken(
        "deletes-damage", f"{_HERE}:DeletesDamage", "documents", {"CORR-2": "a mere look destroys the damaged bytes"}
    ),
    Broken("claims-checksums", f"{_HERE}:ClaimsChecksums", "documents", {"CORR-1": "edited: a digit"}),
    Broken("key-not-bound", f"{_HERE}:KeyNotBound", "documents", {"CORR-7": "shows what belongs to another key"}),
    Broken("undeclared-error", f"{_HERE}:UndeclaredError", "documents", {"CORR-4": "raises StoreError, which is none"}),
    Broken("nested-too-deep", f"{_HERE}:NestedTooDeep", "documents", {"CORR-4": "raises RecursionError"}),
    Broken("spoiled-by-one", f"{_HERE}:SpoiledByOne", "documents", {"CORR-5": "though nothing of it is damaged"}),
    Broken("silent-backup", f"{_HERE}:SilentBackup", "documents", {"CORR-3": "an older version without a word"}),
    Broken(
        "never-reads-its-backup",
        f"{_HERE}:NeverReadsItsBackup",
        "documents",
        {"CORR-3": "cannot be read, though an older version of it is kept"},
    ),
    Broken(
        "trusts-its-backup",
        f"{_HERE}:TrustsItsBackup",
        "documents",
        {"CORR-7": "is emptied, and AAPL.bak is replaced by MSFT.json, AAPL shows what belongs to another key"},
    ),
    Broken(
        "rotates-damage", f"{_HERE}:RotatesDamage", "documents", {"CORR-3": "the next update makes that the backup"}
    ),
    Broken("skips-bad-lines", f"{_HERE}:SkipsBadLines", "journal", {"CORR-1": "overwritten with garbage"}),
    Broken(
        "never-asks-its-manifest",
        f"{_FORMATS}:NeverAsksItsManifest",
        "documents",
        {
            "CORR-6": "AAPL.json is gone, AAPL shows that without a word, though MANIFEST has its digest",
            "CORR-7": "replaced by an older version of itself, AAPL shows that without a word",
        },
    ),
    Broken(
        "unnumbered-lines", f"{_FORMATS}:UnnumberedLines", "journal", {"CORR-1": "orders.log is without line 4 of 6"}
    ),
    Broken(
        "table-of-text",
        f"{_FORMATS}:TableOfText",
        "bars",
        {"CORR-1": "MSFT.json is cut off", "CORR-6": "reads as if nothing had ever been stored"},
    ),
    Broken(
        "writes-page-checksums",
        f"{_FORMATS}:WritesPageChecksums",
        "bars",
        {
            "CORR-1": "given its columns open and high in each other's place",
            "CORR-4": "replaced by 20,000,000 empty rows, packed, reading takes longer than 2 s",
            "CORR-7": "shows what belongs to another key",
        },
    ),
    Broken(
        "thinks-that-databases-check",
        f"{_FORMATS}:ThinksThatDatabasesCheck",
        "documents",
        {
            "CORR-1": "store.sqlite is changed in bit",
            "CORR-2": "the next update destroys the damaged bytes",
            "CORR-6": "store.sqlite is emptied",
        },
    ),
    Broken(
        "unpacks-whatever-comes",
        f"{_FORMATS}:UnpacksWhateverComes",
        "documents",
        {"CORR-4": "replaced by 2 GiB of zeros, packed, reading AAPL raises MemoryError"},
    ),
)
