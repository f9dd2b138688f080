"""Runs into a directory of parts: planned once, labelled unit by unit by any number of processes, finished once.

The plan names the units. A unit is labelled by the same function everywhere, and its part is put if it is absent: its
name makes the work idempotent, whoever does it, and however often. To continue is to list the parts.
"""
