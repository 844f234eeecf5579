"""The tests: a package, so that no installed distribution called `tests` hides it."""
