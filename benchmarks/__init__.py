"""Speed of the training loop, side by side with the classic tutorials re-stated in Keras."""
