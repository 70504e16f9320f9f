"""The pytest plugin: options, hooks and fixtures."""
