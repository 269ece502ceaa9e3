"""Plain TensorFlow that all steps begin with: data and a model, without this package."""

SETUP = """\
import keras
import numpy as np
import tensorflow as tf
from sklearn.datasets import load_digits
from sklearn.model_selection import train_test_split

images, labels = load_digits(return_X_y=True)  # 1,797 handwritten digits, 8 x 8 pixels
x, x_test, y, y_test = train_test_split(
    (images / 16).astype("float32"), labels, test_size=0.2, stratify=labels, random_state=0
)
N = len(x)  # 1,437


def new_model():
    keras.utils.set_random_seed(0)
    return keras.Sequential([keras.Input((64,)), keras.layers.Dense(32, "relu"), keras.layers.Dense(10)])


model = new_model()
loss_function = keras.losses.SparseCategoricalCrossentropy(from_logits=True)
optimizer = keras.optimizers.SGD(learning_rate=0.1)
"""
