"""The module's self-test, and the process that pretends to be the worker."""
