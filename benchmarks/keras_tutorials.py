"""Train a classic tutorial, re-stated in Keras 3 on TensorFlow, for some seconds and print its speed as JSON.

This file stands alone and runs under any Python that has tensorflow-cpu and keras:
``python keras_tutorials.py {vae-2d,vae-mlp,gan-mlp} --batch B --seconds S [--mixed] [--graph] [--jit auto]``
"""

from __future__ import annotations

import argparse
import gzip
import json
import os
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

os.environ["KERAS_BACKEND"] = "tensorflow"
os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")

import keras
import numpy as np
import tensorflow as tf
from keras import layers, ops

WARM_UP = 20  # steps before the clock starts, the first of which compiles
FOREVER = 1_000_000  # epochs: the clock ends the training


@dataclass(frozen=True)
class Options:
    """What the command line asked for."""

    batch: int
    seconds: float
    graph: bool  # one compiled call per step, or predict_on_batch, where the tutorial itself has something slower
    jit: bool | str  # what model.compile gets as jit_compile; "auto" is the default of Keras


@dataclass(frozen=True)
class Result:
    """What a tutorial reached."""

    images_per_second: float
    loss: float
    parameters: int


class Clock:
    """Counts steps and seconds from the end of the warm-up on."""

    def __init__(self, seconds: float) -> None:
        self.seconds = seconds
        self.steps = 0
        self._start = 0.0
        self._now = 0.0

    def tick(self) -> bool:
        """Note the end of a step; return whether the time is over."""
        self.steps += 1
        self._now = time.process_time()
        if self.steps <= WARM_UP:
            self._start = self._now
            return False
        return self._now - self._start >= self.seconds

    def rate(self, batch: int) -> float:
        """Images per second since the warm-up."""
        return (self.steps - WARM_UP) * batch / (self._now - self._start)


def read_images(name: str) -> np.ndarray:
    """Return the 60,000 training images of an MNIST-like data set in ``$SIMULACRA_DATA``, ``(N, 28, 28)`` bytes."""
    path = Path(os.environ["SIMULACRA_DATA"]) / name / "train-images-idx3-ubyte.gz"
    content = gzip.decompress(path.read_bytes())
    return np.frombuffer(content, np.uint8, offset=16).reshape(-1, 28, 28)


def count_parameters(*models: keras.Model) -> int:
    """Count the trainable parameters of some models."""
    return sum(int(np.prod(weight.shape)) for model in models for weight in model.trainable_weights)


# -------------------------------------------------------------------- the convolutional VAE with two latents


class Sampling(layers.Layer):
    """Draws the latent from its mean and log variance and adds the weighted KL divergence to the loss."""

    def __init__(self, weight: float, **options: Any) -> None:
        super().__init__(**options)
        self.weight = weight
        self.noise = keras.random.SeedGenerator(0)

    def call(self, mean: Any, log_variance: Any) -> Any:
        """Return ``mean + std * noise``."""
        kl = 0.5 * ops.sum(ops.square(mean) + ops.exp(log_variance) - log_variance - 1.0, axis=-1)
        self.add_loss(self.weight * ops.mean(kl))
        return mean + ops.exp(0.5 * log_variance) * keras.random.normal(ops.shape(mean), seed=self.noise)


class StopByClock(keras.callbacks.Callback):
    """Ends `model.fit` in the middle of an epoch when the time is over."""

    def __init__(self, clock: Clock) -> None:
        super().__init__()
        self.clock = clock
        self.loss = float("nan")

    def on_train_batch_end(self, batch: int, logs: dict[str, float] | None = None) -> None:
        """Note the end of a step."""
        del batch
        self.loss = (logs or {}).get("loss", self.loss)
        if self.clock.tick():
            self.model.stop_training = True


def conv_vae() -> keras.Model:
    """Build the VAE 32-64-64-64 with one stride 2, a dense layer of 32, two latents, and its mirror image."""
    conv: dict[str, Any] = {"kernel_size": 3, "padding": "same", "activation": "relu"}
    image = layers.Input((28, 28, 1))
    x = layers.Conv2D(32, **conv)(image)
    x = layers.Conv2D(64, strides=2, **conv)(x)
    x = layers.Conv2D(64, **conv)(x)
    x = layers.Conv2D(64, **conv)(x)
    x = layers.Dense(32, activation="relu")(layers.Flatten()(x))
    z = Sampling(5e-4, dtype="float32")(layers.Dense(2)(x), layers.Dense(2)(x))
    x = layers.Dense(32, activation="relu")(z)
    x = layers.Dense(14 * 14 * 64, activation="relu")(x)
    x = layers.Reshape((14, 14, 64))(x)
    x = layers.Conv2D(64, **conv)(x)
    x = layers.Conv2D(64, **conv)(x)
    x = layers.Conv2DTranspose(32, strides=2, **conv)(x)
    x = layers.Conv2D(1, 3, padding="same")(x)
    return keras.Model(image, layers.Activation("sigmoid", dtype="float32")(x))


