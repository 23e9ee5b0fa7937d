"""Every non-trivial read of the kernel."""
