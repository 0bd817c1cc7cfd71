"""A network trained on ImageNet, as curation and training both use it: its weights file, its layers, and a graph to run it by."""
