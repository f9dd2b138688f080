"""Training steps with little overhead: several batches per call of Keras, and a fused Adam.

For a small network, most of the time of a step was the overhead of Keras and of memory access.
"""

from __future__ import annotations

from types import MethodType

import keras
import tensorflow as tf

AT_ONCE = 8
"""Batches per call, in sequence: a stack of more would not stay in the processor's cache."""

SCALE = 1 / 255
"""Factor from uint8 to the input of a network; `export` puts the same factor into the bundle."""


def speed_up(network: keras.Model) -> None:
    """Make a compiled network train on stacks of batches; Adam, if it is the optimizer, updates a variable in one pass.

    The steps and their order stay the same; the rounding differs slightly. The network is saved like any Keras network.
    """
    _step_through_stacks(network)
    if type(network.optimizer) is keras.optimizers.Adam and not network.optimizer.amsgrad:
        network.optimizer.update_step = MethodType(_adam_in_one_pass, network.optimizer)


def scaled(pixels: tf.Tensor) -> tf.Tensor:
    """Scale uint8 images to the input of a network; return other images as they are."""
    return tf.cast(pixels, tf.float32) * SCALE if pixels.dtype == tf.uint8 else pixels


def _step_through_stacks(network: keras.Model) -> None:
    step = network.train_step

    def steps(stacks: tuple[tf.Tensor, ...]) -> dict[str, tf.Tensor]:
        def learn(index: tf.Tensor) -> tf.Tensor:
            pixels, *others = (stack[index] for stack in stacks)
            step((scaled(pixels), *others))
            return index + 1

        count = tf.shape(stacks[0])[0]
        tf.while_loop(lambda index: index < count, learn, [tf.constant(0)], parallel_iterations=1)
        return network.get_metrics_result()  # type: ignore[no-any-return]

    network.train_step = steps


def _adam_in_one_pass(
    adam: keras.optimizers.Adam, gradient: tf.Tensor, variable: tf.Variable, learning_rate: tf.Tensor
) -> None:
    """Update a variable by Adam (Kingma and Ba, 2015) in one pass over its memory; Keras takes a dozen."""
    place = adam._get_variable_index(variable)
    done = tf.cast(adam.iterations.value + 1, variable.dtype)
    tf.raw_ops.ResourceApplyAdam(
        var=_resource(variable),
        m=_resource(adam._momentums[place]),
        v=_resource(adam._velocities[place]),
        beta1_power=tf.pow(tf.cast(adam.beta_1, variable.dtype), done),
        beta2_power=tf.pow(tf.cast(adam.beta_2, variable.dtype), done),
        lr=tf.cast(learning_rate, variable.dtype),
        beta1=adam.beta_1,
        beta2=adam.beta_2,
        epsilon=adam.epsilon,
        grad=gradient,
    )


def _resource(variable: tf.Variable | keras.Variable) -> tf.Tensor:
    return (variable if isinstance(variable, tf.Variable) else variable.value).handle
