"""Cleaning: quarantines defective training images, each with a reason; deletes nothing."""
