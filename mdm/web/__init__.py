"""The web interface of the kernel: page building blocks, charts, navigation, and generic pages."""