def vae_2d(options: Options) -> Result:
    """Train the convolutional VAE on MNIST by `model.fit`."""
    x = read_images("mnist")[..., None].astype("float32") / 255.0
    model, watch = conv_vae(), StopByClock(Clock(options.seconds))
    model.compile(optimizer="rmsprop", loss="binary_crossentropy", jit_compile=options.jit)
    model.fit(x, x, batch_size=options.batch, epochs=FOREVER, shuffle=True, verbose=0, callbacks=[watch])
    return Result(watch.clock.rate(options.batch), watch.loss, count_parameters(model))


# ------------------------------------------------------------------------------------- the multilayer VAE


class MlpVAE(keras.Model):
    """The VAE 784-128-(10, 10)-128-784; its output are logits."""

    def __init__(self) -> None:
        super().__init__()
        self.hidden = layers.Dense(128, activation="relu")
        self.mean = layers.Dense(10)
        self.log_variance = layers.Dense(10)
        self.unfold = layers.Dense(128, activation="relu")
        self.logits = layers.Dense(784)

    def call(self, x: tf.Tensor) -> tuple[tf.Tensor, tf.Tensor, tf.Tensor]:
        """Return the logits of the reconstruction, and the mean and log variance of the latent."""
        hidden = self.hidden(x)
        mean, log_variance = self.mean(hidden), self.log_variance(hidden)
        z = mean + tf.exp(0.5 * log_variance) * tf.random.normal(tf.shape(mean))
        return self.logits(self.unfold(z)), mean, log_variance


def elbo_step(model: MlpVAE, optimizer: keras.optimizers.Optimizer, x: tf.Tensor) -> tf.Tensor:
    """Move the weights on one batch and return the loss per image."""
    with tf.GradientTape() as tape:
        logits, mean, log_variance = model(x)
        nll = tf.reduce_sum(tf.nn.sigmoid_cross_entropy_with_logits(labels=x, logits=logits), axis=-1)
        kl = 0.5 * tf.reduce_sum(tf.square(mean) + tf.exp(log_variance) - log_variance - 1.0, axis=-1)
        loss = tf.reduce_mean(nll + kl)
    gradients = tape.gradient(loss, model.trainable_variables)
    optimizer.apply_gradients(zip(gradients, model.trainable_variables, strict=True))
    return loss


def vae_mlp(options: Options) -> Result:
    """Train the multilayer VAE on Fashion-MNIST in a loop of its own, eager unless ``options.graph``."""
    x = read_images("fashion-mnist").reshape(-1, 784).astype("float32") / 255.0
    batches = tf.data.Dataset.from_tensor_slices(x).shuffle(5 * options.batch)
    batches = batches.batch(options.batch, drop_remainder=True)
    model, optimizer, clock = MlpVAE(), keras.optimizers.Adam(1e-3), Clock(options.seconds)
    model(x[:1])
    optimizer.build(model.trainable_variables)

    def step(batch: tf.Tensor) -> tf.Tensor:
        return elbo_step(model, optimizer, batch)

    loss = _loop(tf.function(step) if options.graph else step, batches, clock)
    return Result(clock.rate(options.batch), loss, count_parameters(model))


def _loop(step: Callable[[tf.Tensor], tf.Tensor], batches: tf.data.Dataset, clock: Clock) -> float:
    while True:
        for batch in batches:
            loss = step(batch)
            if clock.tick():
                return float(loss)


# ------------------------------------------------------------------------------------- the multilayer GAN


def gan_generator() -> keras.Model:
    """Build the generator 100-256-512-1024-784 with batch normalisation."""
    model = keras.Sequential([layers.Input((100,))])
    for width in (256, 512, 1024):
        model.add(layers.Dense(width))
        model.add(layers.LeakyReLU(negative_slope=0.2))
        model.add(layers.BatchNormalization(momentum=0.8))
    model.add(layers.Dense(784, activation="tanh"))
    model.add(layers.Reshape((28, 28, 1)))
    return model


