"""The command line and the worker that Slicer starts: jobs, events, progress, pictures."""
