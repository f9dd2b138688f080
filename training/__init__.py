"""Train a network on folders of faces, one folder per class, and export it as a model bundle."""
