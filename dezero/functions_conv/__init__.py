"""Convolution and pooling get their names here with their own chapter, which is still to come."""
