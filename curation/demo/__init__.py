"""Procedural landscapes with exact label maps and planted defects: the data set of `curate demo`."""
