"""How far a result can be trusted: mirror images, volumes unlike those of the training, and a map of caution."""
