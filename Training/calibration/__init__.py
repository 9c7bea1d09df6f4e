"""What a model's card says of where the model can be trusted, measured."""
