"""What the page may ask, each field with its limits: numbers are finite, lists and texts are short."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import BaseModel, ConfigDict, Field

from simulacra.studio.settings import BODY, IMAGES, PICTURES, STEPS

Number = Annotated[float, Field(ge=-1e6, le=1e6, allow_inf_nan=False)]
Latent = Annotated[list[Number], Field(min_length=1, max_length=4_096)]
Image = Annotated[str, Field(max_length=BODY, description="a data: address of a PNG, JPEG, WebP, GIF, BMP or TIFF")]
Seed = Annotated[int, Field(ge=0, lt=2**63)]
Name = Annotated[str, Field(min_length=1, max_length=200)]
Count = Annotated[int, Field(ge=1, le=IMAGES)]
Frames = Annotated[int, Field(ge=2, le=64)]
Truncation = Annotated[float, Field(gt=0, le=10, allow_inf_nan=False)]
Codes = Annotated[dict[Name, Number | Name], Field(max_length=32)]
Prior = Literal["model", "fitted"]


class Ask(BaseModel):
    """A request's body; unknown keys are refused."""

    model_config = ConfigDict(extra="forbid")


class Refusal(BaseModel):
    """What is answered to a request that is not met: one sentence."""

    detail: str


class Draw(Ask):
    """Latents drawn from the prior, with codes set by name."""

    n: Count = 16
    seed: Seed = 0
    label: Name | None = None
    codes: Codes = {}
    truncation: Truncation | None = None
    prior: Prior | None = None


class Decode(Ask):
    """Latents to decode."""

    latents: Annotated[list[Latent], Field(min_length=1, max_length=IMAGES)]
    codes: Codes = {}
    moves: Annotated[dict[Name, Number], Field(max_length=32)] = {}  # kept directions, and how far to go along each


class Pictured(Ask):
    """One picture."""

    picture: Image


class Invert(Pictured):
    """A picture whose latent is searched by gradient descent."""

    steps: Annotated[int, Field(ge=1, le=STEPS)] = 200
    seed: Seed = 0


class Mend(Invert):
    """A picture with a hole: the mask is white where it is to be filled in."""

    mask: Image
    method: Literal["model", "blended", "nearest", "biharmonic", "telea", "navier-stokes"] = "model"


class Stop(Ask):
    """A keyframe: a latent or a picture."""

    latent: Latent | None = None
    picture: Image | None = None


class Walk(Ask):
    """Frames from keyframe to keyframe."""

    stops: Annotated[list[Stop], Field(min_length=2, max_length=8)]
    steps: Frames = 12
    route: Literal["latent", "fade", "flow", "transport"] = "latent"
    seed: Seed = 0


class Film(Walk):
    """The same as a GIF."""

    seconds: Annotated[float, Field(ge=0.02, le=2, allow_inf_nan=False)] = 0.1


class Traverse(Ask):
    """One latent moved at a time."""

    steps: Annotated[int, Field(ge=2, le=25)] = 11
    seed: Seed = 0


class Manifold(Ask):
    """A grid over two latents."""

    side: Annotated[int, Field(ge=2, le=40)] = 20


class Group(Ask):
    """Pictures, or the name of a class of the run's data."""

    pictures: Annotated[list[Image], Field(max_length=PICTURES)] = []
    label: Name | None = None


class Arithmetic(Ask):
    """A picture moved by the difference of two groups."""

    picture: Image
    plus: Group
    minus: Group
    steps: Annotated[int, Field(ge=2, le=25)] = 7
    strength: Annotated[float, Field(ge=-10, le=10, allow_inf_nan=False)] = 1.0
    seed: Seed = 0


class Translate(Pictured):
    """A picture for the other domain."""

    to: Literal["A", "B"] = "B"


class Examples(Ask):
    """Images of the run's test split."""

    n: Annotated[int, Field(ge=1, le=64)] = 12
    seed: Seed = 0


MAPPED = 1_000  # test images that a map holds at most
Chosen = Annotated[list[Annotated[int, Field(ge=0, lt=MAPPED)]], Field(max_length=MAPPED)]


