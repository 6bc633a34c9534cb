// English.
export default {
  "skip": "Skip to the room", "waiting": "Opening", "on": "on", "off": "off", "view.only": "For viewing only: nothing can be trained or changed here.",
  "error.status": "The studio answered {status}.", "error.gone": "The studio does not answer. Is it still running?", "error.file": "This file cannot be read.",
  "error.title": "This room could not be opened", "error.again": "Try again",
  "time.hours": "{h} h {m} min", "time.minutes": "{m} min {s} s", "time.seconds": "{s} s",

  "room.runs": "Runs", "room.explore": "Explore", "room.draw": "Draw", "room.between": "Between", "room.train": "Train", "room.pictures": "Your pictures",
  "room.map": "Map", "room.play": "Play", "room.lessons": "Lessons", "room.mend": "Mend", "room.translate": "Translate", "room.darkroom": "Darkroom", "room.measure": "Measure",

  "copy.command": "Copy as command", "copy.python": "Copy as Python", "copy.link": "Copy link", "copy.done": "Copied.",
  "picture.drop": "Drop or paste a picture here.", "picture.choose": "Choose a picture", "picture.save": "Save picture",
  "run.choose": "Run", "scrub.label": "Point in the training",

  "empty.title": "You have no models yet", "empty.lead": "Train a small one on handwritten digits now. It takes about a minute, and you can watch it learn.",
  "empty.quickstart": "Train a first model", "empty.own": "Use my own pictures", "empty.go": "Go to Runs", "empty.explore": "Train a model first; then you can steer it here.",
  "empty.translate": "Train a translator first, such as the recipe cyclegan or pix2pix; it turns pictures of one kind into another.",

  "runs.lead": "Every model that you trained, with its latest samples.", "runs.filter": "Filter by name, family, data or note", "runs.shipped": "Trained models in the package", "runs.none": "No run matches.", "runs.new": "Train a model",
  "runs.star": "Star {name}", "runs.samples": "Samples of {name}", "runs.nosheet": "no samples yet", "runs.images": "{n} images", "runs.step": "step {n}",
  "runs.samples2": "Samples while it learns", "runs.reconstructions": "Originals and reconstructions", "runs.back": "All runs", "runs.note": "A note about this run", "runs.config": "Full config",
  "facts.images": "images seen", "facts.time": "training time",

  "explore.reading": "The training pictures are being read, once. You can carry on meanwhile.",
  "explore.beside": "The same latent in another model", "explore.alone": "none", "explore.second": "The image of the same latent by the other model",
  "explore.lead": "Move through the latent space of a model and see each point at once.", "explore.image": "The image of the chosen latent", "explore.new": "New sample", "explore.keep": "Keep as keyframe",
  "explore.kept": "Kept. {n} keyframes wait in Between.", "explore.walk": "Walk between them", "explore.variations": "Variations", "explore.take": "Take variation {n}", "explore.near": "Nearest training images: is it a copy?",
  "explore.nearest": "Training image {n}", "explore.codes": "Named codes", "explore.sliders": "Latents that matter most", "explore.reset": "Back to the start", "explore.draw": "Draw by a seed",
  "explore.truncation": "truncation", "explore.seed": "Seed", "explore.axis": "Axis", "explore.two": "Two latents at once", "explore.plane": "The whole latent plane",
  "explore.planehint": "Drag over the plane, or use the arrow keys.", "explore.pad": "A square of two latents; drag, or use the arrow keys",

  "draw.lead": "Draw or drop a picture. The model shows what it makes of it, and you can change its latent.", "draw.paper": "Drawing area", "draw.width": "Width of the pen", "draw.colour": "Colour of the pen",
  "draw.undo": "Undo", "draw.clear": "Clear", "draw.drop": "Or drop, paste or choose a picture.", "draw.example": "Use a test image", "draw.invert": "Find the nearest latent", "draw.first": "Draw something first.",
  "draw.seen": "What the model sees", "draw.made": "What it makes of it", "draw.difference": "Difference", "draw.error": "Mean squared error {n}", "draw.edit": "Change it", "draw.edited": "The changed picture",
  "draw.kept": "Kept as a keyframe for Between.", "draw.result": "Result", "draw.hint": "Draw with one stroke, and the answer follows the pen.", "draw.hintinvert": "This model has no encoder: draw, then press “Find the nearest latent”. It takes a few seconds.",

  "between.lead": "Choose keyframes and a route, and watch the pictures change from one to the next.", "between.frame": "The frame at the slider", "between.scrub": "Frame", "between.play": "Play", "between.keys": "Keyframes",
  "between.key": "Keyframe {n}", "between.hint": "Press a keyframe to remove it.", "between.remove": "Remove this keyframe", "between.removen": "Remove keyframe {n}", "between.random": "Add a random one", "between.afresh": "Start afresh",
  "between.drop": "Drop a picture to add it.", "between.full": "There are eight keyframes already.", "between.two": "Choose at least two keyframes.", "between.save": "Save as GIF", "between.video": "Save as {kind}", "between.route": "Route", "between.steps": "Frames",
  "route.latent": "Latent space", "route.fade": "Cross-fade", "route.flow": "Optical flow", "route.transport": "Transport of light",
  "routehint.latent": "Through the model: every frame is a picture that the model could draw.", "routehint.fade": "Without a model: one picture fades into the next.",
  "routehint.flow": "Without a model: pixels follow the optical flow between the pictures (needs the extra vision).", "routehint.transport": "Without a model: light moves to where the next picture has it.",

  "train.lead": "Choose a recipe, start it, and watch it learn.", "train.recipe": "Recipe", "train.data": "Data", "train.owndata": "The recipe’s own data", "train.name": "Name of the run", "train.nameauto": "chosen for you",
  "train.start": "Start training", "train.stop": "Save and stop", "train.resume": "Continue", "train.longer": "Train twice as long", "train.open": "Open the run", "train.log": "What it printed", "train.queue": "Trainings",
  "train.none": "Nothing is training", "train.nonelead": "Start one on the left; its samples and curves appear here as they are written.", "train.progress": "Progress of the training", "train.left": "{time} left", "train.curves": "Curves",
  "train.data2": "More data options", "train.model": "More model options", "train.train": "More training options", "train.absent": "automatic",
  "state.queued": "waiting", "state.running": "training", "state.done": "finished", "state.failed": "failed", "state.stopped": "stopped",
  "statehint.queued": "It starts as soon as the training before it has ended.", "statehint.running": "It is getting ready: loading PyTorch and the data.", "statehint.done": "", "statehint.failed": "", "statehint.stopped": "It was stopped before its first report.",

  "pictures.lead": "From a folder of your pictures to new ones. Nothing leaves this machine.", "pictures.drop": "Drop a folder or a zip of pictures here", "pictures.kinds": "PNG, JPEG, WebP, GIF, BMP or TIFF. Subfolders become classes.",
  "pictures.folder": "Choose a folder", "pictures.zip": "Choose files or a zip", "pictures.sending": "Reading your pictures", "pictures.looking": "Looking at them", "pictures.found": "{n} pictures in {name}", "pictures.refused": "Files that cannot be used: {n}",
  "pictures.crops": "How they will be cropped", "pictures.crop": "Cropped picture {n}", "pictures.time": "How long may it take?", "pictures.minutes": "Time", "pictures.min": "{n} min", "pictures.plan": "Make a plan", "pictures.other": "Other pictures",
  "pictures.measuring": "Measuring this machine for a few seconds", "pictures.planned": "The plan",

  "translate.lead": "Turn pictures of one kind into another, and back again.", "translate.hint": "Choose an example, draw, or drop a picture.", "translate.from": "{d}, as the model sees it", "translate.to": "Translated to {d}", "translate.back": "Back to {d}",
  "translate.direction": "Direction", "translate.ab": "A to B", "translate.ba": "B to A", "translate.examples": "Test images", "translate.example": "Test image {n}", "translate.draw": "Draw", "translate.result": "Result",

  "mend.lead": "Paint over a part of a picture, or let the model find what it cannot explain; then compare how it can be filled in.", "mend.picture": "The picture to mend", "mend.paint": "Paint the hole here", "mend.hint": "Paint over a part of the picture.",
  "mend.model": "By the model", "mend.blended": "By the model, seam blended", "mend.nearest": "From the nearest training picture", "mend.biharmonic": "Smooth surface", "mend.telea": "Fast marching", "mend.navier-stokes": "Navier-Stokes", "mend.take": "Take it", "mend.filled": "Filled in", "mend.find": "Find what does not fit",
  "mend.redrawn": "What the model redraws", "mend.heat": "Anomaly, score {n}", "mend.threshold": "threshold",

  "draw.directions": "Directions between classes", "draw.directionshint": "Adds the difference between two classes to the latent of the picture.", "draw.plus": "More like", "draw.minus": "Less like", "draw.strength": "strength", "draw.walk": "From the picture as it is to the whole difference",

  "dark.lead": "Change pictures by hand, and copy the command that does the same to a whole folder.", "dark.before": "Before", "dark.after": "After", "dark.add": "Add an operation", "dark.chain": "Operations", "dark.drop": "Drop or paste a picture here.",
  "dark.hint": "Add an operation; each has sliders, and the preview follows them.", "dark.batch": "Apply to several files", "dark.batched": "{n} pictures are in the zip.", "dark.remove": "Remove this operation", "dark.up": "Move this operation up",

  "measure.lead": "Scores of your models with the conditions under which they hold.", "measure.scores": "Scores", "measure.metric": "Score", "measure.value": "Value", "measure.conditions": "Conditions", "measure.none": "This run has not been evaluated yet",
  "measure.how": "Run this in a terminal. The scores and their page appear here.", "measure.evaluation": "Evaluation", "measure.report": "Report", "measure.window": "Open in a new tab",

  "play.lead": "Play the game of a model by hand: one round at a time, and see what each player minimises.", "play.what": "What to play with", "play.game": "A model of pictures", "play.plane": "Points of the plane",
  "play.family": "Family", "play.afresh": "Begin afresh", "play.turns": "Rounds", "play.next": "Next round", "play.only": "Only {player} moves", "play.play": "Play", "play.pause": "Pause", "play.pace": "pace",
  "play.pace0": "very slow", "play.pace1": "slow", "play.pace2": "steady", "play.pace3": "brisk", "play.pace4": "fast", "play.pace5": "60 per picture",
  "play.players": "Players", "play.still": "holds still", "play.weights": "{n} weights", "play.waits": "It has not had its turn yet.", "play.history": "Terms of the losses, by round", "play.ready": "Nobody has moved yet. The pictures show untrained weights.",
  "play.told": "Step {step}: the turn of {turn}. Moved: {moved}.", "play.nobody": "nobody", "play.before": "before", "play.after": "after", "play.now": "now", "play.samples": "Samples of the same latents", "play.reconstructions": "Test pictures, and their reconstructions below",

  "plane.paper": "The plane: draw points here", "plane.one": "One step", "plane.legend": "Green: your points. Red: generated points. Blue ground: where the discriminator expects real points, orange: generated ones. Arrows: where the loss pulls the generator.",
  "plane.draw": "The distribution", "plane.drawhint": "Draw on the plane with the mouse or a finger, also while the games go on; or choose a shape.", "plane.new": "Begin a new drawing", "plane.fresh": "The next stroke begins a new drawing.", "plane.pace": "steps per picture", "plane.rate": "learning rate",
  "plane.ring": "eight points", "plane.grid": "grid", "plane.circle": "circle", "plane.spiral": "spiral", "plane.two": "two points", "plane.six": "Six objectives", "plane.sixhint": "All begin with the same weights. Press one to see it large, or give it another penalty.",
  "plane.penalty": "Penalty for {objective}", "plane.covered": "{n} % reached", "plane.over": "diverged", "plane.step": "step {n}",
  "objective.saturating": "Saturating", "objective.non_saturating": "Non-saturating", "objective.least_squares": "Least squares", "objective.hinge": "Hinge", "objective.wasserstein": "Wasserstein", "objective.relativistic": "Relativistic pairing",
  "penalty.none": "no penalty", "penalty.gradient_penalty": "gradient penalty", "penalty.dragan": "DRAGAN", "penalty.r1": "R1", "penalty.r2": "R2", "penalty.r1_r2": "R1 and R2",
  "lessons.lead": "Eight short walks through the rooms: what to look at, what to press, and a question at the end.", "lessons.start": "Start", "lessons.done": "done", "lessons.steps": "{n} steps", "lessons.panel": "Lesson", "lessons.at": "Step {n} of {m}",
  "lessons.back": "Back", "lessons.next": "Next", "lessons.end": "Finish", "lessons.there": "Take me there", "lessons.close": "Close the lesson", "lessons.fold": "Fold or unfold the lesson", "lessons.try": "Try it:", "lessons.train": "Train it here",
  "lessons.missing": "This step needs a model that is not here yet. It can be trained here, or with this command. You can also continue without it.",
  "remedy.try": "Remedies:", "remedy.roll-back": "Continue; roll back if it happens again", "remedy.steady": "Start again with relativistic pairing, R1 and R2", "remedy.cycle": "Start again with twice the cycle weight", "remedy.slower": "Start again at half the learning rate", "remedy.seed": "Start again with another seed",
  "empty.map": "Train a model with an encoder first, such as the recipe quickstart; then you can see where it puts your pictures.",
  "map.lead": "Test pictures where the encoder sees them: those that it takes to be alike lie together.", "map.reading": "Reading the pictures and encoding them", "map.canvas": "Map of test pictures; arrow keys move it, plus and minus change its scale; classes can be chosen by buttons", "map.hint": "Draw a line around some pictures, or press one. With the shift key, more are added.",
  "map.chosen": "{n} chosen", "map.class": "Choose a class", "map.picked": "Chosen pictures", "map.more": "More like these", "map.new": "New pictures like these", "map.near": "Other test pictures nearby", "map.explore": "Open new picture {n} in Explore", "map.add": "Add test picture {n}", "map.drop": "Leave out",
  "map.plane": "The model has two latents, shown as they are.", "map.shown": "Two directions of many, which hold {n} % of the variance of the codes.", "map.closer": "Closer", "map.farther": "Farther", "map.move": "Move", "map.all": "Whole map",
  "map.directions": "Directions", "map.directionshint": "Find what changes along the latent space, give it a name, and apply it to real pictures.", "map.components": "Principal components", "map.tochosen": "From the others to the chosen", "map.find": "Find", "map.name": "Name of the direction", "map.keep": "Keep", "map.kept": "Kept. It is a slider in Draw and Explore now.",
  "map.keptones": "Kept directions", "map.nokept": "None yet.", "map.forget": "Press to remove", "map.forgetone": "Remove the direction {name}", "map.apply": "Apply to a picture in Draw",
  "runs.compare": "Compare two", "compare.lead": "The same seed and the same sliders for both.", "compare.run": "Run {n}", "compare.samples": "Samples of the same seed", "compare.sample": "Sample {n}", "compare.locked": "Locked sliders", "compare.axis": "axis {n}",
  "compare.hint": "Each slider moves both models along the latent that matters most to them, the second most, and so on, by the same number of standard deviations.",
};