def gan_discriminator() -> keras.Model:
    """Build the discriminator 784-512-256-1."""
    model = keras.Sequential([layers.Input((28, 28, 1)), layers.Flatten()])
    for width in (512, 256):
        model.add(layers.Dense(width))
        model.add(layers.LeakyReLU(negative_slope=0.2))
    model.add(layers.Dense(1, activation="sigmoid"))
    return model


@dataclass(frozen=True)
class Players:
    """The three models of the tutorial; ``combined`` is the generator followed by the frozen discriminator."""

    generator: keras.Model
    discriminator: keras.Model
    combined: keras.Model
    parameters: int

    @classmethod
    def build(cls, batch: int, jit: bool | str) -> Players:
        """Compile the discriminator, run it once, and only then freeze it for the combined model.

        Keras 3 takes note of what is trainable when it first traces the training step, not in `compile`.
        """
        generator, discriminator = gan_generator(), gan_discriminator()
        parameters = count_parameters(generator, discriminator)
        discriminator.compile(
            loss="binary_crossentropy", optimizer=_gan_optimizer(), metrics=["accuracy"], jit_compile=jit
        )
        discriminator.train_on_batch(np.zeros((batch, 28, 28, 1), "float32"), np.ones((batch, 1), "float32"))
        discriminator.trainable = False
        noise = layers.Input((100,))
        combined = keras.Model(noise, discriminator(generator(noise)))
        combined.compile(loss="binary_crossentropy", optimizer=_gan_optimizer(), jit_compile=jit)
        return cls(generator, discriminator, combined, parameters)


def _gan_optimizer() -> keras.optimizers.Optimizer:
    return keras.optimizers.Adam(2e-4, beta_1=0.5)


def gan_mlp(options: Options) -> Result:
    """Train the multilayer GAN on MNIST, one NumPy batch after another."""
    x = read_images("mnist")[..., None].astype("float32") / 127.5 - 1.0
    players, clock, random = Players.build(options.batch, options.jit), Clock(options.seconds), np.random.default_rng(0)
    real, fake = np.ones((options.batch, 1), "float32"), np.zeros((options.batch, 1), "float32")
    while True:
        images = x[random.integers(0, len(x), options.batch)]
        made = _generate(players.generator, random, options)
        players.discriminator.train_on_batch(images, real)
        players.discriminator.train_on_batch(made, fake)
        loss = players.combined.train_on_batch(_noise(random, options.batch), real)
        if clock.tick():
            return Result(clock.rate(options.batch), float(np.ravel(loss)[0]), players.parameters)


def _generate(generator: keras.Model, random: np.random.Generator, options: Options) -> np.ndarray:
    noise = _noise(random, options.batch)
    return generator.predict_on_batch(noise) if options.graph else generator.predict(noise, verbose=0)


def _noise(random: np.random.Generator, batch: int) -> np.ndarray:
    return random.standard_normal((batch, 100), dtype="float32")


# ------------------------------------------------------------------------------------------- command line

TUTORIALS: dict[str, Callable[[Options], Result]] = {"vae-2d": vae_2d, "vae-mlp": vae_mlp, "gan-mlp": gan_mlp}
JIT: dict[str, bool | str] = {"auto": "auto", "on": True, "off": False}


def main() -> None:
    """Run one tutorial and print one line of JSON."""
    parser = argparse.ArgumentParser(description="Speed of a classic tutorial re-stated in Keras.")
    parser.add_argument("tutorial", choices=TUTORIALS)
    parser.add_argument("--batch", type=int, required=True)
    parser.add_argument("--seconds", type=float, default=8.0)
    parser.add_argument("--mixed", action="store_true", help="mixed_bfloat16 (vae-2d)")
    parser.add_argument("--graph", action="store_true", help="tf.function (vae-mlp), predict_on_batch (gan-mlp)")
    parser.add_argument("--jit", choices=JIT, default="auto", help="XLA in model.compile (vae-2d, gan-mlp)")
    values = parser.parse_args()
    if values.mixed and values.tutorial != "vae-2d":
        parser.error("--mixed is for vae-2d")
    if values.mixed:
        keras.config.set_dtype_policy("mixed_bfloat16")
    keras.utils.set_random_seed(0)
    result = TUTORIALS[values.tutorial](Options(values.batch, values.seconds, values.graph, JIT[values.jit]))
    print(
        json.dumps(
            {
                "tutorial": values.tutorial,
                "batch": values.batch,
                "images_per_second": result.images_per_second,
                "loss": result.loss,
                "parameters": result.parameters,
                "tensorflow": tf.__version__,
                "keras": keras.__version__,
            }
        )
    )


if __name__ == "__main__":
    main()