class Atlas(Ask):
    """A map of test images."""

    n: Annotated[int, Field(ge=2, le=MAPPED)] = 400


class More(Ask):
    """New images like some of a map."""

    chosen: Annotated[Chosen, Field(min_length=1)]
    n: Annotated[int, Field(ge=1, le=32)] = 8
    seed: Seed = 0


class Find(Ask):
    """Directions: principal components, from class to class, or from the other images of a map to the chosen ones."""

    kind: Literal["components", "classes", "chosen"] = "components"
    n: Annotated[int, Field(ge=1, le=8)] = 4
    plus: Name | None = None
    minus: Name | None = None
    chosen: Chosen = []


class Direction(Ask):
    """A direction to keep by a name."""

    name: Annotated[str, Field(min_length=1, max_length=60)]
    vector: Latent


class Forget(Ask):
    """The name of a direction that is no longer wanted."""

    name: Name


class Transform(Pictured):
    """Operations, one after the other, as they are typed."""

    steps: Annotated[str, Field(max_length=2_000)]
    seed: Seed = 0


class Named(Pictured):
    """A picture with the name of its file."""

    name: Name


class Batch(Ask):
    """Operations on several pictures."""

    pictures: Annotated[list[Named], Field(min_length=1, max_length=PICTURES)]
    steps: Annotated[str, Field(min_length=1, max_length=2_000)]
    seed: Seed = 0


class Note(Ask):
    """What a person keeps with a run."""

    star: bool = False
    text: Annotated[str, Field(max_length=4_000)] = ""


class Job(Ask):
    """A training to start: a recipe with changes, or a plan for uploaded pictures."""

    recipe: Name
    data: Name | None = None
    upload: Name | None = None
    minutes: Annotated[float, Field(gt=0, le=10_000, allow_inf_nan=False)] | None = None
    options: Annotated[dict[Name, Annotated[str, Field(max_length=1_000)]], Field(max_length=100)] = {}
    name: Name | None = None
    seed: Seed | None = None


class Resume(Ask):
    """A run to continue, perhaps to a greater length in images."""

    run: Name
    images: Annotated[int, Field(gt=0, lt=2**53)] | None = None


class Remedied(Ask):
    """A run, and the remedy to try."""

    run: Name
    remedy: Name


class Plan(Ask):
    """What to train on uploaded pictures in so many minutes."""

    minutes: Annotated[float, Field(gt=0, le=10_000, allow_inf_nan=False)] = 10.0


class NewGame(Ask):
    """A family to play by hand, on a small data set."""

    family: Name
    data: Literal["digits", "shapes"] = "digits"
    seed: Seed = 0


class Rounds(Ask):
    """Rounds to play, and the players that hold still in them."""

    n: Annotated[int, Field(ge=1, le=200)] = 1
    still: Annotated[list[Name], Field(max_length=8)] = []


Unit = Annotated[float, Field(ge=-1, le=1, allow_inf_nan=False)]
Point = Annotated[list[Unit], Field(min_length=2, max_length=2)]
Points = Annotated[list[Point], Field(min_length=1, max_length=2_000)]


class Pull(Ask):
    """A penalty on the discriminator's gradient."""

    kind: Literal["none", "gradient_penalty", "dragan", "r1", "r2", "r1_r2"]
    weight: Annotated[float, Field(ge=0, le=100, allow_inf_nan=False)] = 0.1


class NewGround(Ask):
    """Points of the plane, drawn by hand, and a penalty for each objective."""

    points: Points
    penalties: Annotated[dict[Name, Pull], Field(max_length=8)] = {}
    rate: Annotated[float, Field(gt=0, le=0.1, allow_inf_nan=False)] = 2e-3
    seed: Seed = 0


class Steps(Ask):
    """Steps to play on the plane, perhaps on other points from now on."""

    n: Annotated[int, Field(ge=0, le=100)] = 5
    points: Points | None = None
