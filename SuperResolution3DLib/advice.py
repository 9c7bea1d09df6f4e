"""What a person can do about an error, in the words of the command line; a panel names its own controls instead."""

from SuperResolution3DLib.sentence import Sentence

OTHER_DEVICE = Sentence("advice-device")
SMALLER_REGION = Sentence("advice-region")
SMALLER_REGION_OR_COARSER = Sentence("advice-region-or-spacing")
NAME_THE_AXIS = Sentence("advice-axis")
