"""The networks, each with a config without torch that the panel reads too; ``table`` lists them."""
