"""From an LR volume to its SR: engine, tiles and windows, memory, devices, number formats."""
