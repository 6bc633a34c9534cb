// The lessons in English: what each step says, what to try, and a question with its answer.
export default {
  latent: { title: "What a latent is", lead: "A picture from a handful of numbers.", steps: [
    "This picture was drawn from a few numbers: its latent. Each slider holds one of them. Move one slowly, and watch which part of the picture follows it.",
    "Press “New sample”. The studio rolls new numbers from a bell curve, and the model draws the picture that belongs to them. No picture is looked up; all of them are drawn.",
    "The variations have almost the same numbers as the picture in the middle. Press one to continue from there: near latents give near pictures.",
    "Two latents can be joined by a straight line. Each frame is the picture of one point on it. Move the slider under the picture."],
  try: "Go back to Explore and try to change only the slant of the digit, with as few sliders as you can.",
  question: "Why does a small step of the latent change the picture only a little?", answer: "The decoder is a continuous function, and training made neighbours in the latent space stand for pictures that are alike: an encoder that adds noise to its codes can only be understood by a decoder that gives nearly the same picture for nearly the same code." },

  plane: { title: "The two-dimensional VAE", lead: "A whole model on one map.", steps: [
    "This model has only two latents, so everything it can draw fits on one map. Drag over the plane. Each place is a picture, and digits of one kind lie together.",
    "Draw a digit. The encoder finds its place on the plane, and the decoder draws what lies there.",
    "Compare what the model sees with what it makes of it. Two numbers cannot keep every detail: the picture comes back smoother. Then move z0 and z1 and watch the digit turn into its neighbours.",
    "Fading from picture to picture shows two digits through each other. Switch the route to the latent space: every frame is a digit now."],
  try: "Find the border between two kinds of digits on the plane. What does the model draw exactly there?",
  question: "Why are pictures in the middle of the plane often blurred mixtures?", answer: "Many digits compete for the middle, since the prior N(0, I) is densest there. Where codes of different digits overlap, the picture with the best expected likelihood is their average." },

  reconstruct: { title: "Reconstruction against sampling", lead: "Two different skills.", steps: [
    "Take a test image. The model encodes it and draws it again: a reconstruction. The third picture shows what was lost.",
    "Now press “New sample” a few times. Nothing is copied here: the latent was rolled. A model can do one of these well and the other badly.",
    "This is a plain autoencoder, which you train yourself. Press Play at a fast pace. It learns to reconstruct, and it has no samples at all: nobody told it which latents are likely.",
    "A VAE has one more term, the KL divergence. Press Play again: its reconstructions are a little worse, but it can sample."],
  try: "Play both families for the same number of rounds, and compare the reconstructions.",
  question: "What does the KL term ask for, and what does it cost?", answer: "It asks that the codes of all images together look like the prior from which we sample, so that a rolled latent lands where the decoder knows its way. It costs information: the codes are noisy, so fine details are lost." },

  game: { title: "A GAN step by step", lead: "Two players, in slow motion.", steps: [
    "Here nobody has learned anything yet. Press “Next round”: first it is the discriminator’s turn, then the generator’s. The bars are the terms of the loss that the player lowers.",
    "Let only the discriminator move, ten times or more. Its terms fall, since it learns to tell. The pictures stay the same. Then let only the generator move.",
    "Now press Play at a fast pace and watch the samples of the same latents change. The losses do not simply fall: each player makes the other’s task harder.",
    "The same game with points instead of pictures. Blue is where the discriminator expects real points; the arrows show where the generator is pulled. Press Play."],
  try: "Hold the generator still for 100 rounds, then let it move again. Does it recover?",
  question: "The generator’s loss rises for a while. Is the training going wrong?", answer: "Not necessarily. The loss is measured by a discriminator that is learning too. A better discriminator makes the same pictures cost more. That is why the studio also shows samples, and measures distances to real pictures." },

  collapse: { title: "Mode collapse, seen and cured", lead: "When a generator repeats itself.", steps: [
    "Eight places are to be reached. Press Play and watch the game with the saturating loss and without a penalty: the red points gather in one place, jump to another one, and leave the rest out.",
    "Compare all six. Each caption says how many of your points have a generated one nearby. Where the number stays small, modes have collapsed.",
    "Relativistic pairing compares each generated point with a real one, and R1 and R2 keep the discriminator flat where it is right. Its points share themselves among the places.",
    "In a training of pictures the watchdog looks for the same: samples that are too much alike. It marks the curve, says what it saw, and offers a remedy as a button."],
  try: "Give the saturating game the penalty R1, and begin afresh. How many places does it reach now?",
  question: "Why may a generator leave modes out without being punished?", answer: "The generator is only asked that each of its own samples looks real. One convincing place is enough for that. Only a discriminator that compares groups, pairs or packs of samples notices what is missing." },

  codes: { title: "InfoGAN’s codes", lead: "Categories that nobody named.", steps: [
    "Press the buttons of the first code, one after the other. The rest of the latent stays the same. Each button should give another kind of picture.",
    "Choose one code and press “New sample” several times: the kind stays, its form changes. Then move the continuous codes: they often hold slant and width.",
    "Play the game: the discriminator has a second task. The terms that begin with “code” say how well the codes can be read off the pictures. Both players lower them together."],
  try: "Find a button that gives a mixture of two digits. More training, or more clusters, would separate them.",
  question: "Who told the model that there are ten kinds of digits?", answer: "The number ten was given, but no label ever was. The code helps only if it can be read off the picture, so the generator puts it into whatever can be seen best: the kind of digit." },

  pair: { title: "VAE-GAN and BiGAN, side by side", lead: "Two ways to give a GAN an encoder.", steps: [
    "The VAE-GAN has three players. Its encoder and decoder are a VAE, but pictures are compared by what the discriminator sees in them: the term feature_nll. So its reconstructions may move a pixel, and not a feature.",
    "BiGAN has no term for reconstructions at all. Its discriminator sees pairs: a real picture with its code, or a rolled code with its picture. To fool it, encoder and generator must undo each other.",
    "Draw a digit, or take a test image, with a trained one. Compare picture and reconstruction: are the details kept, or the kind of digit?"],
  try: "Choose another run at the top right: the same picture, another way to learn. Which one keeps your stroke?",
  question: "BiGAN was never asked to reconstruct. Why does it come near?", answer: "If the pairs (x, E(x)) and (G(z), z) have the same distribution, then E inverts G almost everywhere. Training does not get all the way there, so the reconstruction keeps the meaning rather than the pixels." },

  cycle: { title: "CycleGAN, there and back", lead: "Translation without pairs.", steps: [
    "Choose a test image. The second picture is its translation to the other domain, the third one the way back. No pair was ever shown in training.",
    "Turn the direction round. Both translators learned together, and each checks the other.",
    "Play the game of an untrained one: the terms cycle_a and cycle_b measure the way back, adversarial_a and adversarial_b whether the pictures look like their domain."],
  try: "Draw a shape that the data does not have, such as a cross. What survives the way there and back?",
  question: "The way back is perfect. Does it follow that the translation is right?", answer: "No. Two translators that exchange red and blue, both ways, return perfectly too. And a translator can hide what it needs in details that you do not see. The cycle only says that nothing was lost." },
};
