"""Runs of the worker: what is asked for, the process, the queue, and how they ended."""
