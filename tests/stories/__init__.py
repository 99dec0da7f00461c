"""Three defects, each planted into a copy of this repository, from the exception to a system that no longer fails."""
