"""Forward and backward passes written by hand, where they pay."""
