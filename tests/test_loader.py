"""Batches as a function of seed and step, augmentations that keep what an image is, and dividing a data set."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable
from dataclasses import replace

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import Tensor

from simulacra import data
from simulacra.config import Data
from simulacra.data import Dataset, ImageLoader, Labelled, Splits, derived_seed
from simulacra.images import from_bytes, to_bytes
from simulacra.transforms import Pipeline


def numbered(count: int, size: int = 2, classes: bool = True) -> Dataset:
    """Images that each hold their own index, and the index modulo 3 as label."""
    images = torch.arange(count, dtype=torch.uint8).view(-1, 1, 1, 1).repeat(1, 1, size, size)
    labels = torch.arange(count) % 3
    return Dataset(
        "numbered",
        images,
        labels if classes else None,
        ("a", "b", "c") if classes else (),
        tuple(f"{i}.png" for i in range(count)),
        {"index": torch.arange(count)},
    )


def seen(loader: ImageLoader, step: int) -> list[int]:
    """Which images are in a batch."""
    return to_bytes(loader.batch(step).image)[:, 0, 0, 0].tolist()


def generator(seed: int = 0) -> torch.Generator:
    return torch.Generator().manual_seed(seed)


# ---------------------------------------------------------------------------------------------------- loader


@given(st.integers(1, 60), st.integers(1, 90), st.integers(0, 5))
@settings(max_examples=60, deadline=None)
def test_every_epoch_has_every_image_exactly_once(count: int, batch: int, seed: int) -> None:
    loader = ImageLoader(numbered(count), batch, seed=seed)
    steps = -(-3 * count // batch)
    stream = [index for step in range(steps) for index in seen(loader, step)]
    assert len(stream) == steps * batch, "batches are always full"
    for epoch in range(3):
        assert sorted(stream[epoch * count : (epoch + 1) * count]) == list(range(count))


def test_epochs_have_different_orders() -> None:
    loader = ImageLoader(numbered(50), 50)
    orders = [seen(loader, step) for step in range(4)]
    assert len({tuple(order) for order in orders}) == 4
    assert list(range(50)) not in orders


@given(st.integers(2, 40), st.integers(1, 50), st.lists(st.integers(0, 200), min_size=1, max_size=12))
@settings(max_examples=40, deadline=None)
def test_a_batch_is_a_function_of_the_step_alone(count: int, batch: int, steps: list[int]) -> None:
    used = ImageLoader(numbered(count), batch, seed=7, augment=("flip", "shift"))
    for step in steps:
        fresh = ImageLoader(numbered(count), batch, seed=7, augment=("flip", "shift"))
        a, b = used.batch(step), fresh.batch(step)
        assert torch.equal(a.image, b.image)
        assert isinstance(a, Labelled)
        assert isinstance(b, Labelled)
        assert torch.equal(a.label, b.label)


def test_batches_are_what_models_expect() -> None:
    loader = ImageLoader(numbered(10, size=4), 4)
    batch = loader.batch(0)
    assert isinstance(batch, Labelled)
    assert len(batch) == 4
    assert batch.image.shape == (4, 1, 4, 4)
    assert batch.image.dtype == torch.float32
    assert batch.label.dtype == torch.int64
    indices = to_bytes(batch.image)[:, 0, 0, 0].long()
    assert torch.equal(batch.label, indices % 3), "labels stay with their images"
    assert torch.equal(batch.image[:, 0, 0, 0], from_bytes(indices.to(torch.uint8)))
    assert not isinstance(ImageLoader(numbered(10, classes=False), 4).batch(0), Labelled)


def test_a_batch_may_be_larger_than_the_data_set() -> None:
    counts = Counter(seen(ImageLoader(numbered(3), 10), 0))
    assert sum(counts.values()) == 10
    assert set(counts) == {0, 1, 2}
    assert max(counts.values()) - min(counts.values()) <= 1
    assert seen(ImageLoader(numbered(1), 4), 5) == [0, 0, 0, 0]


def test_seed_and_retry_change_the_order() -> None:
    loader = ImageLoader(numbered(100), 100, seed=0)
    first = seen(loader, 0)
    assert seen(ImageLoader(numbered(100), 100, seed=1), 0) != first
    loader.retry = 1
    again = seen(loader, 0)
    assert again != first
    assert sorted(again) == sorted(first)
    loader.retry = 0
    assert seen(loader, 0) == first


def test_retry_changes_the_augmentation_too() -> None:
    noise = Dataset("noise", torch.randint(0, 256, (1, 1, 16, 16), generator=generator(), dtype=torch.uint8))
    loader = ImageLoader(noise, 8, augment=("binarize",))
    first = loader.batch(0).image
    assert not torch.equal(loader.batch(1).image, first)
    loader.retry = 1
    assert not torch.equal(loader.batch(0).image, first)


def test_the_data_set_is_left_as_it_was() -> None:
    dataset = numbered(10, size=8)
    before = dataset.images.clone()
    loader = ImageLoader(dataset, 16, augment=("flip", "shift", "binarize"))
    for step in range(3):
        loader.batch(step).image.zero_()
    assert torch.equal(dataset.images, before)


def test_the_memory_of_orders_stays_small() -> None:
    loader = ImageLoader(numbered(4), 2)
    for step in range(100):
        loader.batch(step)
    assert len(loader._orders) <= 2


def test_derived_seeds_differ_and_stay() -> None:
    seeds = {derived_seed(seed, purpose, step) for seed in range(5) for purpose in ("a", "b") for step in range(20)}
    assert len(seeds) == 200
    assert all(0 <= seed < 2**63 for seed in seeds)
    assert derived_seed(1, "noise", 2) == derived_seed(1, "noise", 2)
    assert derived_seed(1, 23) != derived_seed(12, 3)
    assert derived_seed(0, "order", 0, 0) == 7565031050013882675, "a change here breaks resuming of old runs"


def test_a_data_set_is_measured_once_in_order() -> None:
    dataset = numbered(10)
    found = list(ImageLoader(dataset, 4).fixed(dataset, 4))
    assert [len(batch) for batch in found] == [4, 4, 2]
    assert torch.equal(torch.cat([to_bytes(batch.image) for batch in found]), dataset.images)
    assert dataset.labels is not None
    assert torch.equal(torch.cat([batch.label for batch in found if isinstance(batch, Labelled)]), dataset.labels)
    unlabelled = numbered(3, classes=False)
    assert not isinstance(next(ImageLoader(unlabelled, 2).fixed(unlabelled)), Labelled)


def test_binarised_training_is_measured_on_binarised_images_the_same_each_time() -> None:
    dataset = numbered(10)
    loader = ImageLoader(dataset, 4, augment=("flip", "binarize"))
    first, again = (torch.cat([batch.image for batch in loader.fixed(dataset, 4)]) for _ in range(2))
    assert torch.equal(first, again)
    assert set(first.unique().tolist()) <= {-1.0, 1.0}


# --------------------------------------------------------------------------------------------- augmentations


flip = Pipeline.parse("flip")
shift = Pipeline.parse("shift")
affine = Pipeline.parse("affine")
stroke = Pipeline.parse("stroke")
binarize = Pipeline.parse("binarize")


def test_flip_mirrors_half_of_the_images() -> None:
    x = torch.rand(1000, 1, 4, 4, generator=generator())
    found = flip(x, generator(1))
    mirrored = (found == x.flip(-1)).flatten(1).all(1)
    kept = (found == x).flatten(1).all(1)
    assert (mirrored ^ kept).all()
    assert 430 < mirrored.sum() < 570


def shifted(image: Tensor, down: int, right: int) -> Tensor:
    """An image moved pixel by pixel, its border repeated."""
    _, height, width = image.shape
    moved = torch.empty_like(image)
    for row in range(height):
        for column in range(width):
            source = min(max(row - down, 0), height - 1), min(max(column - right, 0), width - 1)
            moved[:, row, column] = image[:, source[0], source[1]]
    return moved


@pytest.mark.parametrize(("size", "reach"), [(8, 1), (16, 2)])
def test_shift_moves_by_up_to_an_eighth_and_repeats_the_border(size: int, reach: int) -> None:
    image = torch.rand(3, size, size, generator=generator())
    found = shift(image.expand(300, -1, -1, -1), generator(1))
    moves = [(down, right) for down in range(-reach, reach + 1) for right in range(-reach, reach + 1)]
    expected = {shifted(image, *move).numpy().tobytes(): move for move in moves}
    counts = Counter(expected[one.contiguous().numpy().tobytes()] for one in found)
    assert set(counts) == set(moves), "every move, and no other"


def test_affine_moves_what_it_shows_and_keeps_its_light() -> None:
    """A blurred spot on black is carried by up to a tenth of the side, its area scaled by up to 1.2^2."""
    axis = torch.arange(33.0) - 16
    spot = torch.exp(-(axis.square().unsqueeze(0) + axis.square().unsqueeze(1)) / 18)
    found = (affine((2 * spot - 1).expand(400, 1, -1, -1), generator(1)) + 1).squeeze(1) / 2
    light = found.sum((1, 2))
    rows, columns = ((found.sum(k) * axis).sum(1) / light for k in (2, 1))
    assert bool((light / spot.sum()).log().abs().max() < 0.41)
    assert 1.8 < float(rows.abs().max()) < 3.3
    assert 1.8 < float(columns.abs().max()) < 3.3
    turned = (found * axis.unsqueeze(0) * axis.unsqueeze(1)).sum((1, 2)) / light - rows * columns
    assert float(turned.std()) > 0.5, "sheared or turned"


def test_stroke_lies_between_erosion_and_dilation() -> None:
    x = torch.rand(200, 1, 8, 8, generator=generator()) * 2 - 1
    found = stroke(x, generator(1))
    dilated = torch.nn.functional.max_pool2d(x, 3, 1, 1)
    eroded = -torch.nn.functional.max_pool2d(-x, 3, 1, 1)
    assert bool(((found >= eroded - 1e-6) & (found <= dilated + 1e-6)).all())
    brighter, darker = ((found >= x).flatten(1).all(1), (found <= x).flatten(1).all(1))
    assert bool((brighter ^ darker).all()), "all of an image thicker, or all of it thinner"
    assert 0.5 < float(brighter.float().mean()) < 0.75


def test_binarize_draws_by_the_grey_level() -> None:
    levels = torch.tensor([-1.0, -0.5, 0.0, 0.5, 1.0])
    x = levels.view(1, 1, 1, 5).expand(4000, 1, 1, 5)
    found = binarize(x, generator())
    assert set(found.unique().tolist()) == {-1.0, 1.0}
    white = (found == 1).float().mean((0, 1, 2))
    assert torch.allclose(white, (levels + 1) / 2, atol=0.03)
    assert (white[0].item(), white[4].item()) == (0.0, 1.0), "black and white are certain"


@pytest.mark.parametrize(
    ("augment", "check"),
    [
        (("flip",), lambda x: x.shape == (6, 1, 8, 8)),
        (("shift", "binarize"), lambda x: set(x.unique().tolist()) <= {-1.0, 1.0}),
    ],
)
def test_the_loader_applies_augmentations_in_order(augment: tuple[str, ...], check: Callable[[Tensor], bool]) -> None:
    noise = Dataset("noise", torch.randint(0, 256, (6, 1, 8, 8), generator=generator(), dtype=torch.uint8))
    plain, changed = ImageLoader(noise, 6).batch(0).image, ImageLoader(noise, 6, augment=augment).batch(0).image
    assert check(changed)
    assert not torch.equal(plain, changed)


# --------------------------------------------------------------------------------------------------- dividing


@given(st.integers(2, 200), st.floats(0, 0.999), st.integers(0, 9))
@settings(max_examples=80, deadline=None)
def test_dividing_is_disjoint_and_complete(count: int, share: float, seed: int) -> None:
    dataset = numbered(count)
    rest, part = dataset.divide(share, seed)
    assert len(part) == min(count - 1, max(1, round(share * count)))
    indices = [half.images[:, 0, 0, 0].tolist() for half in (rest, part)]
    assert sorted(indices[0] + indices[1]) == list(range(count))
    assert indices == [sorted(half) for half in indices], "the order is kept"
    for half, held in zip((rest, part), indices, strict=True):
        assert half.labels is not None
        assert half.factors is not None
        assert half.labels.tolist() == [index % 3 for index in held]
        assert half.names == tuple(f"{index}.png" for index in held)
        assert half.factors["index"].tolist() == held
        assert half.classes == dataset.classes


def test_dividing_depends_on_the_seed_only() -> None:
    dataset = numbered(100)
    first = dataset.divide(0.2, 1)[1].names
    assert dataset.divide(0.2, 1)[1].names == first
    assert dataset.divide(0.2, 2)[1].names != first


def test_digest_tells_pixels_apart() -> None:
    dataset = numbered(10)
    assert dataset.digest() == numbered(10).digest()
    assert dataset.digest() == numbered(10, classes=False).digest()
    assert dataset.take(torch.arange(9)).digest() != dataset.digest()
    assert dataset.digest() == Dataset("strided", dataset.images.flip(0).flip(0).transpose(2, 3)).digest()


def splits_of(dataset: Dataset, validation: Dataset | None = None) -> Splits:
    return Splits(dataset.take(torch.arange(8)), dataset.take(torch.arange(8, 10)), validation)


def test_a_fingerprint_tells_pixels_labels_classes_and_splits_apart() -> None:
    dataset = numbered(10, size=8)
    first = splits_of(dataset)
    assert dataset.labels is not None
    others = [
        splits_of(numbered(10, size=9)),
        splits_of(replace(dataset, labels=dataset.labels.flip(0))),
        splits_of(replace(dataset, classes=("a", "b", "d"))),
        splits_of(numbered(10, size=8, classes=False)),
        Splits(dataset.take(torch.arange(7)), dataset.take(torch.arange(7, 10))),
        splits_of(dataset, validation=dataset),
        splits_of(replace(dataset, other=dataset)),
    ]
    assert first.fingerprint() == splits_of(numbered(10, size=8)).fingerprint()
    assert first.fingerprint().startswith("2:")
    assert len({splits.fingerprint() for splits in [first, *others]}) == 8
    assert first.matches(first.fingerprint())
    assert not any(splits.matches(first.fingerprint()) for splits in others)


def test_the_digests_of_older_runs_cover_the_pixels_and_are_accepted() -> None:
    dataset = numbered(10, size=8)
    first = splits_of(dataset)
    assert first.digest() == "bef8d007c426c6811f7dca8b98513c9ca0f463fe0f8e16c9cbf51e44a46e73b1"
    assert splits_of(numbered(10, size=8, classes=False)).matches(first.digest())
    assert splits_of(dataset, validation=dataset).matches(first.digest())
    assert not splits_of(numbered(10, size=9)).matches(first.digest())


def test_binarised_once_is_the_same_every_time_and_follows_the_grey_level() -> None:
    grey = data.load(Data(name="digits")).train.images
    first, again = (data.load(Data(name="digits", binarize_once=True)).train.images for _ in range(2))
    assert torch.equal(first, again)
    assert set(first.unique().tolist()) == {0, 255}
    assert (first[grey == 0] == 0).all()
    assert (first[grey == 255] == 255).all()
    for level in (64, 128, 191):
        chosen = grey == level
        error = 3 * (level / 255 * (1 - level / 255) / int(chosen.sum())) ** 0.5
        assert abs(float((first[chosen] == 255).float().mean()) - level / 255) < error
