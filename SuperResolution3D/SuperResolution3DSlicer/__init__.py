"""What the SuperResolution3D module does inside Slicer: nodes, panel, worker process. Nothing here computes."""
