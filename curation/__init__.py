"""Which pairs of a photo/label-map data set to train on, and why not the others."""

__version__ = "0.1.0"
