"""What the plugin itself raises: each says what is wrong, where, and what to do."""


class TradestoreError(Exception):
    """Anything that this plugin reports about its own use."""


class ConfigurationError(TradestoreError):
    """A store, option or file was configured in a way that cannot work; pytest ends with status 4."""


class TargetError(TradestoreError):
    """The store under test could not be used at all: it does not open, or offers no known contract."""


class ReplayError(TradestoreError):
    """A replay token does not fit: malformed, or of a program that has changed since."""
