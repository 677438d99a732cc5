"""Where checkpoints are kept besides the disk they were written to: a folder, S3 and its kin."""
