"""Training: data sets to windows, windows to weights. Uses Keras; only the tf.data wrapper imports
TensorFlow.
"""
