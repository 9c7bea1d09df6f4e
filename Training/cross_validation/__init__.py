"""Cross-validation: its plan, its parts, their processes and what they say together."""
