"""What a person can do about an error, in the words of the command line; a panel names its own controls instead."""

from SuperResolution3DLib.sentence import Sentence

OTHER_DEVICE = Sentence("choose --device cpu or auto")
SMALLER_REGION = Sentence("choose a smaller region with --region")
SMALLER_REGION_OR_COARSER = Sentence("choose a smaller region with --region or a larger --target-spacing")
NAME_THE_AXIS = Sentence("name the slice axis with --axis K, J or I (slices, rows, columns)")
