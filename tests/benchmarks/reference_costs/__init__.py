"""What each operation of the reference store costs as the store grows, beside sqlite3: see ``__main__``."""
