"""Settings of the property tests: a busy machine is no failure, and runs repeat."""

from hypothesis import settings

settings.register_profile("suyuan", deadline=None, derandomize=True, max_examples=60)
settings.load_profile("suyuan")
