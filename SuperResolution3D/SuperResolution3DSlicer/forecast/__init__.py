"""What a run will take, from this computer's own speed."""
