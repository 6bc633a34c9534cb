"""What one does with a trained model: draw from it, look into its latents, edit, translate, enlarge a data set."""
