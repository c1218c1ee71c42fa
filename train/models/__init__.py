"""The temporal refiners that can be trained: one file a model."""
