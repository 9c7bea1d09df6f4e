"""What a person sees and chooses."""
