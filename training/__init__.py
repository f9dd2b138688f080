"""Train a network on labelled face images and export it as a model bundle."""
