"""Figures of an SR volume against its HR, and the protocols that say what is compared."""
