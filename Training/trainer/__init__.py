"""The training loop and what it is made of: losses, discriminator, checkpoints, logs."""
