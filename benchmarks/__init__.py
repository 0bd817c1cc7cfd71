"""Measurements of speed and memory; their figures stand in RESULTS.md with command, machine and date."""
