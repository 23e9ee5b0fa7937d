"""Every write of the kernel: keyword-only, typed, atomic functions that take `by=` and return the object."""
